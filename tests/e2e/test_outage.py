"""The database says nothing for a while: everybody is told so soon, and everything goes on without a restart."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import aiohttp
import psutil
import pytest

from chaos.proxy import Proxy
from e2e.stage import Program, Stage, eventually, until
from factories import Tenant, some_number


@pytest.fixture(scope="module")
async def proxy(stage: Stage) -> AsyncIterator[Proxy]:
    """Between the product and its Postgres."""
    parts = urlsplit(stage.env["OWNER_DATABASE_URL"])
    socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
    between = Proxy(lambda: [socket], random.Random(0))
    async with between.listening():
        url = f"postgresql://{parts.username}@127.0.0.1:{between.port}{parts.path}?sslmode=disable"
        stage.env["OWNER_DATABASE_URL"] = url
        yield between


@pytest.mark.timeout(300)
async def test_a_database_that_falls_silent_is_told_to_all_and_waited_for(stage: Stage, proxy: Proxy) -> None:
    server = await stage.serve("--workers", "2")
    worker = await stage.work()
    acme, ana = await stage.tenant("acme"), some_number()
    conv_id = await stage.write(acme, ana)
    waiting = await stage.send(acme, conv_id, "Antes")
    await stage.reaches(acme, waiting, "DELIVERED")

    proxy.mood.swallows = True
    lost = await stage.simulator.write(ana, acme.sms, "Alguém aí?")
    refused, problem = await stage.ask(acme, "GET", "/v1/conversations")
    await eventually(lambda: _health_is(stage, HTTPStatus.SERVICE_UNAVAILABLE), "it says that it is away")
    # Nor does a process that takes another's place meanwhile end them all.
    victim = _servers(server)[0]
    os.kill(victim.pid, signal.SIGKILL)
    await until(lambda: victim.pid not in {one.pid for one in _servers(server)}, "it was replaced")
    await asyncio.gather(*(_asked(stage, acme) for _ in range(100)))
    proxy.mood.swallows = False

    await eventually(lambda: _health_is(stage, HTTPStatus.OK), "it is back")
    again = await stage.write(acme, ana, "Alguém aí?")
    answer = await stage.send(acme, again, "Depois")
    await stage.reaches(acme, answer, "DELIVERED")

    assert (lost["status_code"], refused, problem["code"]) == (503, 503, "database_unavailable")
    assert again == conv_id
    assert await stage.phone(ana) == ["Antes", "Depois"]
    for program in (server, worker):
        assert program.process.poll() is None
        told = [line for line in program.output.splitlines() if '"level":"info"' not in line]
        assert len(told) < 20, told
    assert worker.output.count("database_away") == worker.output.count("database_back") == 1
    assert await server.end() == 0
    assert await worker.end() == 0


async def _health_is(stage: Stage, status: HTTPStatus) -> bool:
    try:
        async with stage.session.get(f"{stage.url}/health") as answer:
            return answer.status == status
    except aiohttp.ClientError:  # its process was killed
        return False


async def _asked(stage: Stage, tenant: Tenant) -> None:
    try:
        status, _ = await stage.ask(tenant, "GET", "/v1/conversations")
    except aiohttp.ClientError:
        return
    assert status == HTTPStatus.SERVICE_UNAVAILABLE


def _servers(program: Program) -> list[psutil.Process]:
    alive = [child for child in program.children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if "spawn_main" in " ".join(child.cmdline())]
