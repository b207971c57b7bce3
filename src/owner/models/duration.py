"""Durations as the API takes and shows them: ISO 8601 without months and years, or whole minutes."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

LONGEST: Final = timedelta(days=1_000) - timedelta(seconds=1)

# Each alternative is at least a minute and at most `LONGEST`, so that whatever matches is good.
_DAYS: Final = r"[1-9]\d{0,2}D(?:T(?=\d)(?:(?:1?\d|2[0-3])H)?(?:[1-5]?\dM)?(?:[1-5]?\dS)?)?"
_TIME: Final = (
    r"T(?:[1-9]\d{0,3}H(?:\d{1,2}M)?(?:\d{1,2}S)?|[1-9]\d{0,5}M(?:\d{1,2}S)?|(?:[6-9]\d|[1-9]\d{2,6})S)"
)
_LIMIT_PATTERN: Final = rf"^P(?:{_DAYS}|{_TIME})$"
_GRACE_PATTERN: Final = (
    r"^P(?:7D|[1-6]D(?:T(?=\d)(?:(?:1?\d|2[0-3])H)?(?:[1-5]?\dM)?(?:[1-5]?\dS)?)?"
    r"|T(?:\d{1,2}H(?:\d{1,2}M)?(?:\d{1,2}S)?|\d{1,4}M(?:\d{1,2}S)?|\d{1,5}S))$"
)
_PARTS: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def iso_duration(value: timedelta) -> str:
    """The shortest way to write a duration in days, hours, minutes and seconds."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    date = f"{days}D" if days else ""
    time = "".join(
        f"{amount}{unit}" for amount, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if amount
    )
    return f"P{date}{'T' if time else ''}{time}" if date or time else "PT0S"


def _reads(pattern: str, *, at_least: int, at_most: int) -> BeforeValidator:
    """A number is minutes, as in the rest of the API."""
    accepted = re.compile(pattern)

    def read(given: Any) -> timedelta:
        if isinstance(given, timedelta):
            return given
        if isinstance(given, str) and given.isascii() and accepted.fullmatch(given):
            return _parse(given)
        is_whole = isinstance(given, int | float) and not isinstance(given, bool) and given == given // 1
        if is_whole and at_least <= given <= at_most:
            return timedelta(minutes=int(given))
        raise ValueError(
            f"a duration is written like P1D, PT24H or PT90M, or is a whole number of minutes from {at_least} to {at_most}"
        )

    return BeforeValidator(read)


def _parse(text: str) -> timedelta:
    parts = _PARTS.fullmatch(text)
    assert parts is not None, "the pattern let it through"
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _described(pattern: str, *, at_least: int, at_most: int, examples: list[str]) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": pattern.replace(r"\d", "[0-9]"), "description": "ISO 8601"},
                {"type": "integer", "minimum": at_least, "maximum": at_most, "description": "minutes"},
            ],
            "examples": examples,
        },
        mode="validation",
    )


_SHOWN: Final = PlainSerializer(iso_duration, return_type=str, when_used="json")
_SHOWN_SCHEMA: Final = WithJsonSchema(
    {"type": "string", "description": "ISO 8601", "examples": ["PT24H"]}, mode="serialization"
)
_LONGEST_LIMIT: Final = LONGEST // timedelta(minutes=1)
_LONGEST_GRACE: Final = 7 * 24 * 60

LimitDuration = Annotated[
    timedelta,
    _reads(_LIMIT_PATTERN, at_least=1, at_most=_LONGEST_LIMIT),
    _described(_LIMIT_PATTERN, at_least=1, at_most=_LONGEST_LIMIT, examples=["PT24H", "PT90M"]),
]
"""How long something may live: from a minute to `LONGEST`."""

GraceDuration = Annotated[
    timedelta,
    _reads(_GRACE_PATTERN, at_least=0, at_most=_LONGEST_GRACE),
    _described(_GRACE_PATTERN, at_least=0, at_most=_LONGEST_GRACE, examples=["PT10M", "PT0S"]),
]
"""How long something can be undone: from not at all to a week."""

ShownDuration = Annotated[timedelta, _SHOWN, _SHOWN_SCHEMA]
"""A duration of an answer, which is never taken as input."""
