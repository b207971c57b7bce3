"""Prints what pages of the inbox cost with many rows beside the same pages with few, and how heavy they are.

`python benchmarks/pages.py [--messages 1000000] [--calls 30] [--home FOLDER]`. Lists are asked for in a database of 10,000
messages and in one of `--messages` (a tenth as many conversations; a third of the open ones belongs to the person who asks), the
thread of 100 messages beside the one of 10,000. Both databases are those of `flat.py`, and `--home` keeps them. Times are the
server's: the whole application answers a request within this process, without a socket, now in the one database, now in
the other.
"""

import argparse
import asyncio
import gzip
import re
import secrets
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psycopg
from flat import fill, folder_of
from flat_cases import Place, find_places, receive
from flat_data import PASSWORD, OpenServices, email_of, url_of
from product import own_environment
from rich.console import Console
from rich.table import Table
from starlette.types import Receive, Scope, Send

from owner.db.embedded import EmbeddedServer
from owner.inbox.app import create_site
from owner.logs import configure_logging
from owner.services.catalog import Services

GOAL: Final = 1.5
WARM_UP: Final = 5
FEW: Final = 100  # open conversations more than flat.py makes, so that every list fills its page
SHORT_THREAD: Final = 100  # messages
PAGE_LIMIT, SCRIPT_LIMIT = 100, 40  # KB; scripts compressed
VIEWS: Final = ("open", "mine", "unassigned", "waiting", "closed")
ROW: Final = re.compile(r"<article|<a class=\"line")
out = Console(highlight=False, width=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000, help="of the large database")
    parser.add_argument("--calls", type=int, default=30, help="of each page in each database")
    parser.add_argument("--home", type=Path, help="where the databases stay; by default they are thrown away")
    wanted = parser.parse_args()
    configure_logging(level="ERROR", log_format="console")
    with folder_of(wanted.home) as home, own_environment(home), EmbeddedServer(home).hold() as server:
        fill(server, wanted.messages)
        asyncio.run(measure(server, wanted))


async def measure(server: EmbeddedServer, wanted: argparse.Namespace) -> None:
    async with AsyncExitStack() as stack:
        few, many = [await stack.enter_async_context(_opened(server, name)) for name in ("small", "large")]
        table = Table("page", "few: p50 ms", "many: p50 ms", "ratio", "KB", "")
        rows = [(f"list: {view}", *2 * (f"/inbox/conversations?view={view}",)) for view in VIEWS]
        rows.append(("list: search", *2 * ("/inbox/conversations?view=open&q=geladeira",)))
        rows.append((f"thread: {SHORT_THREAD} and 10,000 messages", few.thread, many.thread))
        for name, *paths in rows:
            small, large, size, shown = await _compare((few.client, many.client), paths, calls=wanted.calls)
            verdict = "" if large / small <= GOAL and size <= PAGE_LIMIT else " missed"
            note = f"{shown[0]} and {shown[1]} rows" if shown[0] != shown[1] else ""
            table.add_row(
                name, f"{small:.1f}", f"{large:.1f}", f"{large / small:.2f}{verdict}", f"{size:.0f}", note
            )
        out.print(table)
        scripts = await _scripts(many.client, many.thread)
        out.print(
            f"Scripts of the conversation page: {scripts:.1f} KB compressed, of {SCRIPT_LIMIT} allowed."
        )


@dataclass(frozen=True)
class _Seat:
    """A person who is signed in, and the address of the thread to look at."""

    client: httpx.AsyncClient
    thread: str


@asynccontextmanager
async def _opened(server: EmbeddedServer, name: str) -> AsyncIterator[_Seat]:
    async with OpenServices(server, name) as services, AsyncExitStack() as stack:
        place = find_places(server, name, services, rank=1)
        if name == "small":
            for _ in range(FEW):
                await _write(place, _somebody())
        await asyncio.to_thread(_give_away, server, name, place)

        @asynccontextmanager
        async def connect() -> AsyncIterator[Services]:
            yield services

        site = create_site(connect)
        state = await stack.enter_async_context(site.router.lifespan_context(site))

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await site({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx.ASGITransport(app=answer)
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="https://owner.example", follow_redirects=True)
        )
        signed = await client.post("/inbox/sign-in", data={"email": email_of(1), "password": PASSWORD})
        assert signed.url.path == "/inbox/conversations", signed.text
        conv_id = place.long_conv_id
        if name == "small":
            customer = _somebody()
            [*_, conv_id] = [await _write(place, customer) for _ in range(SHORT_THREAD)]
        yield _Seat(client, f"/inbox/conversations/{conv_id}")


def _give_away(server: EmbeddedServer, name: str, place: Place) -> None:
    """The person who looks gets one open conversation in three."""
    with psycopg.connect(url_of(server, name, "postgres"), autocommit=True) as connection:
        given = connection.execute(
            "UPDATE conversations SET assignee_id = %(user)s WHERE owner_id = %(owner)s AND closed_at IS NULL"
            " AND conv_id %% 3 = 0 AND assignee_id IS DISTINCT FROM %(user)s",
            {"user": place.user_id, "owner": place.owner_id},
        )
        if given.rowcount:
            connection.execute("VACUUM ANALYZE conversations")


async def _write(place: Place, customer: str) -> int:
    conv_id = await receive(place, customer, content="Queria saber da minha geladeira")
    assert conv_id is not None
    return conv_id


def _somebody() -> str:
    """Of whom a kept database knows nothing from a run before."""
    return f"+55119{secrets.randbelow(10**8):08d}"


async def _compare(
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient], paths: list[str], *, calls: int
) -> tuple[float, float, float, list[int]]:
    """Medians in ms, the heavier page in KB, and how many rows each showed."""
    took: tuple[list[float], list[float]] = ([], [])
    sizes, shown = [0, 0], [0, 0]
    for call in range(WARM_UP + calls):
        for which in (0, 1) if call % 2 else (1, 0):
            begun = time.perf_counter()
            answer = await clients[which].get(paths[which])
            seconds = time.perf_counter() - begun
            assert answer.status_code == httpx.codes.OK, answer.text
            sizes[which] = len(answer.content)
            shown[which] = len(ROW.findall(answer.text))
            if call >= WARM_UP:
                took[which].append(seconds * 1e3)
    return statistics.median(took[0]), statistics.median(took[1]), max(sizes) / 1024, shown


async def _scripts(client: httpx.AsyncClient, path: str) -> float:
    page = await client.get(path)
    found = re.findall(r'<script src="([^"]+)"', page.text)
    return sum([len(gzip.compress((await client.get(address)).content)) for address in found]) / 1024


if __name__ == "__main__":
    main()
