"""Clients that send too much, or too slowly, or nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from owner.api import http_protocol
from owner.services.catalog import Services
from serving import serving_api

PATIENCE = 60.0


@pytest.fixture
async def port(services: Services) -> AsyncIterator[int]:
    async with serving_api(services) as url:
        yield int(url.rpartition(":")[2])


async def answer_to(port: int, *parts: bytes) -> bytes:
    """All that the server says until it ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    except ConnectionError:
        return b"(cut off)"
    finally:
        writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"X: " + b"a" * 200_000,
        b"".join(b"X-%d: a\r\n" % number for number in range(20_000)),
        b"a" * 100_000 + b": b",
    ],
    ids=["one long header", "many headers", "a long name"],
)
async def test_a_head_without_end_is_cut_off(port: int, head: bytes) -> None:
    said = await answer_to(port, b"GET /health HTTP/1.1\r\nHost: owner\r\n", head)

    assert said == b"(cut off)" or b"400 Bad Request" in said


async def test_a_long_but_sane_head_is_read(port: int) -> None:
    said = await answer_to(
        port,
        b"GET /health HTTP/1.1\r\nHost: owner\r\nConnection: close\r\nX: " + b"a" * 30_000,
        b"a" * 30_000 + b"\r\n\r\n",
    )

    assert said.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /health HTTP/1.1\r\nHost: owner\r\nX: ",
        b"POST /v1/sessions HTTP/1.1\r\nHost: owner\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_request_that_does_not_come_is_not_waited_for(
    port: int, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "RECEIVE_WITHIN", 0.2)

    assert await answer_to(port, begun) in {b"", b"(cut off)"}


async def test_the_wait_is_for_the_request_and_not_for_its_answer(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "RECEIVE_WITHIN", 0.2)
    first = b"GET /health HTTP/1.1\r\nHost: owner\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: owner\r\nConnection: close\r\n\r\n"

    assert (await answer_to(port, first, first, last)).count(b"HTTP/1.1 200 OK") == 3
