"""What the mails say that bring a link, in the company's language."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from owner.models.one_time_link import LinkPurpose, LinkResponse
from owner.models.owner import Owner
from owner.models.user import User
from owner.services.ports import Mail


class _Text(NamedTuple):
    subject: str
    text: str


_TEXTS: Final[Mapping[LinkPurpose, Mapping[str, _Text]]] = {
    LinkPurpose.INVITATION: {
        "pt": _Text(
            "Convite para atender em {company}",
            "Olá, {name}!\n\n{company} convidou você para atender seus clientes.\n"
            "Escolha sua senha aqui, dentro de sete dias:\n\n{url}\n\n"
            "Se você não esperava este convite, ignore este e-mail.\n",
        ),
        "en": _Text(
            "Invitation to {company}",
            "Hello {name},\n\n{company} invites you to answer its customers.\n"
            "Choose your password here, within seven days:\n\n{url}\n\n"
            "If you did not expect this invitation, ignore this e-mail.\n",
        ),
        "es": _Text(
            "Invitación para atender en {company}",
            "Hola, {name}:\n\n{company} le invita a atender a sus clientes.\n"
            "Elija su contraseña aquí, en un plazo de siete días:\n\n{url}\n\n"
            "Si no esperaba esta invitación, ignore este correo.\n",
        ),
    },
    LinkPurpose.PASSWORD_RESET: {
        "pt": _Text(
            "Nova senha em {company}",
            "Olá, {name}!\n\nAlguém pediu uma nova senha para a sua conta em {company}.\n"
            "Escolha-a aqui, dentro de uma hora:\n\n{url}\n\n"
            "Se não foi você, ignore este e-mail: sua senha continua a mesma.\n",
        ),
        "en": _Text(
            "New password at {company}",
            "Hello {name},\n\nsomebody asked for a new password for your account at {company}.\n"
            "Choose it here, within one hour:\n\n{url}\n\n"
            "If that was not you, ignore this e-mail: your password stays as it is.\n",
        ),
        "es": _Text(
            "Nueva contraseña en {company}",
            "Hola, {name}:\n\nAlguien pidió una nueva contraseña para su cuenta en {company}.\n"
            "Elíjala aquí, en el plazo de una hora:\n\n{url}\n\n"
            "Si no fue usted, ignore este correo: su contraseña sigue siendo la misma.\n",
        ),
    },
}


def link_mail(user: User, owner: Owner, link: LinkResponse, purpose: LinkPurpose) -> Mail:
    """The mail that brings a link; names lose their line breaks, which no header can hold."""
    texts = _TEXTS[purpose]
    text = texts.get(owner.language, texts["en"])
    words = {"company": _one_line(owner.name), "name": _one_line(user.name), "url": link.url}
    return Mail(user.email, text.subject.format(**words), text.text.format(**words))


def _one_line(name: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
