"""How it goes: charts of conversations, waiting times, closures and failures, each with its figures as a table."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from pydantic import ConfigDict, Field

from owner.api import reports
from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.forms import Asked
from owner.inbox.language import Voice
from owner.inbox.overview_charts import Bar, Chart, charts_of, failures_of, states_of
from owner.inbox.rendering import Page, show
from owner.inbox.routing import PageRoute, Person
from owner.inbox.visit import Signed
from owner.models.enums import Channel
from owner.models.permissions import Permission
from owner.models.report import (
    ClosureGroup,
    ClosureReport,
    ConversationReport,
    DayOrChannel,
    DeliveryGroup,
    DeliveryReport,
    DurationReport,
    ReportName,
)
from owner.services.catalog import Services
from owner.services.reports import Wanted

router = APIRouter(prefix="/inbox/overview", route_class=PageRoute)
RANGES: Final = (7, 30, 90, 365)  # days
IN_TABLE: Final = 92  # days
_BY_DAY: Final = DayOrChannel.DAY
_FILES: Final[dict[ReportName, Any]] = {
    ReportName.CONVERSATIONS: partial(
        reports.get_conversations_report, group_by=DayOrChannel.DAY_AND_CHANNEL
    ),
    ReportName.FIRST_RESPONSE: reports.get_first_response_report,
    ReportName.REPLY: reports.get_reply_report,
    ReportName.RESOLUTION: reports.get_resolution_report,
    ReportName.CLOSURE: partial(reports.get_closure_report, group_by=ClosureGroup.DAY),
    ReportName.DELIVERIES: reports.get_deliveries_report,
}


class OverviewWish(Asked):
    """Which days, and which channel, as the address bar has them."""

    model_config = ConfigDict(populate_by_name=True)

    first_day: reports.Day | None = Field(default=None, alias="from")
    last_day: reports.Day | None = Field(default=None, alias="to")
    channel: Channel | None = None

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.first_day, self.last_day, self.channel)


@dataclass(frozen=True, slots=True)
class Overview(Page):
    """All figures of the days."""

    template: ClassVar = "overview.html"
    opened: ConversationReport
    first_response: DurationReport
    resolution: DurationReport
    closure: ClosureReport
    deliveries: DeliveryReport
    today: date

    @property
    def in_table(self) -> int:
        """Days that a table has: a year of them would weigh more than a page may."""
        return IN_TABLE

    @property
    def channels(self) -> list[str]:
        return list(Channel)

    @property
    def range(self) -> str:
        """The same days again, as a query string."""
        return self.address(self.opened.first_day, self.opened.last_day)

    def address(self, first_day: date, last_day: date) -> str:
        channel = {"channel": self.opened.channel} if self.opened.channel else {}
        return urlencode({"from": first_day, "to": last_day, **channel})

    @property
    def ranges(self) -> list[tuple[int, str, bool]]:
        """Days up to today: how many, where to find them, and whether they are shown now."""
        shown = (self.opened.first_day, self.opened.last_day)
        found = [(days, (self.today - timedelta(days=days - 1), self.today)) for days in RANGES]
        return [(days, self.address(*these), these == shown) for days, these in found]

    def charts(self, voice: Voice) -> list[Chart]:
        return charts_of(voice, self.opened, self.first_response, self.resolution, self.closure)

    def states(self, voice: Voice) -> list[Bar]:
        return states_of(voice, self.opened.total)

    def failures(self, voice: Voice) -> list[Bar]:
        return failures_of(self.deliveries, voice)

    @property
    def not_delivered(self) -> int:
        return self.deliveries.total.undelivered + self.deliveries.total.failed


Wish = Annotated[OverviewWish, Query()]


@router.get("", **needs(Permission.REPORTS_READ))
async def show_overview(request: Request, services: UseCases, person: Person, wish: Wish) -> Response:
    return show(request, await _load(services, person, wish.wanted))


@router.get("/{name}.csv", **needs(Permission.REPORTS_READ))
async def download(services: UseCases, person: Person, name: ReportName, wish: Wish) -> Response:
    """The figures of a chart for a spreadsheet, exactly as the REST API gives them."""
    table: Response = await _FILES[name](services, person.caller, wish.wanted, as_csv=True)
    return table


async def _load(services: Services, person: Signed, wanted: Wanted) -> Overview:
    owner_id, ask = person.caller.owner_id, services.reports
    now = ask.clock.now()
    return Overview(
        await ask.conversations(owner_id, wanted, group_by=DayOrChannel.DAY_AND_CHANNEL),
        await ask.durations(owner_id, ReportName.FIRST_RESPONSE, wanted, group_by=_BY_DAY),
        await ask.durations(owner_id, ReportName.RESOLUTION, wanted, group_by=_BY_DAY),
        await ask.closure(owner_id, wanted, group_by=ClosureGroup.DAY),
        await ask.deliveries(owner_id, wanted, group_by=DeliveryGroup.ERROR_CODE),
        now.astimezone(ZoneInfo(person.owner.time_zone)).date(),
    )
