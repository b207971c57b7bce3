"""Processes end as they are told to and others take their place, under load: no request fails, no job waits."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest

from e2e.stage import HOST, PATIENCE, Program, Stage, eventually, until
from factories import Tenant, some_number

CUSTOMERS = 4


@pytest.fixture(scope="module")
def listener(stage: Stage) -> Iterator[socket.socket]:
    """A socket as systemd keeps it: it is there whoever serves it, if anybody does."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind((HOST, int(stage.url.rpartition(":")[2])))
        kept.listen(2048)
        yield kept


@asynccontextmanager
async def customers_write(stage: Stage, tenant: Tenant) -> AsyncIterator[list[dict[str, Any]]]:
    """Customers who write all the time, and what their provider heard of each message."""
    heard: list[dict[str, Any]] = []
    is_over = asyncio.Event()

    async def write(customer: str) -> None:
        while not is_over.is_set():
            heard.append(dict(await stage.simulator.write(customer, tenant.sms, "Oi")))

    async with asyncio.TaskGroup() as group:
        for _ in range(CUSTOMERS):
            group.create_task(write(some_number()))
        try:
            yield heard
        finally:
            is_over.set()


async def more(heard: list[dict[str, Any]], count: int = 40) -> None:
    goal = len(heard) + count
    await until(lambda: len(heard) >= goal, "messages come in")


@pytest.mark.timeout(400)
async def test_servers_that_take_each_others_place_on_one_socket_fail_no_request(
    stage: Stage, listener: socket.socket
) -> None:
    acme = await stage.tenant("acme")
    old = stage.start("serve", "--workers", "2", listener=listener)
    await old.says("Owner listens")

    async with customers_write(stage, acme) as heard:
        await more(heard)
        new = await _another(stage, acme, listener, limit=1_201)
        assert await old.end() == 0
        await more(heard)
        newest = await _another(stage, acme, listener, "--workers", "2", limit=1_202)
        assert await new.end() == 0
        await more(heard)

    assert await newest.end() == 0
    failed = [one for one in heard if one["status_code"] != HTTPStatus.OK or one["attempts"] != 1]
    [stored] = await stage.rows(acme, "SELECT count(*) FROM messages WHERE direction = 'INBOUND'")
    assert failed == []
    assert stored["count"] == len(heard)


async def test_a_server_that_was_told_to_end_says_so_first_and_serves_on_until_it_does(
    stage: Stage, listener: socket.socket
) -> None:
    server = stage.start("serve", listener=listener, OWNER_DRAIN_SECONDS="4")
    await server.says("Owner listens")
    await eventually(lambda: _health(stage), "it answers")

    server.process.send_signal(signal.SIGTERM)

    async def is_stopping() -> aiohttp.ClientResponse | None:
        answer = await _health(stage)
        return answer if answer is not None and answer.status == HTTPStatus.SERVICE_UNAVAILABLE else None

    answer = await eventually(is_stopping, "a load balancer sees it")
    async with stage.session.get(f"{stage.url}/health/live") as alive:
        assert alive.status == HTTPStatus.OK
    assert (await answer.json())["status"] == "stopping"
    assert answer.headers["Connection"] == "close"
    assert await server.exit_code() == 0


async def test_a_worker_that_ends_finishes_what_it_has_in_hand_and_leaves_the_rest_to_another(
    stage: Stage, listener: socket.socket
) -> None:
    acme = await stage.tenant("acme")
    server = stage.start("serve", listener=listener)
    await eventually(lambda: _health(stage), "it answers")
    ana, bruno = some_number(), some_number()
    worker = await stage.work()
    to_ana, to_bruno = await stage.write(acme, ana), await stage.write(acme, bruno)
    await stage.simulator.fault(kind="latency", to=ana, delay=3.0)

    in_hand = await stage.send(acme, to_ana, "Já vai")
    await _is_in_hand(stage, acme, in_hand)
    worker.process.send_signal(signal.SIGTERM)
    another = await stage.work()
    afterwards = await stage.send(acme, to_bruno, "Do outro")

    assert await worker.exit_code() == 0
    assert (await stage.message(acme, in_hand))["provider_sid"] is not None
    await stage.reaches(acme, afterwards, "DELIVERED")
    assert (await stage.phone(ana), await stage.phone(bruno)) == (["Já vai"], ["Do outro"])
    assert await another.end() == 0
    assert await server.end() == 0


async def _another(
    stage: Stage, tenant: Tenant, listener: socket.socket, *options: str, limit: int
) -> Program:
    """A server beside the one that serves, once it serves as well; its answers are known by their limit."""
    server = stage.start("serve", *options, listener=listener, OWNER_RATE_LIMIT_KEY_PER_MINUTE=str(limit))
    headers = {"Authorization": f"Bearer {tenant.api_key}", "Connection": "close"}

    async def serves() -> bool:
        async with stage.session.get(f"{stage.url}/v1/conversations", headers=headers) as answer:
            return answer.headers["RateLimit-Limit"] == str(limit)

    await eventually(serves, "it serves", within=2 * PATIENCE)
    return server


async def _health(stage: Stage) -> aiohttp.ClientResponse | None:
    async with stage.session.get(f"{stage.url}/health") as answer:
        await answer.read()
        return answer


async def _is_in_hand(stage: Stage, tenant: Tenant, msg_id: int) -> None:
    async def look() -> bool:
        return bool((await stage.message(tenant, msg_id))["attempts"] == 1)

    await eventually(look, "the provider has it")
