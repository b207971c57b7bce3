"""Turns sums of days into the figures of reports."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final, TypeVar

from owner.models.entity import DTO
from owner.models.enums import Channel, ConversationStatus
from owner.models.fact import DayFigures, FactKind
from owner.models.histogram import percentiles, total_of
from owner.models.report import (
    ClosureFigures,
    ClosureRow,
    ConversationFigures,
    ConversationRow,
    DeliveryError,
    DeliveryFigures,
    DeliveryRow,
    DurationFigures,
    DurationRow,
    Grouping,
    Period,
)

R = TypeVar("R", bound=DTO)
CONVERSATION_KINDS: Final[Mapping[FactKind, str]] = {
    FactKind.OPENED: "opened",
    FactKind.CLOSED: "closed",
    FactKind.REOPENED: "reopened",
}
CLOSURE_KINDS: Final[Mapping[FactKind, str]] = {
    FactKind.CLOSED: "closed",
    FactKind.CLOSURE_MADE: "by_detector",
    FactKind.CLOSURE_SUSPECTED: "suspected",
    FactKind.CLOSURE_ASKED: "asked",
    FactKind.CLOSURE_CONFIRMED: "confirmed",
    FactKind.CLOSURE_DENIED: "denied",
    FactKind.CLOSURE_SHADOWED: "shadowed",
    FactKind.CLOSURE_UNDONE: "undone",
}
DELIVERY_KINDS: Final[Mapping[FactKind, str]] = {
    kind: kind.removeprefix("MESSAGE_").lower() for kind in FactKind if kind.startswith("MESSAGE_")
}
_FAILURES: Final = (FactKind.MESSAGE_FAILED, FactKind.MESSAGE_UNDELIVERED)


def durations(found: Sequence[DayFigures]) -> DurationFigures:
    count = sum(figures.count for figures in found)
    median, p90 = percentiles(total_of([figures.histogram for figures in found]), 0.5, 0.9)
    return DurationFigures(
        count=count,
        median_seconds=_rounded(median),
        p90_seconds=_rounded(p90),
        mean_seconds=_rounded(sum(figures.seconds for figures in found) / count) if count else None,
    )


def duration_rows(found: Sequence[DayFigures], period: Period, group: Grouping) -> list[DurationRow]:
    return _rows(DurationRow, durations, found, period, group)


def conversations(found: Sequence[DayFigures]) -> ConversationFigures:
    ended: dict[str, int] = defaultdict(int)
    for figures in found:
        if figures.kind is FactKind.CLOSED and figures.label in ConversationStatus.__members__:
            ended[figures.label.lower()] += figures.count
    return ConversationFigures(**_counts(CONVERSATION_KINDS, found), **ended)


def conversation_rows(found: Sequence[DayFigures], period: Period, group: Grouping) -> list[ConversationRow]:
    return _rows(ConversationRow, conversations, found, period, group)


def closures(found: Sequence[DayFigures]) -> ClosureFigures:
    counts = _counts(CLOSURE_KINDS, found)
    return ClosureFigures(
        **counts,
        detection_rate=_rate(counts["by_detector"], counts["closed"]),
        undo_rate=_rate(counts["undone"], counts["by_detector"]),
    )


def closure_rows(found: Sequence[DayFigures], period: Period, group: Grouping) -> list[ClosureRow]:
    if group.is_by_day or group.is_by_channel:
        return _rows(ClosureRow, closures, found, period, group)
    by_version: dict[str, list[DayFigures]] = defaultdict(list)
    for figures in found:
        if figures.kind is not FactKind.CLOSED:  # whose label is a status
            by_version[figures.label].append(figures)
    return [
        ClosureRow(version=version, **dict(closures(by_version[version]))) for version in sorted(by_version)
    ]


def deliveries(found: Sequence[DayFigures]) -> DeliveryFigures:
    return DeliveryFigures(**_counts(DELIVERY_KINDS, found))


def delivery_rows(found: Sequence[DayFigures], period: Period, group: Grouping) -> list[DeliveryRow]:
    return _rows(DeliveryRow, deliveries, found, period, group)


def delivery_errors(
    found: Sequence[DayFigures], explains: Callable[[int | None], str]
) -> list[DeliveryError]:
    """Why messages did not arrive, the most frequent reason first."""
    by_code: dict[int | None, list[DayFigures]] = defaultdict(list)
    for figures in found:
        if figures.kind in _FAILURES:
            by_code[int(figures.label) if figures.label else None].append(figures)
    errors = [
        DeliveryError(
            error_code=code,
            sentence=explains(code),
            count=sum(figures.count for figures in members),
            **_counts({kind: DELIVERY_KINDS[kind] for kind in _FAILURES}, members),
        )
        for code, members in by_code.items()
    ]
    return sorted(errors, key=lambda error: (-error.count, error.error_code or 0))


def _rows(
    row: Callable[..., R],
    figures_of: Callable[[Sequence[DayFigures]], DTO],
    found: Sequence[DayFigures],
    period: Period,
    group: Grouping,
) -> list[R]:
    """A row for every day of the period, also where nothing happened, and for every channel that there was."""
    channels = sorted({figures.channel for figures in found if figures.channel is not None})
    members: dict[tuple[date | None, Channel | None], list[DayFigures]] = {
        (day, channel): []
        for day in (period.days() if group.is_by_day else (None,))
        for channel in (channels if group.is_by_channel else (None,))
    }
    for figures in found:
        place = (figures.day if group.is_by_day else None, figures.channel if group.is_by_channel else None)
        members[place].append(figures)
    return [
        row(day=day, channel=channel, **dict(figures_of(those))) for (day, channel), those in members.items()
    ]


def _counts(kinds: Mapping[FactKind, str], found: Sequence[DayFigures]) -> dict[str, int]:
    counts = dict.fromkeys(kinds.values(), 0)
    for figures in found:
        counts[kinds[figures.kind]] += figures.count
    return counts


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
