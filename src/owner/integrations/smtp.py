"""Sends e-mail over SMTP."""

from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from owner.models.access_errors import MailNotSent
from owner.models.errors import Misconfigured
from owner.services.ports import Mail

TIMEOUT: Final = 20.0  # seconds for each step
_EXAMPLE: Final = "smtps://user:password@mail.example.com:465?from=owner@example.com"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail goes, and in whose name."""

    hostname: str
    port: int
    sender: Address
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    is_encrypted: bool = False  # from the first byte on

    @classmethod
    def parse(cls, url: str) -> "SmtpServer":
        """Read `smtp://` or `smtps://`, with `?from=`; raises `Misconfigured`, which repeats nothing of the URL."""
        try:
            return cls._read(url)
        except (ValueError, LookupError, AttributeError):
            raise Misconfigured(
                f"OWNER_SMTP_URL is no address of a mail server such as {_EXAMPLE}; signs in user and password are"
                " percent-encoded, and `from` is whom the mails come from.",
                field="OWNER_SMTP_URL",
            ) from None

    @classmethod
    def _read(cls, url: str) -> "SmtpServer":
        parts = urlsplit(url)
        is_encrypted = {"smtp": False, "smtps": True}[parts.scheme]
        [sender] = parse_qs(parts.query, strict_parsing=True)["from"]
        name, address = parseaddr(sender)
        if not parts.hostname or parts.path.strip("/"):
            raise ValueError(parts.netloc)
        return cls(
            hostname=parts.hostname,
            port=parts.port or _usual_port(is_encrypted=is_encrypted, signs_in=bool(parts.username)),
            sender=Address(name, addr_spec=address),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            is_encrypted=is_encrypted,
        )


class SmtpMailer:
    """Fulfils `ports.Mailer`: one connection for each mail."""

    def __init__(self, server: SmtpServer) -> None:
        self.server = server

    async def send(self, mail: Mail) -> None:
        server = self.server
        try:
            await aiosmtplib.send(
                self._message(mail),
                recipients=[mail.to],
                hostname=server.hostname,
                port=server.port,
                username=server.username,
                password=server.password,
                use_tls=server.is_encrypted,
                # A password goes over an encrypted connection or not at all.
                start_tls=True if server.username and not server.is_encrypted else None,
                timeout=TIMEOUT,
            )
        except aiosmtplib.SMTPResponseException as problem:
            raise _not_sent(problem, smtp_code=problem.code) from None
        except (aiosmtplib.SMTPException, OSError, ValueError, IndexError) as problem:
            raise _not_sent(problem) from None

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.server.sender
        message["To"] = Address(addr_spec=mail.to)
        message["Subject"] = mail.subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self.server.sender.domain)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        return message


def _usual_port(*, is_encrypted: bool, signs_in: bool) -> int:
    if is_encrypted:
        return 465
    return 587 if signs_in else 25


def _not_sent(problem: Exception, *, smtp_code: int | None = None) -> MailNotSent:
    """Without what the server said: it likes to repeat the address, and errors are logged."""
    kind = type(problem).__name__
    return MailNotSent(f"The mail server did not take the e-mail ({kind}).", smtp_code=smtp_code)
