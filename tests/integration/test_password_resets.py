"""Who forgot the password gets a link by e-mail, whoever asks learns nothing, and a link works once."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic_core import from_json

from conftest import TurnableClock
from factories import Tenant, make_tenant
from mail_server import MailServer, mail_server
from owner.integrations.smtp import SmtpMailer, SmtpServer
from owner.models.access_errors import LinkNotFound, MailNotSent, OwnerChoiceRequired, UserNotFound
from owner.models.errors import Misconfigured
from owner.models.one_time_link import LinkPurpose
from owner.models.outage_errors import RateLimited
from owner.models.session import SessionCreate, Visitor
from owner.services.catalog import Services
from owner.services.ports import Mail
from owner.services.rate_limits import RateLimitService, RateLimitSettings
from owner.worker.jobs import JOBS
from reading import rows
from visiting import PASSWORD, Visit, visiting

HERE = Visitor("203.0.113.7")


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Visit]:
    async with visiting(services) as visit:
        yield visit


@pytest.fixture
async def mail(services: Services) -> AsyncIterator[MailServer]:
    """A mail server that the product sends by."""
    async with mail_server() as server:
        url = f"smtp://127.0.0.1:{server.port}?from=Owner%20<owner@example.com>"
        services.password_links.mailer = SmtpMailer(SmtpServer.parse(url))
        yield server


async def jobs(services: Services, name: str) -> list[dict[str, Any]]:
    """What waits for a worker; it is taken off the queue."""
    async with services.database.system() as connection:
        found = await connection.fetch(
            "DELETE FROM jobs.pgqueuer WHERE entrypoint = $1 RETURNING id, payload", name
        )
    return [from_json(row["payload"]) for row in sorted(found, key=lambda row: row["id"])]


async def work(services: Services, *names: str) -> None:
    for name in names:
        for job in await jobs(services, name):
            await JOBS[name](services, **job)


@pytest.fixture(autouse=True)
async def _empty_queue(services: Services) -> None:
    for name in ("password_reset_asked", "link_wanted"):
        await jobs(services, name)


def token_in(mail: MailServer) -> str:
    """The token of the newest mail's link."""
    found = re.search(r"https://owner\.example/inbox/password\?token=(\S+)", mail.taken[-1][1].get_content())
    assert found
    return found[1]


async def test_who_forgot_the_password_gets_a_link_by_mail_and_signs_in_with_a_new_one(
    services: Services, api: Visit, acme: Tenant, mail: MailServer
) -> None:
    session = await api.sign_in(acme.owner.email)
    async with api.session.post(
        f"{api.url}/v1/password-resets", json={"email": acme.owner.email}
    ) as response:
        answer = response.status, await response.read()
    await work(services, "password_reset_asked", "link_wanted")
    choice = {"token": token_in(mail), "password": "a better horse"}

    status, _ = await api.call("PUT", "/v1/password-resets", key=None, json=choice)
    again, problem = await api.call("PUT", "/v1/password-resets", key=None, json=choice)
    signed_out, _ = await api.call("GET", "/v1/users/me", key=session)

    assert answer == (202, b"")
    [(recipients, message)] = mail.taken
    assert recipients == [acme.owner.email]
    assert (message["From"], message["To"]) == ("Owner <owner@example.com>", acme.owner.email)
    assert (status, again, problem["code"], signed_out) == (204, 404, "link_not_found", 401)
    await api.sign_in(acme.owner.email, "a better horse")


async def test_whether_an_e_mail_is_known_shows_in_neither_the_answer_nor_the_work_for_it(
    services: Services, api: Visit, acme: Tenant, mail: MailServer
) -> None:
    answers = []
    for email in (acme.owner.email, f"{uuid4()}@example.com"):
        async with api.session.post(f"{api.url}/v1/password-resets", json={"email": email}) as response:
            headers = {name for name in response.headers if name != "X-Request-Id"}
            answers.append((response.status, await response.read(), headers))
    asked = await jobs(services, "password_reset_asked")

    assert answers[0] == answers[1]
    assert [set(job) for job in asked] == [{"email_hash"}] * 2
    for job in asked:
        await JOBS["password_reset_asked"](services, **job)
    await work(services, "link_wanted")
    assert [recipients for recipients, _ in mail.taken] == [[acme.owner.email]]


@pytest.mark.parametrize("change", ["users SET is_active = false", "owners SET suspended_at = now()"])
async def test_who_is_shut_out_gets_no_mail(
    services: Services, acme: Tenant, mail: MailServer, change: str
) -> None:
    await rows(services, acme, f"UPDATE {change} RETURNING 1")

    await services.password_resets.ask(acme.owner.email, HERE)
    await work(services, "password_reset_asked", "link_wanted")

    assert mail.taken == []


