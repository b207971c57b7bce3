"""What reports read: the sums of days, and nothing that grows with the messages."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

import asyncpg

from owner.db.database import Connection
from owner.models.enums import Channel
from owner.models.fact import DayFigures, FactKind
from owner.models.report import Grouping, Period
from owner.repositories.named_sql import load_sql

_SQL: Final = load_sql("facts")


class ReportRepository:
    """Sums of facts of one owner."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def find_zone(self, *, now: datetime) -> tuple[str, date]:
        """The zone whose days the sums are of, and which day it is there."""
        row = await self.connection.fetchrow(_SQL["zone"], now)
        assert row is not None
        return row["time_zone"], row["today"]

    async def list_durations(self, kind: FactKind, period: Period) -> list[DayFigures]:
        """The sums of one kind day by day, with their histograms."""
        rows = await self.connection.fetch(
            _SQL["durations"], kind, period.first_day, period.last_day, period.channel
        )
        return [_figures(row) for row in rows]

    async def count(self, kinds: Iterable[FactKind], period: Period, group: Grouping) -> list[DayFigures]:
        """How many there are of each kind and label, told apart by what is asked for."""
        rows = await self.connection.fetch(
            _SQL["counts"],
            [*kinds],
            period.first_day,
            period.last_day,
            period.channel,
            group.is_by_day,
            group.is_by_channel,
        )
        return [_figures(row) for row in rows]


def _figures(row: asyncpg.Record) -> DayFigures:
    return DayFigures(
        FactKind(row["kind"]),
        row["day"],
        Channel(row["channel"]) if row["channel"] is not None else None,
        row["label"],
        row["count"],
        row["seconds"],
        row["histogram"],
    )
