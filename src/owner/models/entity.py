"""What every entity and every data transfer object share."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

T = TypeVar("T")


class Entity(BaseModel):
    """A row with behaviour; it decides, a repository only loads and stores it."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class DTO(BaseModel):
    """What crosses the border: unknown fields are refused, so that a typo is no silent loss."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class Page(DTO, Generic[T]):
    """One page of a list; `next_cursor` is null on the last."""

    items: Sequence[T]
    next_cursor: str | None = None


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A point in time with its zone, shown in UTC."""
