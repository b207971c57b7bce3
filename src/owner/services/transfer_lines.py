"""Reads the lines of a tenant's file, and says of each what is wrong with it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from owner.models.errors import BrokenTransferFile
from owner.models.transfer import FORMAT, LARGEST_ID, LONGEST_LINE, VERSION, Header, MediaChunk, Trailer
from owner.repositories.tenant_tables import TenantTable

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RowLine:
    """A row of a table, as it stands in the file."""

    number: int
    table: TenantTable
    text: str
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChunkLine:
    """A part of a file."""

    number: int
    chunk: MediaChunk


@dataclass(frozen=True, slots=True)
class TrailerLine:
    """The end."""

    number: int
    trailer: Trailer


class TransferLines:
    """The file; each line raises `BrokenTransferFile` if it is not what it should be."""

    def __init__(self, lines: Iterable[bytes], *, revision: str) -> None:
        self._lines = enumerate(lines, 1)
        self.header = self._read_header(revision)

    def _read_header(self, revision: str) -> Header:
        number, line = next(self._lines, (1, b""))
        told = _object(line, number) if line.strip() else {}
        if told.get("format") != FORMAT:
            raise BrokenTransferFile("this is no file of `owner tenant export`.", line=number)
        if told.get("version") != VERSION:
            raise BrokenTransferFile(
                f"the file has format version {told.get('version')}, this program reads {VERSION}.",
                line=number,
            )
        header = _read(Header, told, number)
        if header.schema_revision != revision:
            raise BrokenTransferFile(
                f"the file is of schema revision {header.schema_revision}, this database of {revision}: "
                "bring both installations to the same version and export again.",
                line=number,
            )
        return header

    def read(self, tables: dict[str, TenantTable]) -> Iterator[RowLine | ChunkLine | TrailerLine]:
        """What follows the header, ended by a trailer."""
        number = 1
        for number, line in self._lines:
            told = _object(line, number)
            if "end" in told:
                yield TrailerLine(number, _read(Trailer, told, number))
                self._refuse_more()
                return
            if "media" in told:
                yield ChunkLine(number, _read(MediaChunk, told, number))
            else:
                yield self._row(told, line, number, tables)
        raise BrokenTransferFile(f"The file ends early, after line {number}.")

    def _row(self, told: dict[str, Any], line: bytes, number: int, tables: dict[str, TenantTable]) -> RowLine:
        name, row = told.get("table"), told.get("row")
        if set(told) != {"table", "row"} or not isinstance(row, dict):
            raise BrokenTransferFile('it needs a "table" and a "row", and nothing else.', line=number)
        table = tables.get(name) if isinstance(name, str) else None
        if table is None:
            raise BrokenTransferFile(f"there is no table {name!r}.", line=number)
        unknown = sorted(set(row) - set(table.carried_columns))
        if unknown:
            raise BrokenTransferFile(f"{name} has no column {unknown[0]!r}.", line=number)
        if row.get("owner_id") != self.header.owner_id:
            raise BrokenTransferFile("the row is of another owner than the file.", line=number)
        for column in table.identity_columns:
            _check_id(row.get(column), column, number)
        return RowLine(number, table, line.decode(), row)

    def _refuse_more(self) -> None:
        for number, line in self._lines:
            if line.strip():
                raise BrokenTransferFile("something comes after the end.", line=number)


def _check_id(value: object, column: str, number: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LARGEST_ID:
        raise BrokenTransferFile(f"{column} is no id: a whole number from 1 to {LARGEST_ID}.", line=number)


def _object(line: bytes, number: int) -> dict[str, Any]:
    if len(line) >= LONGEST_LINE:
        raise BrokenTransferFile(f"it is longer than {LONGEST_LINE} bytes.", line=number)
    try:
        told = from_json(line, allow_inf_nan=False)
    except ValueError as problem:
        raise BrokenTransferFile(f"it is no JSON: {problem}.", line=number) from problem
    if not isinstance(told, dict):
        raise BrokenTransferFile("it is no JSON object.", line=number)
    return told


def _read(model: type[M], told: dict[str, Any], number: int) -> M:
    try:
        return model.model_validate(told)
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BrokenTransferFile(f"{place}: {first['msg']}.", line=number) from problem
