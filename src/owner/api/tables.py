"""Writes tables as CSV that a spreadsheet opens without running anything in it."""

import csv
import io
from collections.abc import Sequence
from typing import Final

from owner.models.entity import DTO

_STARTS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_of(row_type: type[DTO], rows: Sequence[DTO]) -> str:
    """A heading and the rows, RFC 4180; what would be taken for a formula gets an apostrophe in front."""
    names = _columns(row_type)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows:
        shown = row.model_dump(mode="json")
        writer.writerow([_cell(shown[name]) for name in names])
    return text.getvalue()


def _columns(row_type: type[DTO]) -> list[str]:
    """What a row is about comes before its figures."""
    own = [name for name in row_type.__annotations__ if name in row_type.model_fields]
    return [*own, *(name for name in row_type.model_fields if name not in own)]


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_STARTS_FORMULA):
        return f"'{value}"
    return value
