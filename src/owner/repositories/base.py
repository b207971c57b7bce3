"""Generic create, read, update, delete and keyset pages; what they see is what row level security shows."""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar

import asyncpg
from pydantic_core import from_json, to_json

from owner.db.database import Connection, note_change
from owner.models.entity import Entity, Page
from owner.models.errors import AlreadyExists, InvalidCursor, NotFound, OwnerError

E = TypeVar("E", bound=Entity)
MAXIMUM_PAGE: Final = 100
_BIGINT: Final = 2**63


class BaseRepository(Generic[E]):
    """What every noun's repository can do; `key` is the column beside `owner_id` that identifies a row."""

    entity: ClassVar[type[Entity]]
    table: ClassVar[str]
    key: ClassVar[str]
    is_remembered: ClassVar = False  # by processes, which have to hear of changes

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def get(self, key: int, *, for_update: bool = False) -> E:
        """Load one row, locked until the transaction ends if it is to be changed.

        Raises:
            NotFound: there is none, or it is another owner's.
        """
        found = await self.find(key, for_update=for_update)
        if found is None:
            raise self.missing(key)
        return found

    async def find(self, key: int, *, for_update: bool = False) -> E | None:
        lock = " FOR UPDATE" if for_update else ""
        row = await self.connection.fetchrow(f"SELECT * FROM {self.table} WHERE {self.key} = $1{lock}", key)  # nosec B608 # names of this class
        return self.read(row) if row else None

    async def find_where(self, **values: object) -> E | None:
        """The only row with these values; None where there is none."""
        rows = await self.list_where(**values)
        return rows[0] if rows else None

    async def list_where(self, **values: object) -> list[E]:
        """All rows with these values, by key: for what is small by nature."""
        where = " AND ".join(f"{column} = ${place}" for place, column in enumerate(values, 1)) or "true"
        rows = await self.connection.fetch(
            f"SELECT * FROM {self.table} WHERE {where} ORDER BY {self.key}",  # nosec B608 # names of this code
            *values.values(),
        )
        return [self.read(row) for row in rows]

    async def list_page(
        self, *, limit: int, cursor: str | None = None, where: Mapping[str, object] | None = None
    ) -> Page[E]:
        """One page, newest first; `where` compares columns, and leaves out what is None.

        Raises:
            InvalidCursor: the cursor is not from this list.
        """
        conditions: dict[str, object] = {
            f"{column} =": value for column, value in (where or {}).items() if value is not None
        }
        if cursor is not None:
            conditions[f"{self.key} <"] = read_cursor(cursor, self.table)
        sql = " AND ".join(f"{condition} ${place}" for place, condition in enumerate(conditions, 1)) or "true"
        size = min(limit, MAXIMUM_PAGE)
        rows = await self.connection.fetch(
            f"SELECT * FROM {self.table} WHERE {sql} ORDER BY {self.key} DESC LIMIT {size + 1}",  # nosec B608 # names of this code
            *conditions.values(),
        )
        return page_of(
            [self.read(row) for row in rows],
            size,
            lambda last: write_cursor(getattr(last, self.key), self.table),
        )

    async def add(self, values: Mapping[str, object]) -> E:
        """Insert one row and return it as stored, with what the database filled in.

        Raises:
            AlreadyExists: a unique constraint forbids it.
        """
        columns = ", ".join(values)
        places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
        try:
            row = await self.connection.fetchrow(
                f"INSERT INTO {self.table} ({columns}) VALUES ({places}) RETURNING *",  # nosec B608 # names of this code
                *values.values(),
            )
        except asyncpg.UniqueViolationError as problem:
            raise self.taken(problem.constraint_name or "") from problem
        assert row is not None
        return self.read(row)

    async def save(self, entity: E) -> None:
        """Store every column of a row that was loaded for update.

        Raises:
            AlreadyExists: a unique constraint forbids it.
        """
        values = {name: getattr(entity, name) for name in type(entity).model_fields}
        owner_id, key = values["owner_id"], values[self.key]
        for identity in {"owner_id", self.key}:  # one and the same on an owner's own row
            del values[identity]
        changes = ", ".join(f"{column} = ${place}" for place, column in enumerate(values, 3))
        try:
            result = await self.connection.execute(
                f"UPDATE {self.table} SET {changes} WHERE owner_id = $1 AND {self.key} = $2",  # nosec B608 # names of this code
                owner_id,
                key,
                *(_stored(value) for value in values.values()),
            )
        except asyncpg.UniqueViolationError as problem:
            raise self.taken(problem.constraint_name or "") from problem
        if result != "UPDATE 1":
            raise self.missing(key)
        if self.is_remembered:
            await note_change(self.connection)

    async def delete(self, key: int) -> None:
        result = await self.connection.execute(f"DELETE FROM {self.table} WHERE {self.key} = $1", key)  # nosec B608 # names of this class
        if result != "DELETE 1":
            raise self.missing(key)

    def read(self, row: asyncpg.Record) -> E:
        return self.entity.model_validate(dict(row))  # type: ignore[return-value]  # subclasses set `entity` to E

    def missing(self, key: int) -> OwnerError:
        return NotFound(f"There is no {self.entity.__name__} {key}.")

    def taken(self, _constraint: str) -> OwnerError:
        return AlreadyExists(f"There is such a {self.entity.__name__} already.")