async def test_who_works_for_two_companies_gets_a_mail_from_each(
    services: Services, acme: Tenant, mail: MailServer
) -> None:
    other = await make_tenant(services, "globex", language="en")
    await rows(services, other, "UPDATE users SET email = $1 RETURNING 1", acme.owner.email)
    name = "Globex\nBcc: eve@example.com"
    await rows(services, other, "UPDATE owners SET name = $1 RETURNING 1", name)

    await services.password_resets.ask(acme.owner.email, HERE)
    await work(services, "password_reset_asked", "link_wanted")

    assert [message["Subject"] for _, message in mail.taken] == [
        "Nova senha em acme",
        "New password at Globex Bcc: eve@example.com",
    ]
    assert [recipients for recipients, _ in mail.taken] == [[acme.owner.email]] * 2


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        ("pt", "Convite para atender em acme"),
        ("en", "Invitation to acme"),
        ("es", "Invitación para atender en acme"),
    ],
)
async def test_an_invitation_is_mailed_in_the_companys_language_and_not_told_to_who_invites(
    services: Services, api: Visit, acme: Tenant, mail: MailServer, *, language: str, subject: str
) -> None:
    await rows(services, acme, "UPDATE owners SET language = $1 RETURNING 1", language)
    body = {"email": f"{uuid4()}@example.com", "name": "Bruno"}

    status, invited = await api.call("POST", "/v1/users", key=acme.api_key, json=body)
    [job] = await jobs(services, "link_wanted")
    await JOBS["link_wanted"](services, **job)
    await services.password_links.set_password(token_in(mail), PASSWORD)
    await JOBS["link_wanted"](services, **job)

    assert (status, invited["invitation"]) == (201, None)
    [(recipients, message)] = mail.taken  # the second one was needless
    assert recipients == [body["email"]]
    assert message["Subject"] == subject
    await api.sign_in(body["email"])


async def test_nobody_is_flooded_with_invitations_of_a_company(
    services: Services, api: Visit, acme: Tenant, mail: MailServer
) -> None:
    body = {"email": f"{uuid4()}@example.com", "name": "Bruno"}
    _, invited = await api.call("POST", "/v1/users", key=acme.api_key, json=body)
    path = f"/v1/users/{invited['user_id']}/invitation"

    answers = [(await api.call("POST", path, key=acme.api_key))[0] for _ in range(5)]

    assert answers == [201] * 4 + [429]
    assert len(await jobs(services, "link_wanted")) == 5


async def test_a_mail_that_was_refused_is_sent_again_with_a_link_of_its_own(
    services: Services, acme: Tenant, mail: MailServer
) -> None:
    await services.password_resets.ask(acme.owner.email, HERE)
    await work(services, "password_reset_asked")
    [job] = await jobs(services, "link_wanted")
    mail.refusal = f"550 no such person: {acme.owner.email}"

    with pytest.raises(MailNotSent) as refused:
        await JOBS["link_wanted"](services, **job)
    mail.refusal = None
    await JOBS["link_wanted"](services, **job)

    assert acme.owner.email not in str(refused.value)
    assert refused.value.__cause__ is None
    links = await rows(services, acme, "SELECT * FROM one_time_links")
    assert len(links) == 1
    await services.password_links.set_password(token_in(mail), "a better horse")


async def test_a_mail_server_that_is_away_is_told_without_addresses(services: Services, acme: Tenant) -> None:
    async with mail_server() as server:
        port = server.port
    url = f"smtp://127.0.0.1:{port}?from=owner@example.com"
    services.password_links.mailer = SmtpMailer(SmtpServer.parse(url))

    with pytest.raises(MailNotSent):
        await services.password_links.send(acme.owner_id, acme.user_id, LinkPurpose.PASSWORD_RESET)


async def test_a_password_is_never_sent_to_a_server_that_can_not_encrypt(mail: MailServer) -> None:
    url = f"smtp://ana:secret@127.0.0.1:{mail.port}?from=owner@example.com"

    with pytest.raises(MailNotSent):
        await SmtpMailer(SmtpServer.parse(url)).send(Mail("ana@example.com", "Oi", "Oi"))

    assert mail.taken == []


async def test_a_reset_link_lasts_an_hour(services: Services, acme: Tenant, clock: TurnableClock) -> None:
    link = await services.password_resets.make_link(acme.owner.email)
    clock.turn(minutes=60)

    with pytest.raises(LinkNotFound):
        await services.password_links.set_password(link.token, "a better horse")


