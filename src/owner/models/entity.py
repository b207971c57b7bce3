"""What every entity and every data transfer object share."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any, Final, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    WithJsonSchema,
    model_validator,
)

T = TypeVar("T")
DEEPEST: Final = 32  # levels of JSON; what reads and writes it has limits of its own, of which nobody is told
# Something else than blanks. JSON Schema, Rust and Python differ in what \s is, so what they differ in is named.
VISIBLE: Final = r"[^\s\x1c-\x1f\x85\ufeff]"
BLANKS: Final = r"[\s\x85]*"  # at both ends, where they are taken away
STRIPPED: Final = AfterValidator(
    str.strip
)  # only then, so that lengths and patterns are those of what was sent
CONTROLS: Final = r"\x00-\x1f\x7f-\x9f"  # within brackets
LARGEST_ID: Final = 2**62  # Postgres takes one bit more, which JSON's numbers can't tell from the next


class Entity(BaseModel):
    """A row with behaviour; it decides, a repository only loads and stores it."""

    # A newer version may have added columns already while this one still serves.
    model_config = ConfigDict(extra="ignore", from_attributes=True)


class DTO(BaseModel):
    """What crosses the border: unknown fields are refused, so that a typo is no silent loss."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, given: Any) -> Any:
        """Postgres has no NUL and no half characters, and JSON no infinity: refused before they get there."""
        if isinstance(given, dict) and not _is_storable(given, levels=DEEPEST):
            raise ValueError(
                "text must not contain the character NUL or half of a surrogate pair, numbers must be finite,"
                f" and nothing may be nested deeper than {DEEPEST} levels"
            )
        return given


class Update(DTO):
    """What a PATCH changes: a field that is left out stays as it is.

    Where null clears a field, it is declared `X | None = None`; where it is refused, `X = Field(default_factory=absent)`.
    """

    def changes(self) -> dict[str, Any]:
        """The fields that were given."""
        return {
            name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set
        }


def absent() -> Any:
    """What a field holds that was left out; nobody reads it, and no schema shows it as a default."""
    return None


class Page(DTO, Generic[T]):
    """One page of a list; `next_cursor` is null on the last."""

    items: Sequence[T]
    next_cursor: str | None = None


def _is_storable(value: Any, *, levels: int) -> bool:
    if levels < 0:
        return False
    if isinstance(value, str):
        return "\x00" not in value and (value.isascii() or not any(map(_is_surrogate, value)))
    if isinstance(value, dict):
        return all(
            _is_storable(name, levels=0) and _is_storable(inner, levels=levels - 1)
            for name, inner in value.items()
        )
    if isinstance(value, float):
        return isfinite(value)
    return not isinstance(value, list | tuple) or all(
        _is_storable(inner, levels=levels - 1) for inner in value
    )


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


_RFC_3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def _written(value: object) -> object:
    """Refuse what Pydantic would guess a moment from: numbers, dates without a time."""
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        return value
    raise ValueError("must be a moment with its zone, such as 2026-11-25T14:30:00Z")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as problem:
        raise ValueError("must be between the years 1 and 9999 in UTC") from problem


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A point in time with its zone, shown in UTC."""

GivenMoment = Annotated[
    AwareDatetime,
    BeforeValidator(_written),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time as a caller writes it: RFC 3339 and nothing else."""