def page_of(rows: list[E], size: int, cursor_of: Callable[[E], str]) -> Page[E]:
    """A page of `size` from rows that were fetched with one more, to see whether there is a next."""
    has_next = len(rows) > size
    items = rows[:size]
    return Page[E].model_construct(items=items, next_cursor=cursor_of(items[-1]) if has_next else None)


Position: TypeAlias = int | Sequence[int | str | None]


def write_cursor(position: Position, list_name: str) -> str:
    """An opaque cursor; the sum tells a changed one, and one of another list, from ours."""
    payload = to_json(position)
    return urlsafe_b64encode(_sum(payload, list_name) + payload).decode().rstrip("=")


def read_cursor(cursor: str, list_name: str) -> int:
    """The position in a cursor of a list that is ordered by one number.

    Raises:
        InvalidCursor: it was changed, or comes from another list.
    """
    position = _read(cursor, list_name)
    if not isinstance(position, int) or not 0 <= position < _BIGINT:
        raise InvalidCursor(field="cursor")
    return position


def read_position(cursor: str, list_name: str) -> list[Any]:
    """The position in a cursor of a list that is ordered by several values; raises `InvalidCursor`.

    The list's name has to tell its order too, because a position means nothing in another one.
    """
    position = _read(cursor, list_name)
    if not isinstance(position, list):
        raise InvalidCursor(field="cursor")
    return position


def read_moment(text: object) -> datetime:
    """A moment in a position; raises `InvalidCursor` for one that Postgres could not hold either."""
    try:
        moment = datetime.fromisoformat(str(text))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as problem:
        raise InvalidCursor(field="cursor") from problem
    raise InvalidCursor(field="cursor")


def _read(cursor: str, list_name: str) -> object:
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        position: object = from_json(raw[4:])
    except (ValueError, UnicodeEncodeError) as problem:
        raise InvalidCursor(field="cursor") from problem
    # The sum is no secret: whoever makes one up may put anything into it, also what Postgres can't compare with.
    if _sum(raw[4:], list_name) != raw[:4] or b"\\u0000" in raw:
        raise InvalidCursor(field="cursor")
    return position


def _sum(payload: bytes, list_name: str) -> bytes:
    return zlib.crc32(payload, zlib.crc32(list_name.encode())).to_bytes(4, "big")


def _stored(value: object) -> object:
    if isinstance(value, Entity):
        return value.model_dump(mode="json")
    return value
