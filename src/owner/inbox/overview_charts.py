"""Turns reports into what a chart draws, and a table says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from owner.inbox.language import Voice, channel_name
from owner.models.enums import Channel
from owner.models.report import (
    ClosureReport,
    ConversationFigures,
    ConversationReport,
    DeliveryReport,
    DurationReport,
    ReportName,
)


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    values: Sequence[float | None]  # one for each day


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over the same days."""

    report: ReportName
    title: str
    kind: str  # `stack`: on top of each other; `line`
    unit: str  # `count` or `seconds`
    days: Sequence[date]
    series: Sequence[Series]

    @property
    def drawn(self) -> dict[str, Any]:
        """For the script; it counts days from the first one."""
        return {
            "kind": self.kind,
            "unit": self.unit,
            "first": self.days[0].isoformat(),
            "series": [{"name": one.name, "values": one.values} for one in self.series],
        }

    @property
    def rows(self) -> list[tuple[date, list[float | None]]]:
        """Days on which there was something, latest first."""
        figures = zip(*[one.values for one in self.series], strict=True)
        found = [(day, list(values)) for day, values in zip(self.days, figures, strict=True) if any(values)]
        return found[::-1]


@dataclass(frozen=True, slots=True)
class Bar:
    """One of several counts, beside the largest of them."""

    name: str
    count: int
    largest: int


def charts_of(
    voice: Voice,
    opened: ConversationReport,
    first_response: DurationReport,
    resolution: DurationReport,
    closure: ClosureReport,
) -> list[Chart]:
    days = _days(opened.first_day, opened.last_day)
    return [
        Chart(
            ReportName.CONVERSATIONS,
            voice.say("Conversations per day"),
            "stack",
            "count",
            days,
            _by_channel(opened, days),
        ),
        _waiting(voice, voice.say("Time to the first answer"), first_response, days),
        _waiting(voice, voice.say("Time to the end"), resolution, days),
        Chart(
            ReportName.CLOSURE,
            voice.say("Ended by the customer's words"),
            "line",
            "count",
            days,
            _closures(voice, closure, days),
        ),
    ]


def states_of(voice: Voice, total: ConversationFigures) -> list[Bar]:
    """How conversations ended, most frequent first."""
    counts = {
        voice.say("Closed by an agent"): total.agent_closed,
        voice.say("Closed by support"): total.support_closed,
        voice.say("Closed by the customer"): total.user_closed,
        voice.say("Closed as idle"): total.idle_timeout,
        voice.say("Expired"): total.expired,
        voice.say("Failed"): total.failed,
    }
    return _bars(counts)


def failures_of(deliveries: DeliveryReport, voice: Voice) -> list[Bar]:
    """Why messages did not arrive, most frequent first."""
    counts = {}
    for error in deliveries.errors:
        reason = voice.reason(error.sentence, error.error_code)
        counts[f"{reason} ({error.error_code})" if error.error_code else reason] = error.count
    return _bars(counts)


def _days(first_day: date, last_day: date) -> list[date]:
    return [first_day + timedelta(days=after) for after in range((last_day - first_day).days + 1)]


def _by_channel(report: ConversationReport, days: Sequence[date]) -> list[Series]:
    """The channels that there were; SMS, where there was nothing at all."""
    opened = {(row.channel, row.day): row.opened for row in report.items}
    found = [channel for channel in Channel if any(opened.get((channel, day)) for day in days)]
    return [
        Series(channel_name(channel), [opened.get((channel, day), 0) for day in days])
        for channel in found or [report.channel or Channel.SMS]
    ]


def _waiting(voice: Voice, title: str, report: DurationReport, days: Sequence[date]) -> Chart:
    by_day = {row.day: row for row in report.items}
    rows = [by_day.get(day) for day in days]
    medians = [row.median_seconds if row else None for row in rows]
    most = [row.p90_seconds if row else None for row in rows]
    series = [Series(voice.say("Half within"), medians), Series(voice.say("Nine of ten within"), most)]
    return Chart(report.name, title, "line", "seconds", days, series)


def _closures(voice: Voice, report: ClosureReport, days: Sequence[date]) -> list[Series]:
    by_day = {row.day: row for row in report.items}
    rows = [by_day.get(day) for day in days]
    return [
        Series(voice.say("All ends"), [row.closed if row else 0 for row in rows]),
        Series(voice.say("Recognised"), [row.by_detector if row else 0 for row in rows]),
        Series(voice.say("Undone"), [row.undone if row else 0 for row in rows]),
    ]


def _bars(counts: dict[str, int]) -> list[Bar]:
    largest = max(counts.values(), default=0)
    found = sorted(counts.items(), key=lambda item: -item[1])
    return [Bar(name, count, largest) for name, count in found if count]
