"""Facts, and what is summed up of them for reports."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

import asyncpg

from owner.db.database import Connection
from owner.logs import get_logger
from owner.models.enums import Channel
from owner.models.fact import Fact, FactKind
from owner.models.histogram import histogram_of
from owner.repositories.named_sql import load_sql

log = get_logger(__name__)

_SQL: Final = load_sql("facts")
_PATIENCE: Final = 600.0  # seconds for one step of summing up anew, which reads every fact once
_STEP: Final = timedelta(days=31)
_ANYWHERE: Final = "UTC"


class KnownConversation(NamedTuple):
    """What an event may leave out about its conversation; `seconds` is how long it lived, if it ended."""

    conv_id: int
    channel: Channel
    seconds: float | None


class _Sum(NamedTuple):
    kind: str
    day: date
    channel: str
    label: str


class FactRepository:
    """Facts are added, never changed; each is in the sum of its day by the same transaction."""

    def __init__(self, connection: Connection, owner_id: int) -> None:
        self.connection = connection
        self.owner_id = owner_id
        self.zone = _ANYWHERE

    async def settle_zone(self) -> None:
        """Find out what a day is for the owner, locked until the transaction ends; sum up anew if that changed."""
        kept: str | None = await self.connection.fetchval("SELECT time_zone FROM fact_zones FOR UPDATE")
        wanted: str = await self.connection.fetchval("SELECT time_zone FROM owners")
        self.zone = kept or _ANYWHERE
        if wanted == kept:
            return
        if await self._is_zone(wanted):
            self.zone = wanted
        elif kept is not None:
            return
        await self.connection.execute(_SQL["keep_zone"], self.owner_id, self.zone)
        if kept is not None:
            await self._sum_up_anew()

    async def conversations(self, conv_ids: Collection[int]) -> list[KnownConversation]:
        rows = await self.connection.fetch(_SQL["conversations"], [*conv_ids])
        return [KnownConversation(row["conv_id"], Channel(row["channel"]), row["seconds"]) for row in rows]

    async def detector_versions(self, conv_ids: Collection[int]) -> dict[int, str]:
        """The version that last judged each conversation."""
        rows = await self.connection.fetch(_SQL["detector_versions"], [*conv_ids])
        return {row["conv_id"]: row["label"] for row in rows}

    async def message_steps(self, msg_ids: Collection[int]) -> set[tuple[int, FactKind]]:
        rows = await self.connection.fetch(
            "SELECT msg_id, kind FROM facts WHERE msg_id = ANY ($1)", [*msg_ids]
        )
        return {(row["msg_id"], FactKind(row["kind"])) for row in rows}

    async def add_all(self, facts: Sequence[Fact]) -> None:
        """Add those that are not there yet."""
        rows = await self.connection.fetch(
            _SQL["add_facts"],
            self.owner_id,
            self.zone,
            [fact.event_id for fact in facts],
            [fact.kind for fact in facts],
            [fact.at for fact in facts],
            [fact.conv_id for fact in facts],
            [fact.msg_id for fact in facts],
            [fact.channel for fact in facts],
            [fact.label for fact in facts],
            [fact.seconds for fact in facts],
            [fact.bucket for fact in facts],
        )
        await self._add_sums(
            (
                group,
                len(members),
                sum(member["seconds"] or 0 for member in members),
                histogram_of([member["bucket"] for member in members if member["bucket"] is not None]),
            )
            for group, members in _grouped(rows)
        )

    async def _is_zone(self, zone: str) -> bool:
        await self.connection.execute("SAVEPOINT zone")
        try:
            await self.connection.fetchval("SELECT now() AT TIME ZONE $1", zone)
        except asyncpg.PostgresError:
            await self.connection.execute("ROLLBACK TO SAVEPOINT zone")
            log.warning("time_zone_unknown", owner_id=self.owner_id)
            return False
        return True

    async def _sum_up_anew(self) -> None:
        """Take the days apart and together again, in another zone."""
        await self.connection.execute("DELETE FROM fact_days", timeout=_PATIENCE)
        since, until = await self.connection.fetchrow(
            "SELECT min(created_at), max(created_at) FROM facts", timeout=_PATIENCE
        ) or (None, None)
        while since is not None and since <= until:
            rows = await self.connection.fetch(
                _SQL["sums"], self.zone, since, since + _STEP, timeout=_PATIENCE
            )
            await self._add_sums(
                (
                    group,
                    sum(member["count"] for member in members),
                    sum(member["seconds"] for member in members),
                    _dense(members),
                )
                for group, members in _grouped(rows)
            )
            since += _STEP

    async def _add_sums(self, sums: Iterable[tuple[_Sum, int, float, list[int]]]) -> None:
        # In one order, so that two that add at once wait for each other and no more.
        await self.connection.executemany(
            _SQL["add_sum"],
            [
                (self.owner_id, *group, count, seconds, counts)
                for group, count, seconds, counts in sorted(sums)
            ],
        )


def _grouped(rows: Iterable[asyncpg.Record]) -> Iterable[tuple[_Sum, list[asyncpg.Record]]]:
    groups: dict[_Sum, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        groups[_Sum(row["kind"], row["day"], row["channel"], row["label"])].append(row)
    return groups.items()


def _dense(members: Sequence[asyncpg.Record]) -> list[int]:
    counts = {row["bucket"]: row["count"] for row in members if row["bucket"] is not None}
    return [counts.get(bucket, 0) for bucket in range(max(counts, default=-1) + 1)]
