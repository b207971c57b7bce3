"""Programs get keys that may no more, and live no longer, than who makes them."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from conftest import TurnableClock
from factories import Tenant
from owner.models.api_key import hash_key
from owner.models.enums import UserRole
from owner.services.catalog import Services
from reading import rows
from visiting import Visit, visiting


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Visit]:
    async with visiting(services) as visit:
        yield visit


async def make(api: Visit, key: str, **changes: Any) -> dict[str, Any]:
    body = {"name": "shop", "scopes": ["users:read"], **changes}
    status, made = await api.call("POST", "/v1/api-keys", key=key, json=body)
    assert status == 201, made
    return made  # type: ignore[no-any-return]  # JSON


async def works(api: Visit, key: str) -> bool:
    status, _ = await api.call("GET", "/v1/users", key=key)
    assert status in {200, 401}
    return status == 200


async def test_a_key_is_shown_once_and_does_what_its_scopes_say(
    services: Services, api: Visit, acme: Tenant
) -> None:
    made = await make(api, acme.api_key)
    _, page = await api.call("GET", "/v1/api-keys", key=acme.api_key)
    listed = page["items"][0]
    refused, problem = await api.call("GET", "/v1/conversations", key=made["api_key"])
    stored = await rows(services, acme, "SELECT * FROM api_keys WHERE api_key_id = $1", made["api_key_id"])

    assert made["api_key"].startswith("ok_")
    assert made["prefix"] == made["api_key"][:11]
    assert await works(api, made["api_key"])
    assert listed == {name: value for name, value in made.items() if name != "api_key"}
    assert (refused, problem["permission"]) == (403, "conversations:read")
    assert stored[0]["key_hash"] == hash_key(made["api_key"])


async def test_the_last_use_of_a_key_is_shown(api: Visit, acme: Tenant) -> None:
    made = await make(api, acme.api_key)

    await works(api, made["api_key"])
    _, page = await api.call("GET", "/v1/api-keys", key=acme.api_key)

    assert made["last_used_at"] is None
    assert page["items"][0]["last_used_at"] is not None


async def test_a_key_ends_when_it_was_said_to(api: Visit, acme: Tenant, clock: TurnableClock) -> None:
    made = await make(api, acme.api_key, expires_in_days=2)

    clock.turn(days=1, hours=23)
    before = await works(api, made["api_key"])
    clock.turn(hours=1)

    assert before
    assert not await works(api, made["api_key"])


async def test_a_revoked_key_is_refused_at_once_and_revoking_again_changes_nothing(
    services: Services, api: Visit, acme: Tenant
) -> None:
    made = await make(api, acme.api_key)
    path = f"/v1/api-keys/{made['api_key_id']}"

    answers = [await api.call("DELETE", path, key=acme.api_key) for _ in range(2)]
    events = await rows(services, acme, "SELECT * FROM events WHERE type = 'api_key.revoked'")

    assert [status for status, _ in answers] == [204, 204]
    assert not await works(api, made["api_key"])
    assert len(events) == 1


async def test_while_keys_overlap_both_work_and_then_only_the_new_one(
    api: Visit, acme: Tenant, clock: TurnableClock
) -> None:
    former = await make(api, acme.api_key, scopes=["users:read", "events:read"])

    status, renewed = await api.call("POST", f"/v1/api-keys/{former['api_key_id']}/rotate", key=acme.api_key)
    keys = [former["api_key"], renewed["api_key"]]
    at_once = [await works(api, key) for key in keys]
    clock.turn(hours=23, minutes=59)
    later = [await works(api, key) for key in keys]
    clock.turn(minutes=1)
    after = [await works(api, key) for key in keys]

    assert status == 201
    assert (renewed["name"], renewed["scopes"]) == (former["name"], former["scopes"])
    assert renewed["expires_at"] is None
    assert (at_once, later, after) == ([True, True], [True, True], [False, True])


async def test_without_an_overlap_the_former_key_ends_at_once(api: Visit, acme: Tenant) -> None:
    former = await make(api, acme.api_key)
    path = f"/v1/api-keys/{former['api_key_id']}/rotate"

    _, renewed = await api.call("POST", path, key=acme.api_key, json={"overlap_minutes": 0})
    again, problem = await api.call("POST", path, key=acme.api_key)

    assert not await works(api, former["api_key"])
    assert await works(api, renewed["api_key"])
    assert (again, problem["code"]) == (409, "api_key_ended")


async def test_a_rotated_key_lives_as_long_as_the_former_one_did(
    api: Visit, acme: Tenant, clock: TurnableClock
) -> None:
    former = await make(api, acme.api_key, expires_in_days=10)
    clock.turn(days=9)

    _, renewed = await api.call("POST", f"/v1/api-keys/{former['api_key_id']}/rotate", key=acme.api_key)
    clock.turn(days=9)

    assert await works(api, renewed["api_key"])
    clock.turn(days=2)
    assert not await works(api, renewed["api_key"])


async def test_a_key_rotates_itself_but_does_not_prolong_its_life(
    api: Visit, acme: Tenant, clock: TurnableClock
) -> None:
    scopes = ["api_keys:write", "users:read"]
    forever = await make(api, acme.api_key, scopes=scopes)
    short = await make(api, acme.api_key, scopes=scopes, expires_in_days=3)

    renewed = [
        (await api.call("POST", f"/v1/api-keys/{key['api_key_id']}/rotate", key=key["api_key"]))[1]
        for key in (forever, short)
    ]
    child = await make(api, short["api_key"], expires_in_days=365)
    clock.turn(days=2)
    meanwhile = [await works(api, key["api_key"]) for key in renewed]
    clock.turn(days=1)

    assert meanwhile == [True, True]
    assert [await works(api, key["api_key"]) for key in (*renewed, child)] == [True, False, False]


async def test_nobody_gives_a_scope_that_they_do_not_have(api: Visit, acme: Tenant) -> None:
    key = (await make(api, acme.api_key, scopes=["api_keys:write", "users:read"]))["api_key"]
    strong = await make(api, acme.api_key, scopes=["messages:send"])

    answers = [
        await api.call("POST", "/v1/api-keys", key=key, json={"name": "x", "scopes": scopes})
        for scopes in (["*"], ["messages:send"], ["users:read", "users:write"])
    ]
    answers.append(await api.call("POST", f"/v1/api-keys/{strong['api_key_id']}/rotate", key=key))
    allowed = await make(api, key, scopes=["users:read"])

    assert [(status, problem["code"]) for status, problem in answers] == [(403, "permission_missing")] * 4
    assert allowed["scopes"] == ["users:read"]


@pytest.mark.parametrize("role", [UserRole.SUPPORT, UserRole.AGENT, UserRole.VIEWER])
async def test_keys_are_the_administrators_business(api: Visit, acme: Tenant, role: UserRole) -> None:
    _, token = await api.person(acme, f"{uuid4()}@example.com", role)

    answers = [
        await api.call("GET", "/v1/api-keys", key=token),
        await api.call("POST", "/v1/api-keys", key=token, json={"name": "x", "scopes": ["users:read"]}),
    ]

    assert [(status, problem["permission"]) for status, problem in answers] == [(403, "api_keys:write")] * 2


async def test_another_companys_key_looks_like_one_that_is_not_there(
    api: Visit, acme: Tenant, globex: Tenant
) -> None:
    made = await make(api, acme.api_key)
    path = f"/v1/api-keys/{made['api_key_id']}"

    answers = [
        await api.call("DELETE", path, key=globex.api_key),
        await api.call("POST", f"{path}/rotate", key=globex.api_key),
    ]

    assert [(status, problem["code"]) for status, problem in answers] == [(404, "api_key_not_found")] * 2
    assert await works(api, made["api_key"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["everything"]}, "scopes"),
        ({"name": "x", "scopes": ["self"]}, "scopes"),
        ({"name": "x", "scopes": ["owners:write"]}, "scopes"),
        ({"name": "  ", "scopes": ["users:read"]}, "name"),
        ({"name": "x", "scopes": ["users:read"], "expires_in_days": 0}, "expires_in_days"),
        ({"name": "x", "scopes": ["users:read"], "owner_id": 1}, "owner_id"),
    ],
)
async def test_a_key_that_can_not_be_meant_is_refused(
    api: Visit, acme: Tenant, body: dict[str, Any], field: str
) -> None:
    status, problem = await api.call("POST", "/v1/api-keys", key=acme.api_key, json=body)

    assert (status, problem["field"]) == (422, field)
