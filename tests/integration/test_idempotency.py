"""A request that comes twice with one Idempotency-Key is answered twice and carried out once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from calling import Answer, Api, calling
from conftest import TurnableClock
from factories import Tenant, some_number
from owner.models.errors import DatabaseUnavailable
from owner.services.catalog import Services
from owner.services.idempotency import Answer as KeptAnswer
from owner.services.idempotency import RequestIdentity
from reading import rows

PATH = "/v1/conversations"


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as api:
        yield api


def opening(**changes: Any) -> dict[str, Any]:
    return {"channel": "SMS", "customer_address": some_number(), **changes}


async def post(api: Api, body: Any, idempotency_key: str, **options: Any) -> Answer:
    return await api.call("POST", PATH, body, headers={"Idempotency-Key": idempotency_key}, **options)


async def count(services: Services, tenant: Tenant, table: str) -> int:
    [row] = await rows(services, tenant, f"SELECT count(*) AS amount FROM {table}")
    amount: int = row["amount"]
    return amount


async def test_the_same_key_and_body_get_the_same_answer(api: Api) -> None:
    body = opening()

    first = await post(api, body, "order-1")
    again = await post(api, body, "order-1")

    assert (first.status, again.status) == (201, 201)  # without the key the second would be 200
    assert first.raw == again.raw
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Content-Type"] == again.headers["Content-Type"]


async def test_white_space_and_the_order_of_names_make_no_other_body(api: Api) -> None:
    body = opening()

    first = await post(api, body, "order-2")
    again = await post(api, dict(reversed(body.items())), "order-2")

    assert first.raw == again.raw


async def test_another_body_with_the_same_key_is_refused(services: Services, api: Api, acme: Tenant) -> None:
    await post(api, opening(), "order-3")

    other = await post(api, opening(), "order-3")

    assert (other.status, other.code, other.body["field"]) == (
        422,
        "idempotency_key_reused",
        "Idempotency-Key",
    )
    assert await count(services, acme, "conversations") == 1


async def test_another_path_with_the_same_key_is_refused(api: Api) -> None:
    made = await post(api, opening(), "order-4")

    path = f"{PATH}/{made.body['conv_id']}/messages"
    other = await api.call("POST", path, {"content": "Oi"}, headers={"Idempotency-Key": "order-4"})

    assert (other.status, other.code) == (422, "idempotency_key_reused")


async def test_twenty_at_once_make_one_thing_and_get_one_answer(
    services: Services, api: Api, acme: Tenant
) -> None:
    conversation = await post(api, opening(), "order-5")
    path, body = f"{PATH}/{conversation.body['conv_id']}/messages", {"content": "Olá!"}

    answers = await asyncio.gather(
        *(api.call("POST", path, body, headers={"Idempotency-Key": "hello"}) for _ in range(20))
    )

    assert {answer.status for answer in answers} == {202}
    assert len({answer.raw for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert await count(services, acme, "messages") == 1


async def test_an_error_is_not_kept(api: Api) -> None:
    refused = await post(api, opening(customer_address="ana"), "order-6")
    invalid = await post(api, opening(colour="red"), "order-6")

    made = await post(api, opening(), "order-6")

    assert (refused.status, invalid.status, made.status) == (422, 422, 201)


async def test_after_a_day_the_key_is_free_again(api: Api, clock: TurnableClock) -> None:
    body = opening()
    await post(api, body, "order-7")
    clock.turn(hours=23, minutes=59)
    kept = await post(api, body, "order-7")

    clock.turn(minutes=2)
    other = await post(api, opening(), "order-7")

    assert kept.headers["Idempotent-Replayed"] == "true"
    assert other.status == 201
    assert "Idempotent-Replayed" not in other.headers


async def test_what_breaks_in_between_leaves_neither_the_change_nor_the_answer(
    services: Services, acme: Tenant
) -> None:
    identity = RequestIdentity.of(key="order-8", method="POST", path=PATH, query="", body=b"{}")

    async def change() -> KeptAnswer:
        await rows(services, acme, "UPDATE owners SET name = 'changed' RETURNING owner_id")
        return KeptAnswer(200, b"{}", "application/json")

    async def change_and_break() -> KeptAnswer:
        await change()
        raise DatabaseUnavailable

    with pytest.raises(DatabaseUnavailable):
        await services.idempotency.run(acme.owner_id, identity, change_and_break)
    [broken] = await rows(services, acme, "SELECT name FROM owners")
    kept = await count(services, acme, "idempotency_keys")
    answer = await services.idempotency.run(acme.owner_id, identity, change)

    assert (broken["name"], kept) == ("acme", 0)
    assert not answer.is_replayed
    assert await rows(services, acme, "SELECT name FROM owners") == [{"name": "changed"}]


async def test_a_request_that_is_given_up_leaves_the_key_free(services: Services, acme: Tenant) -> None:
    identity = RequestIdentity.of(key="order-9", method="POST", path=PATH, query="", body=b"{}")
    began = asyncio.Event()

    async def change_and_wait() -> KeptAnswer:
        await rows(services, acme, "UPDATE owners SET name = 'changed' RETURNING owner_id")
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(services.idempotency.run(acme.owner_id, identity, change_and_wait))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await rows(services, acme, "SELECT name FROM owners") == [{"name": "acme"}]
    assert await count(services, acme, "idempotency_keys") == 0


async def test_the_keys_of_two_owners_do_not_meet(api: Api, globex: Tenant) -> None:
    ours = await post(api, opening(), "order-10")
    theirs = await post(api, opening(), "order-10", key=globex.api_key)

    assert (ours.status, theirs.status) == (201, 201)
    assert "Idempotent-Replayed" not in theirs.headers


@pytest.mark.parametrize("idempotency_key", ["", "a" * 256, "two words", "ação"])
async def test_a_key_that_is_none_is_refused(api: Api, idempotency_key: str) -> None:
    answer = await post(api, opening(), idempotency_key)

    assert (answer.status, answer.code, answer.body["field"]) == (422, "invalid_input", "Idempotency-Key")


async def test_old_answers_are_forgotten_and_young_ones_are_kept(
    services: Services, api: Api, acme: Tenant, globex: Tenant, clock: TurnableClock
) -> None:
    clock.turn(hours=-25)
    await post(api, opening(), "old")
    await post(api, opening(), "old", key=globex.api_key)
    clock.turn(hours=2)
    await post(api, opening(), "young")
    clock.turn(hours=23)

    await services.housekeeping.tidy()

    assert await rows(services, acme, "SELECT key FROM idempotency_keys") == [{"key": "young"}]
    assert await count(services, globex, "idempotency_keys") == 0


async def test_a_key_of_one_caller_tells_another_nothing(api: Api) -> None:
    body = {"name": "shop", "scopes": ["api_keys:write"]}
    headers = {"Idempotency-Key": "order-20"}
    made = await api.call("POST", "/v1/api-keys", body, headers=headers)

    again = await api.call("POST", "/v1/api-keys", body, headers=headers)
    other = await api.call("POST", "/v1/api-keys", body, headers=headers, key=made.body["api_key"])

    assert again.body == made.body
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert made.body["api_key"] not in other.raw.decode()
