"""Refused webhooks over REST: an owner sees those of its own accounts, the platform all."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from calling import Api, calling
from databases import url_of
from factories import Tenant, some_number, some_sid
from owner.db.embedded import EmbeddedServer
from owner.models.enums import ActorKind
from owner.models.errors import NotFound
from owner.models.event import Actor
from owner.models.quarantine import QuarantineReason
from owner.models.twilio_account import TwilioAccountCreate
from owner.services.catalog import Services
from owner.services.quarantine import PLATFORM
from reading import conversations_of, rows

PATH = "/v1/quarantine"
OPERATOR = Actor(ActorKind.API_KEY, 1)


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as api:
        yield api


async def set_aside(
    services: Services,
    tenant: Tenant | None,
    *,
    to: str | None = None,
    account_sid: str | None = None,
    reason: QuarantineReason = QuarantineReason.UNKNOWN_NUMBER,
) -> int:
    """A webhook that came for an owner's account, or for nobody's; its id."""
    pairs = [
        ("MessageSid", some_sid()),
        ("AccountSid", account_sid or (tenant.account.account_sid if tenant else some_sid("AC"))),
        ("From", some_number()),
        ("To", to or (tenant.sms if tenant else some_number())),
        ("Body", "Bom dia"),
        ("NumMedia", "0"),
    ]
    await services.quarantine.set_aside(
        pairs,
        reason=reason,
        path="/webhooks/twilio/inbound",
        signature="c2ln",
        owner_id=tenant.owner_id if tenant else None,
    )
    [latest] = await services.quarantine.list_latest(limit=1)
    return latest.quarantine_id


async def test_an_owner_sees_its_own_page_by_page(
    services: Services, api: Api, acme: Tenant, globex: Tenant
) -> None:
    ours = [await set_aside(services, acme) for _ in range(3)]
    await set_aside(services, globex)
    await set_aside(services, None)

    first = await api.call("GET", PATH, limit=2)
    second = await api.call("GET", PATH, limit=2, cursor=first.body["next_cursor"])

    items = [*first.body["items"], *second.body["items"]]
    assert [item["quarantine_id"] for item in items] == ours[::-1]
    assert second.body["next_cursor"] is None
    assert items[0].keys() == {"quarantine_id", "owner_id", "reason", "path", "created_at"}
    assert (items[0]["owner_id"], items[0]["reason"]) == (acme.owner_id, "UNKNOWN_NUMBER")


async def test_one_is_shown_with_what_it_said(services: Services, api: Api, acme: Tenant) -> None:
    quarantine_id = await set_aside(services, acme)

    shown = await api.call("GET", f"{PATH}/{quarantine_id}")

    assert shown.status == 200
    assert ["Body", "Bom dia"] in shown.body["params"]
    assert "signature" not in shown.body


async def test_one_is_taken_in_and_leaves(services: Services, api: Api, acme: Tenant) -> None:
    quarantine_id = await set_aside(services, acme)

    taken = await api.call("POST", f"{PATH}/{quarantine_id}/replay")
    twice = await api.call("POST", f"{PATH}/{quarantine_id}/replay")

    [conversation] = await conversations_of(services, acme)
    assert (taken.status, taken.body["conv_id"], taken.body["is_duplicate"]) == (
        200,
        conversation.conv_id,
        False,
    )
    assert twice.status == 404
    assert await quarantine_events(services, acme) == ["quarantine.replayed"]


async def quarantine_events(services: Services, tenant: Tenant) -> list[str]:
    found = await rows(services, tenant, "SELECT type FROM events WHERE type LIKE 'quarantine.%'")
    return [row["type"] for row in found]


@pytest.mark.parametrize(
    "reason", [reason for reason in QuarantineReason if reason is not QuarantineReason.UNKNOWN_NUMBER]
)
async def test_one_that_was_not_signed_well_wants_somebody_who_vouches(
    services: Services, api: Api, acme: Tenant, reason: QuarantineReason
) -> None:
    quarantine_id = await set_aside(services, acme, reason=reason)
    path = f"{PATH}/{quarantine_id}/replay"

    refused = await api.call("POST", path, {})
    taken = await api.call("POST", path, {"trust": True})

    assert (refused.status, refused.code) == (409, "conflict")
    assert taken.status == 200


async def test_one_for_a_number_that_nobody_has_waits(services: Services, api: Api, acme: Tenant) -> None:
    number = some_number("+5511")
    quarantine_id = await set_aside(services, acme, to=number)

    early = await api.call("POST", f"{PATH}/{quarantine_id}/replay")
    path = f"/v1/twilio-accounts/{acme.account.twilio_account_id}"
    await api.call("PATCH", path, {"add_phone_numbers": [number]})
    taken = await api.call("POST", f"{PATH}/{quarantine_id}/replay")

    assert (early.status, taken.status) == (409, 200)


async def test_one_is_thrown_away(services: Services, api: Api, acme: Tenant) -> None:
    quarantine_id = await set_aside(services, acme)

    gone = await api.call("DELETE", f"{PATH}/{quarantine_id}")
    twice = await api.call("DELETE", f"{PATH}/{quarantine_id}")

    assert (gone.status, twice.status) == (204, 404)
    assert await quarantine_events(services, acme) == ["quarantine.discarded"]


@pytest.mark.parametrize(
    ("method", "verb", "body"),
    [("GET", "", None), ("POST", "/replay", {"trust": True}), ("DELETE", "", None)],
)
async def test_anothers_and_nobodys_look_like_one_that_is_not_there(
    services: Services, api: Api, globex: Tenant, *, method: str, verb: str, body: Any
) -> None:
    theirs, nobodys = await set_aside(services, globex), await set_aside(services, None)

    answers = [await api.call(method, f"{PATH}/{number}{verb}", body) for number in (theirs, nobodys, 2**62)]

    assert {(answer.status, answer.code) for answer in answers} == {(404, "not_found")}
    assert (await services.quarantine.get(PLATFORM, theirs)).owner_id == globex.owner_id
    assert (await services.quarantine.get(PLATFORM, nobodys)).owner_id is None


async def test_whoever_vouches_for_a_forged_webhook_reaches_nobody_else(
    services: Services, api: Api, acme: Tenant, globex: Tenant
) -> None:
    forged = await set_aside(
        services,
        acme,
        to=globex.sms,
        account_sid=globex.account.account_sid,
        reason=QuarantineReason.BAD_SIGNATURE,
    )

    answer = await api.call("POST", f"{PATH}/{forged}/replay", {"trust": True})

    assert (answer.status, answer.code) == (409, "conflict")
    assert await conversations_of(services, globex) == []


async def test_two_owners_of_one_twilio_account_each_take_in_what_is_theirs(
    services: Services, api: Api, acme: Tenant, globex: Tenant
) -> None:
    shared = TwilioAccountCreate(
        account_sid=acme.account.account_sid, auth_token="x", phone_numbers=[some_number("+5511")]
    )
    await services.twilio.connect(globex.owner_id, shared)
    [theirs] = shared.phone_numbers
    for_them = await set_aside(services, acme, to=theirs)

    answer = await api.call("POST", f"{PATH}/{for_them}/replay")

    assert answer.status == 409
    assert await conversations_of(services, globex) == []


async def test_the_platform_sees_all_and_takes_in_for_whoever_has_the_number(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    ours, theirs, nobodys = [await set_aside(services, tenant) for tenant in (acme, globex, None)]

    page = await services.quarantine.list_page(PLATFORM, limit=3)
    await services.quarantine.replay(theirs, by=OPERATOR)
    await services.quarantine.discard(PLATFORM, ours, by=OPERATOR)
    await services.quarantine.discard(PLATFORM, nobodys, by=OPERATOR)

    assert [item.quarantine_id for item in page.items] == [nobodys, theirs, ours]
    assert len(await conversations_of(services, globex)) == 1
    assert await quarantine_events(services, globex) == ["quarantine.replayed"]
    assert await quarantine_events(services, acme) == ["quarantine.discarded"]
    for quarantine_id in (ours, theirs, nobodys):
        with pytest.raises(NotFound):
            await services.quarantine.get(PLATFORM, quarantine_id)


async def test_what_is_no_message_is_refused(services: Services, api: Api, acme: Tenant) -> None:
    await services.quarantine.set_aside(
        [("AccountSid", acme.account.account_sid)],
        reason=QuarantineReason.BAD_SIGNATURE,
        path="/webhooks/twilio/inbound",
        signature=None,
        owner_id=acme.owner_id,
    )
    [latest] = await services.quarantine.list_latest(limit=1)

    answer = await api.call("POST", f"{PATH}/{latest.quarantine_id}/replay", {"trust": True})

    assert (answer.status, answer.code) == (422, "invalid_input")


@pytest.mark.parametrize(
    "function",
    [
        "quarantine_list({before}, 100)",
        "quarantine_get({id})",
        "quarantine_list_own({before}, 100)",
        "quarantine_get_own({id})",
    ],
)
async def test_within_an_owners_transaction_no_function_shows_anothers(
    services: Services, acme: Tenant, globex: Tenant, function: str
) -> None:
    theirs = await set_aside(services, globex)
    call = function.format(before=theirs + 1, id=theirs)

    async with services.database.owner(acme.owner_id) as connection:
        found = await connection.fetch(f"SELECT * FROM {call}")
        removed = [
            await connection.fetchval(f"SELECT quarantine_remove{suffix}($1)", theirs)
            for suffix in ("", "_own")
        ]

    assert found == []
    assert removed == [False, False]


async def test_without_an_owner_the_owners_functions_show_nothing(services: Services, acme: Tenant) -> None:
    ours = await set_aside(services, acme)

    async with services.database.system() as connection:
        listed = await connection.fetch("SELECT * FROM quarantine_list_own(NULL, 100)")
        got = await connection.fetch("SELECT * FROM quarantine_get_own($1)", ours)
        removed = await connection.fetchval("SELECT quarantine_remove_own($1)", ours)

    assert (listed, got, removed) == ([], [], False)


async def test_an_owners_list_reads_an_index(
    services: Services, server: EmbeddedServer, database_name: str
) -> None:
    connection = await asyncpg.connect(url_of(server, database_name, "postgres"))
    await connection.execute("SET enable_seqscan = off")
    plan = await connection.fetch(
        "EXPLAIN SELECT * FROM inbound_quarantine WHERE owner_id = 1 AND quarantine_id < 9"
        " ORDER BY quarantine_id DESC LIMIT 5"
    )
    await connection.close()

    text = "\n".join(row[0] for row in plan)
    assert "Index Cond: ((owner_id = 1)" in text
    assert "Seq Scan" not in text
    assert "Sort  (" not in text
