"""One run: a storm over a working product, then calm, then the books."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp
import psutil
import psycopg
from rich.console import Console

from chaos import books, leaks
from chaos.books import Line
from chaos.faults import Storm
from chaos.pace import Pace
from chaos.proxy import Mood
from chaos.upgrade import Upgrade
from chaos.world import World, open_world

REPORT_EVERY: Final = 10.0  # seconds
LOOK_EVERY: Final = 1.0
HASTEN_EVERY: Final = 20.0
IS_DONE_TIMES: Final = 3  # in a row, because a status that arrives is an event more
TOLD_OF: Final = 0.03  # of all webhooks are of the tenant whose every event is delivered to a consumer


@dataclass(frozen=True)
class Plan:
    """How long, how hard, and by which chance."""

    seconds: float
    seed: int
    webhooks_per_second: float
    sends_per_second: float
    kill_every: float  # seconds, on average
    strike_every: float
    patience: float  # seconds in which the product, left alone, may get no further
    servers: int
    upgrades: bool
    tenants: int = 3


async def run(plan: Plan, folder: Path, out: Console) -> bool:
    """Whether the books balance."""
    out.print(f"seed {plan.seed}, {plan.seconds:g} s, logs in {folder / 'logs'}")
    started_at = time.monotonic()
    async with open_world(folder, plan.seed, servers=plan.servers, tenants=plan.tenants) as world:
        out.print(f"started after {time.monotonic() - started_at:.1f} s")
        storm = Storm(world, world.dice("faults"), plan.kill_every, plan.strike_every, folder / "faults.log")
        upgrade = Upgrade(world) if plan.upgrades else None
        async with _listening(world), _reporting(world, storm, out):
            await _live_through(world, storm, upgrade, plan)
            waited = await _settle(world, patience=plan.patience)
        out.print(
            f"calm after {time.monotonic() - started_at:.1f} s, settled {waited:.1f} s later"
            if waited is not None
            else "did not settle"
        )
        ends = [(process.name, await process.stop()) for process in world.processes]
        lines = [
            *books.balance(world.ledger, world.postgres.ask, await world.simulator.messages()),
            Line(
                "every process ends when it is asked to",
                f"{len(ends)} processes, {sum(process.starts for process in world.processes)} starts",
                [f"{name} ended with {code}" for name, code in ends if code != 0],
            ),
            _search(world),
            *([upgrade.line] if upgrade else []),
        ]
    _show(lines, storm, world, out)
    (folder / "books.json").write_text(books.as_json(lines))
    return all(line.balances for line in lines)


@contextlib.asynccontextmanager
async def _listening(world: World) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(listener.listen()) for listener in world.listeners]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _reporting(world: World, storm: Storm, out: Console) -> AsyncIterator[None]:
    async def report() -> None:
        started_at = time.monotonic()
        while True:
            await asyncio.sleep(REPORT_EVERY)
            ledger = world.ledger
            out.print(
                f"{time.monotonic() - started_at:5.0f} s  {ledger.messages:>7,} messages  {storm.kills:>4} kills  "
                f"{sum(storm.struck.values()):>4} faults  {sum(map(len, ledger.streamed.values())):>8,} streamed  "
                f"{ledger.deliveries:>7,} delivered"
            )

    task = asyncio.create_task(report())
    try:
        yield
    finally:
        task.cancel()


async def _live_through(world: World, storm: Storm, upgrade: Upgrade | None, plan: Plan) -> None:
    """Clients work until the storm is over, and bring to an end what they have begun."""
    other_share = (1 - TOLD_OF) / max(plan.tenants - 1, 1)
    shares = [TOLD_OF, *([other_share] * (plan.tenants - 1))]
    writing = [Pace(plan.webhooks_per_second * share) for share in shares]
    answering = [Pace(plan.sends_per_second / plan.tenants) for _ in world.agents]
    async with asyncio.TaskGroup() as group:
        for customers, pace in zip(world.customers, writing, strict=True):
            group.create_task(customers.write(pace))
        for agents, pace in zip(world.agents, answering, strict=True):
            group.create_task(agents.work(pace))
        await _rage(storm, upgrade, plan.seconds)
        await _calm(world)
        for pace in (*writing, *answering):
            pace.end()


async def _rage(storm: Storm, upgrade: Upgrade | None, seconds: float) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(storm.rage(seconds))
        if upgrade is not None:
            group.create_task(upgrade.run(seconds))


async def _calm(world: World) -> None:
    """Nothing goes wrong any more."""
    for proxy in (world.front, world.database_link, world.provider_link):
        proxy.mood = Mood()
    for process in world.processes:
        for member in (process.parent, *process.children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                if member is not None:
                    member.send_signal(signal.SIGCONT)
    await world.simulator.clear_faults()


async def _settle(world: World, *, patience: float) -> float | None:
    """Wait until everything that has been begun is done: how long it took, or None if it got no further for too long."""
    started_at = moved_at = time.monotonic()
    next_hasten_at, before = started_at, Progress()
    times_done = 0
    while times_done < IS_DONE_TIMES:
        now = time.monotonic()
        if now >= next_hasten_at:
            next_hasten_at = now + HASTEN_EVERY
            await _hasten_webhooks(world)
        progress = await _progress(world)
        times_done = times_done + 1 if progress.is_done else 0
        if progress != before:
            before, moved_at = progress, now
        elif now - moved_at > patience:
            return None
        await asyncio.sleep(LOOK_EVERY)
    return time.monotonic() - started_at


@dataclass(frozen=True)
class Progress:
    """How far the product is with what has been begun."""

    waiting: int | None = None
    events: int | None = None
    streamed: int = 0
    delivered: int = 0

    @property
    def is_done(self) -> bool:
        return self.waiting == 0 and self.events == self.streamed


async def _progress(world: World) -> Progress:
    waiting = await _ask(
        world,
        """
        SELECT (SELECT count(*) FROM messages
                WHERE direction = 'OUTBOUND' AND provider_sid IS NULL AND delivery_status = 'QUEUED')
            + (SELECT count(*) FROM jobs.pgqueuer)
            + (SELECT count(*) FROM webhook_deliveries WHERE status = 'PENDING')
        """,
    )
    events = await _ask(world, "SELECT count(*) FROM events")
    streamed = sum(map(len, world.ledger.streamed.values()))
    return Progress(waiting, events, streamed, world.ledger.deliveries)


async def _hasten_webhooks(world: World) -> None:
    """What an integrator does whose program is well again: off and on gives what waits an attempt now."""
    for consumer in world.consumers:
        waiting = await _ask(
            world, "SELECT count(*) FROM webhook_deliveries WHERE status = 'PENDING' AND attempts > 0"
        )
        if waiting == 0:
            continue
        path = f"{world.url}/v1/webhook-endpoints/{consumer.endpoint_id}"
        headers = {"Authorization": f"Bearer {consumer.tenant.api_key}"}
        for is_enabled in (False, True):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with world.session.patch(
                    path, json={"is_enabled": is_enabled}, headers=headers
                ) as answer:
                    world.ledger.statuses[f"api {HTTPStatus(answer.status).value}"] += 1


async def _ask(world: World, query: str) -> int | None:
    """A number, or None while the database is away."""
    try:
        [(number,)] = await asyncio.to_thread(world.postgres.ask, query)
    except psycopg.Error:
        return None
    return int(number)


def _search(world: World) -> Line:
    numbers = {number for customers in world.customers for number in customers.numbers}
    numbers |= {tenant.sms for tenant in world.tenants}
    logs = [*sorted((world.folder / "logs").glob("*.log")), world.postgres.server.log]
    # The simulator's log is Twilio's, not the product's.
    return leaks.search(
        [log for log in logs if log.name != "simulator.log"], secrets=world.secrets, numbers=numbers
    )


def _show(lines: list[Line], storm: Storm, world: World, out: Console) -> None:
    out.print(
        f"\n{world.ledger.messages:,} messages, {storm.kills} kills, {sum(storm.struck.values())} faults"
    )
    for name, count in sorted(storm.struck.items()):
        out.print(f"  {count:>5} {name}")
    out.print(
        "answers: " + ", ".join(f"{name} {count:,}" for name, count in sorted(world.ledger.statuses.items()))
    )
    lost = world.front.lost_answers + world.database_link.lost_answers + world.provider_link.lost_answers
    out.print(f"{lost} answers were lost on the way\n")
    for line in lines:
        out.print(f"{'ok    ' if line.balances else 'BROKEN'} {line.promise}: {line.figures}")
        for problem in line.broken[: books.SHOWN]:
            out.print(f"         {problem}")
        if len(line.broken) > books.SHOWN:
            out.print(f"         and {len(line.broken) - books.SHOWN} more: books.json has all of them")