async def test_a_new_link_voids_the_former_one_but_no_invitation(
    services: Services, api: Visit, acme: Tenant
) -> None:
    body = {"email": f"{uuid4()}@example.com", "name": "Bruno"}
    _, invited = await api.call("POST", "/v1/users", key=acme.api_key, json=body)
    first = await services.password_resets.make_link(body["email"])
    second = await services.password_resets.make_link(body["email"])

    with pytest.raises(LinkNotFound):
        await services.password_links.set_password(first.token, PASSWORD)
    await services.password_links.set_password(invited["invitation"]["token"], PASSWORD)
    with pytest.raises(LinkNotFound):
        await services.password_links.set_password(second.token, "a better horse")


async def test_of_two_uses_of_a_link_at_once_one_is_taken(services: Services, acme: Tenant) -> None:
    link = await services.password_resets.make_link(acme.owner.email)

    uses = await asyncio.gather(
        *(services.password_links.set_password(link.token, f"better horse {n}") for n in range(2)),
        return_exceptions=True,
    )

    assert sorted(type(use).__name__ for use in uses) == ["LinkNotFound", "NoneType"]


async def test_a_link_of_a_suspended_company_is_not_taken_but_works_when_it_is_back(
    services: Services, acme: Tenant
) -> None:
    link = await services.password_resets.make_link(acme.owner.email)
    await rows(services, acme, "UPDATE owners SET suspended_at = now() RETURNING 1")
    with pytest.raises(LinkNotFound):
        await services.password_links.set_password(link.token, "a better horse")
    await rows(services, acme, "UPDATE owners SET suspended_at = NULL RETURNING 1")

    await services.password_links.set_password(link.token, "a better horse")

    await services.sessions.sign_in(SessionCreate(email=acme.owner.email, password="a better horse"), HERE)


async def test_the_operators_link_names_one_person(
    services: Services, acme: Tenant, globex: Tenant, clock: TurnableClock
) -> None:
    await rows(services, globex, "UPDATE users SET email = $1 RETURNING 1", acme.owner.email)

    with pytest.raises(OwnerChoiceRequired, match=f"{acme.owner_id}, {globex.owner_id}"):
        await services.password_resets.make_link(acme.owner.email)
    with pytest.raises(UserNotFound):
        await services.password_resets.make_link(f"{uuid4()}@example.com")
    link = await services.password_resets.make_link(acme.owner.email, owner_id=globex.owner_id)

    assert link.url == f"https://owner.example/inbox/password?token={link.token}"
    assert timedelta(minutes=59) < link.expires_at - clock.now() <= timedelta(hours=1)


async def test_wishes_are_counted_alike_for_known_and_unknown_e_mails(
    services: Services, acme: Tenant
) -> None:
    services.password_resets.rate_limits = RateLimitService(RateLimitSettings(password_reset=2))

    async def asks(email: str, subnet: str) -> list[bool]:
        taken = []
        for n in range(3):
            try:
                await services.password_resets.ask(email, Visitor(f"{subnet}.{n}"))
                taken.append(True)
            except RateLimited:
                taken.append(False)
        return taken

    known = await asks(acme.owner.email, "198.51.100")
    unknown = await asks(f"{uuid4()}@example.com", "203.0.113")

    assert known == unknown == [True, True, False]


@pytest.mark.parametrize(
    "url",
    [
        "https://mail.example.com?from=a@b.example",
        "smtp://mail.example.com",
        "smtp://mail.example.com?from=nobody",
        "smtp://?from=a@b.example",
        "smtp://mail.example.com:port?from=a@b.example",
        "smtp://mail.example.com/path?from=a@b.example",
    ],
)
def test_an_address_of_no_mail_server_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(Misconfigured, match="OWNER_SMTP_URL is no address") as refused:
        SmtpServer.parse(url)

    assert url not in str(refused.value)


def test_an_address_of_a_mail_server_is_read() -> None:
    server = SmtpServer.parse("smtps://ana%40acme:p%3Ass@mail.example.com?from=Acme%20<a@acme.example>")

    assert (server.hostname, server.port, server.username, server.password, server.is_encrypted) == (
        "mail.example.com",
        465,
        "ana@acme",
        "p:ss",
        True,
    )
    assert str(server.sender) == "Acme <a@acme.example>"
    assert SmtpServer.parse("smtp://mail.example.com?from=a@b.example").port == 25
    assert "p:ss" not in repr(server)
