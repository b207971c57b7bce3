"""Answers how it went: durations, conversations, closures, deliveries; from sums of days, never from messages."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from owner.db.database import Database
from owner.models.enums import Channel
from owner.models.fact import FactKind
from owner.models.report import (
    ClosureGroup,
    ClosureReport,
    ConversationReport,
    DayOrChannel,
    DeliveryGroup,
    DeliveryReport,
    DurationReport,
    Period,
    ReportName,
)
from owner.models.report_figures import (
    CLOSURE_KINDS,
    CONVERSATION_KINDS,
    DELIVERY_KINDS,
    closure_rows,
    closures,
    conversation_rows,
    conversations,
    deliveries,
    delivery_errors,
    delivery_rows,
    duration_rows,
    durations,
)
from owner.repositories.reports import ReportRepository
from owner.services.ports import Clock

_DURATIONS: Final[Mapping[ReportName, FactKind]] = {
    ReportName.FIRST_RESPONSE: FactKind.FIRST_RESPONSE,
    ReportName.REPLY: FactKind.REPLY,
    ReportName.RESOLUTION: FactKind.RESOLUTION,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which days and which channel; None: the usual days, all channels."""

    first_day: date | None = None
    last_day: date | None = None
    channel: Channel | None = None


class ReportService:
    """Reports over whole days of the owner's time zone.

    Each method raises `InvalidInput` for days that are out of order or too many.
    """

    def __init__(self, database: Database, *, clock: Clock, explains: Callable[[int | None], str]) -> None:
        self.database = database
        self.clock = clock
        self.explains = explains

    async def durations(
        self, owner_id: int, name: ReportName, wanted: Wanted, *, group_by: DayOrChannel
    ) -> DurationReport:
        """How long a first response, a reply or a resolution took."""
        async with self._reading(owner_id, wanted) as (reports, period):
            found = await reports.list_durations(_DURATIONS[name], period)
        return DurationReport(
            **_heading(name, period),
            group_by=group_by,
            total=durations(found),
            items=duration_rows(found, period, group_by),
        )

    async def conversations(
        self, owner_id: int, wanted: Wanted, *, group_by: DayOrChannel
    ) -> ConversationReport:
        """How many conversations began and ended, and how."""
        async with self._reading(owner_id, wanted) as (reports, period):
            found = await reports.count(CONVERSATION_KINDS, period, group_by)
        return ConversationReport(
            **_heading(ReportName.CONVERSATIONS, period),
            group_by=group_by,
            total=conversations(found),
            items=conversation_rows(found, period, group_by),
        )

    async def closure(self, owner_id: int, wanted: Wanted, *, group_by: ClosureGroup) -> ClosureReport:
        """How often the detector ended conversations, and how often that was undone."""
        async with self._reading(owner_id, wanted) as (reports, period):
            found = await reports.count(CLOSURE_KINDS, period, group_by)
        return ClosureReport(
            **_heading(ReportName.CLOSURE, period),
            group_by=group_by,
            total=closures(found),
            items=closure_rows(found, period, group_by),
        )

    async def deliveries(self, owner_id: int, wanted: Wanted, *, group_by: DeliveryGroup) -> DeliveryReport:
        """How far messages got, and why some did not arrive."""
        async with self._reading(owner_id, wanted) as (reports, period):
            found = await reports.count(DELIVERY_KINDS, period, group_by)
        return DeliveryReport(
            **_heading(ReportName.DELIVERIES, period),
            group_by=group_by,
            total=deliveries(found),
            errors=delivery_errors(found, self.explains),
            items=[] if group_by is DeliveryGroup.ERROR_CODE else delivery_rows(found, period, group_by),
        )

    @asynccontextmanager
    async def _reading(self, owner_id: int, wanted: Wanted) -> AsyncIterator[tuple[ReportRepository, Period]]:
        async with self.database.owner(owner_id) as connection:
            reports = ReportRepository(connection)
            time_zone, today = await reports.find_zone(now=self.clock.now())
            period = Period.of(
                wanted.first_day,
                wanted.last_day,
                today=today,
                time_zone=time_zone,
                channel=wanted.channel,
            )
            yield reports, period


def _heading(name: ReportName, period: Period) -> dict[str, Any]:
    return {
        "name": name,
        "first_day": period.first_day,
        "last_day": period.last_day,
        "time_zone": period.time_zone,
        "channel": period.channel,
    }
