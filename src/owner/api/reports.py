"""Routes of reports, as JSON and as CSV."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BeforeValidator

from owner.api.dependencies import Caller, UseCases
from owner.api.routing import Route, needs
from owner.api.tables import csv_of
from owner.models.entity import DTO
from owner.models.enums import Channel
from owner.models.permissions import Permission
from owner.models.report import (
    ClosureGroup,
    ClosureReport,
    ClosureRow,
    ConversationReport,
    ConversationRow,
    DayOrChannel,
    DeliveryError,
    DeliveryGroup,
    DeliveryReport,
    DeliveryRow,
    DurationReport,
    DurationRow,
    ReportEntry,
    ReportList,
    ReportName,
)
from owner.services.reports import Wanted

router = APIRouter(prefix="/v1/reports", tags=["reports"], route_class=Route)

Days = Annotated[DayOrChannel, Query(description="What the rows stand for.")]
_AS_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SAYS: Final = {
    ReportName.FIRST_RESPONSE: ("How long customers waited for the first answer.", DayOrChannel),
    ReportName.REPLY: ("How long customers waited for each answer.", DayOrChannel),
    ReportName.RESOLUTION: ("How long conversations took from their opening to their end.", DayOrChannel),
    ReportName.CONVERSATIONS: ("How many conversations began and ended, and how.", DayOrChannel),
    ReportName.CLOSURE: ("How often the detector ended conversations, and was wrong.", ClosureGroup),
    ReportName.DELIVERIES: ("How far messages got, and why some did not arrive.", DeliveryGroup),
}


def _as_calendars_write_it(given: object) -> object:
    """2026-05-31 only: without this, numbers and moments would pass for days too."""
    if isinstance(given, str) and not _DAY.fullmatch(given):
        raise ValueError("a day is written like 2026-05-31")
    return given


Day = Annotated[date, BeforeValidator(_as_calendars_write_it)]


async def _wanted(
    first_day: Annotated[
        Day | None,
        Query(alias="from", description="The first day, in the owner's time zone; 29 days before the last."),
    ] = None,
    last_day: Annotated[
        Day | None, Query(alias="to", description="The last day, at most 365 after the first; today.")
    ] = None,
    channel: Annotated[Channel | None, Query(description="Count this channel only.")] = None,
) -> Wanted:
    return Wanted(first_day, last_day, channel)


async def _is_csv_wanted(
    request: Request,
    file_format: Annotated[
        Literal["json", "csv"] | None,
        Query(alias="format", description="Also chosen by `Accept: text/csv`."),
    ] = None,
) -> bool:
    if file_format is not None:
        return file_format == "csv"
    first_choice = request.headers.get("accept", "").partition(",")[0].partition(";")[0]
    return first_choice.strip().lower() == "text/csv"


Asked = Annotated[Wanted, Depends(_wanted)]
AsCsv = Annotated[bool, Depends(_is_csv_wanted)]


@router.get("", **needs(Permission.REPORTS_READ))
async def list_reports(_caller: Caller) -> ReportList:
    """Reports that can be asked for. They follow what happens within seconds, as `owner work` reads the events."""
    return ReportList(
        items=[
            ReportEntry(name=name, path=f"{router.prefix}/{name}", says=says, group_by=[*groups])
            for name, (says, groups) in _SAYS.items()
        ]
    )


@router.get(
    "/first-response", response_model=DurationReport, responses=_AS_CSV, **needs(Permission.REPORTS_READ)
)
async def get_first_response_report(
    services: UseCases, caller: Caller, asked: Asked, as_csv: AsCsv, group_by: Days = DayOrChannel.DAY
) -> DurationReport | Response:
    """How long customers waited from the opening of a conversation for our first answer."""
    report = await services.reports.durations(
        caller.owner_id, ReportName.FIRST_RESPONSE, asked, group_by=group_by
    )
    return _table(report.name, DurationRow, report.items) if as_csv else report


@router.get("/reply", response_model=DurationReport, responses=_AS_CSV, **needs(Permission.REPORTS_READ))
async def get_reply_report(
    services: UseCases, caller: Caller, asked: Asked, as_csv: AsCsv, group_by: Days = DayOrChannel.DAY
) -> DurationReport | Response:
    """How long customers waited for each of our answers."""
    report = await services.reports.durations(caller.owner_id, ReportName.REPLY, asked, group_by=group_by)
    return _table(report.name, DurationRow, report.items) if as_csv else report


@router.get("/resolution", response_model=DurationReport, responses=_AS_CSV, **needs(Permission.REPORTS_READ))
async def get_resolution_report(
    services: UseCases, caller: Caller, asked: Asked, as_csv: AsCsv, group_by: Days = DayOrChannel.DAY
) -> DurationReport | Response:
    """How long conversations took from their opening to their end, on the day of the end."""
    report = await services.reports.durations(
        caller.owner_id, ReportName.RESOLUTION, asked, group_by=group_by
    )
    return _table(report.name, DurationRow, report.items) if as_csv else report


@router.get(
    "/conversations", response_model=ConversationReport, responses=_AS_CSV, **needs(Permission.REPORTS_READ)
)
async def get_conversations_report(
    services: UseCases, caller: Caller, asked: Asked, as_csv: AsCsv, group_by: Days = DayOrChannel.DAY
) -> ConversationReport | Response:
    """How many conversations began, and how many ended in which state."""
    report = await services.reports.conversations(caller.owner_id, asked, group_by=group_by)
    return _table(report.name, ConversationRow, report.items) if as_csv else report


@router.get("/closure", response_model=ClosureReport, responses=_AS_CSV, **needs(Permission.REPORTS_READ))
async def get_closure_report(
    services: UseCases,
    caller: Caller,
    asked: Asked,
    as_csv: AsCsv,
    group_by: ClosureGroup = ClosureGroup.VERSION,
) -> ClosureReport | Response:
    """How many ends the closure detector made, what customers answered, and how often an end was undone."""
    report = await services.reports.closure(caller.owner_id, asked, group_by=group_by)
    return _table(report.name, ClosureRow, report.items) if as_csv else report


@router.get("/deliveries", response_model=DeliveryReport, responses=_AS_CSV, **needs(Permission.REPORTS_READ))
async def get_deliveries_report(
    services: UseCases,
    caller: Caller,
    asked: Asked,
    as_csv: AsCsv,
    group_by: DeliveryGroup = DeliveryGroup.ERROR_CODE,
) -> DeliveryReport | Response:
    """How many messages were sent, delivered and read, and why others were not: by error code, in a sentence."""
    report = await services.reports.deliveries(caller.owner_id, asked, group_by=group_by)
    if not as_csv:
        return report
    by_code = group_by is DeliveryGroup.ERROR_CODE
    return _table(
        report.name,
        DeliveryError if by_code else DeliveryRow,
        report.errors if by_code else report.items,
    )


def _table(name: ReportName, row_type: type[DTO], rows: Sequence[DTO]) -> Response:
    headers = {"Content-Disposition": f"attachment; filename={name}.csv"}
    return Response(csv_of(row_type, rows), media_type="text/csv", headers=headers)
