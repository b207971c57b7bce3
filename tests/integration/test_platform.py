"""The operator's keys create and suspend owners, and can do nothing else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from conftest import TurnableClock
from factories import Tenant, make_inbound, some_number
from owner.db.database import PLATFORM_ID
from owner.models.errors import NotFound
from owner.models.owner import OwnerCreate
from owner.models.secret_token import hash_token
from owner.services.catalog import Services
from reading import conversations_of, rows
from visiting import PASSWORD, Visit, visiting


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Visit]:
    async with visiting(services) as visit:
        yield visit


@pytest.fixture
async def key(services: Services) -> str:
    return (await services.platform_keys.create("billing")).platform_key


def some_owner(**changes: Any) -> dict[str, Any]:
    return {"name": "Acme", "email": f"{uuid4()}@example.com", "password": PASSWORD, **changes}


async def create(api: Visit, key: str, body: dict[str, Any], **headers: str) -> tuple[int, Any]:
    return await api.call("POST", "/v1/owners", key=key, json=body, headers=headers)


async def test_an_owner_is_made_with_a_first_person_and_a_key(
    services: Services, api: Visit, key: str
) -> None:
    body = some_owner()

    status, made = await create(api, key, body)
    session = await api.sign_in(body["email"])
    by_key, _ = await api.call("GET", "/v1/users", key=made["api_key"])
    _, me = await api.call("GET", "/v1/users/me", key=session)
    async with services.database.owner(made["owner_id"]) as connection:
        actors = await connection.fetch("SELECT actor_kind FROM events WHERE type = 'owner.created'")

    assert key.startswith("op_")
    assert (status, by_key) == (201, 200)
    assert (me["user_id"], me["role"]) == (made["user_id"], "ADMIN")
    assert [actor["actor_kind"] for actor in actors] == ["PLATFORM"]


async def test_an_e_mail_makes_one_owner(api: Visit, key: str) -> None:
    body = some_owner()
    await create(api, key, body)

    again, problem = await create(api, key, {**body, "email": body["email"].upper()})

    assert (again, problem["code"], problem["field"]) == (409, "already_exists", "email")


async def test_a_repeated_request_makes_one_owner_and_gets_the_same_answer(
    services: Services, api: Visit, key: str
) -> None:
    body, once = some_owner(), {"Idempotency-Key": str(uuid4())}

    answers = await asyncio.gather(*(create(api, key, body, **once) for _ in range(3)))
    other, problem = await create(api, key, some_owner(), **once)

    assert answers[0][0] == 201
    assert answers[0] == answers[1] == answers[2]
    assert (other, problem["code"]) == (422, "idempotency_key_reused")
    async with services.database.system() as connection:
        kept = await connection.fetch("SELECT body FROM platform_answer_list()")
    assert all(answers[0][1]["api_key"].encode() not in row["body"] for row in kept)


async def test_a_refused_request_keeps_nothing_and_makes_nothing(
    services: Services, api: Visit, key: str
) -> None:
    taken, once = some_owner(), {"Idempotency-Key": str(uuid4())}
    await create(api, key, taken)

    refused, _ = await create(api, key, taken, **once)
    made, _ = await create(api, key, some_owner(), **once)

    assert (refused, made) == (409, 201)


async def test_what_fails_later_in_a_platforms_request_makes_no_owner(services: Services) -> None:
    wanted = OwnerCreate(**some_owner())

    async def make_and_fail() -> None:
        async with services.database.request(PLATFORM_ID):
            await services.tenants.create(wanted)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await make_and_fail()

    made = await services.tenants.create(wanted)  # the e-mail is still free
    assert (await services.tenants.get(made.owner_id)).email == wanted.email


async def test_a_platforms_request_sees_a_tenant_only_while_it_works_for_it(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    async def seen(connection: Any) -> list[int]:
        return [row["owner_id"] for row in await connection.fetch("SELECT owner_id FROM owners")]

    async with services.database.request(PLATFORM_ID) as request:
        async with services.database.owner(acme.owner_id) as connection:
            async with services.database.owner(globex.owner_id) as inner:
                within = await seen(inner)
            around = await seen(connection)
        with pytest.raises(ZeroDivisionError):
            async with services.database.owner(acme.owner_id):
                raise ZeroDivisionError
        after = await seen(request)

    assert (within, around, after) == ([globex.owner_id], [acme.owner_id], [])


async def test_owners_are_listed_page_by_page_newest_first(api: Visit, key: str) -> None:
    made = [(await create(api, key, some_owner()))[1]["owner_id"] for _ in range(3)]

    _, first = await api.call("GET", "/v1/owners?limit=2", key=key)
    _, rest = await api.call("GET", f"/v1/owners?limit=1&cursor={first['next_cursor']}", key=key)
    changed, problem = await api.call("GET", f"/v1/owners?cursor=x{first['next_cursor']}", key=key)

    listed = [owner["owner_id"] for owner in (*first["items"], *rest["items"])]
    assert listed == made[::-1]
    assert first["items"][0]["suspended_at"] is None
    assert (changed, problem["code"]) == (400, "invalid_cursor")


async def test_a_suspended_owners_people_and_programs_are_out_and_its_customers_are_heard(
    services: Services, api: Visit, key: str, acme: Tenant
) -> None:
    session = await api.sign_in(acme.owner.email)
    path = f"/v1/owners/{acme.owner_id}"

    status, suspended = await api.call("POST", f"{path}/suspend", key=key)
    again, same = await api.call("POST", f"{path}/suspend", key=key)
    refused = [(await api.call("GET", "/v1/users", key=token))[0] for token in (acme.api_key, session)]
    sign_in, _ = await api.call(
        "POST", "/v1/sessions", key=None, json={"email": acme.owner.email, "password": PASSWORD}
    )
    access = await services.twilio.find_by_webhook_key(acme.account.webhook_key, fresh=True)
    await services.inbound.receive(
        make_inbound(acme, customer=some_number()),
        owner=access[0].owner,
        twilio_account_id=acme.account.twilio_account_id,
    )
    resumed, _ = await api.call("POST", f"{path}/resume", key=key)
    let_in = [(await api.call("GET", "/v1/users", key=token))[0] for token in (acme.api_key, session)]
    events = await rows(services, acme, "SELECT type FROM events WHERE type LIKE 'owner.%' ORDER BY event_id")

    assert (status, again, resumed) == (200, 200, 200)
    assert suspended["suspended_at"] == same["suspended_at"] is not None
    assert (refused, sign_in, let_in) == ([401, 401], 401, [200, 200])
    assert len(await conversations_of(services, acme)) == 1
    assert [event["type"] for event in events] == ["owner.created", "owner.suspended", "owner.resumed"]


async def test_one_company_is_shown_to_the_operator_and_to_its_own_people_only(
    api: Visit, key: str, acme: Tenant, globex: Tenant
) -> None:
    path = f"/v1/owners/{acme.owner_id}"

    answers = [await api.call("GET", path, key=caller) for caller in (key, acme.api_key, globex.api_key)]
    missing, _ = await api.call("GET", f"/v1/owners/{2**62}", key=key)
    unsuspended, _ = await api.call("POST", f"/v1/owners/{2**62}/suspend", key=key)

    assert [status for status, _ in answers] == [200, 200, 404]
    assert answers[0][1] == answers[1][1]
    assert (missing, unsuspended) == (404, 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/owners"),
        ("POST", "/v1/owners"),
        ("POST", "/v1/owners/{}/suspend"),
        ("POST", "/v1/owners/{}/resume"),
    ],
)
async def test_owners_are_the_operators_business(api: Visit, acme: Tenant, method: str, path: str) -> None:
    session = await api.sign_in(acme.owner.email)
    body = some_owner() if path == "/v1/owners" and method == "POST" else None

    for token in (acme.api_key, session):
        status, problem = await api.call(method, path.format(acme.owner_id), key=token, json=body)
        assert (status, problem["permission"]) == (403, "owners:write")


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("GET", "/v1/conversations", "conversations:read"),
        ("GET", "/v1/users", "users:read"),
        ("GET", "/v1/users/me", "self"),
        ("GET", "/v1/api-keys", "api_keys:write"),
        ("PATCH", "/v1/owners/1", "settings:write"),
    ],
)
async def test_the_operators_key_reads_and_changes_nothing_of_an_owner(
    api: Visit, key: str, method: str, path: str, permission: str
) -> None:
    body = {"name": "Eve"} if method == "PATCH" else None

    status, problem = await api.call(method, path, key=key, json=body)

    assert (status, problem["permission"]) == (403, permission)


async def test_a_revoked_key_is_refused_and_only_a_hash_of_it_was_stored(
    services: Services, api: Visit, clock: TurnableClock
) -> None:
    made = await services.platform_keys.create("billing")
    before, _ = await api.call("GET", "/v1/owners?limit=1", key=made.platform_key)
    [listed] = [
        one for one in await services.platform_keys.list_all() if one.platform_key_id == made.platform_key_id
    ]

    for _ in range(2):
        await services.platform_keys.revoke(made.platform_key_id)
    after, _ = await api.call("GET", "/v1/owners", key=made.platform_key)
    with pytest.raises(NotFound):
        await services.platform_keys.revoke(2**61)

    assert (before, after) == (200, 401)
    assert listed.prefix == made.platform_key[:11]
    assert listed.last_used_at is not None
    assert hash_token(made.platform_key) != made.platform_key.encode()
