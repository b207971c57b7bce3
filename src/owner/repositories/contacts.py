"""Customers: who they are, and how they are found."""

from collections.abc import Sequence
from typing import ClassVar, Final

from owner.models.addresses import Address
from owner.models.contact import Contact, ContactFilter
from owner.models.contact_errors import ContactNotFound
from owner.models.entity import Page
from owner.models.errors import InvalidCursor, OwnerError
from owner.models.search_words import after_all_that_begin_with, asked_words, fold
from owner.repositories.base import (
    MAXIMUM_PAGE,
    BaseRepository,
    page_of,
    read_cursor,
    read_position,
    write_cursor,
)
from owner.repositories.contact_words import Asked, ContactWordRepository

_BY_AGE: Final = "contacts"
_BY_NAME: Final = "contacts by name"


class ContactRepository(BaseRepository[Contact]):
    """Customers; whoever changes one has locked it before."""

    entity: ClassVar = Contact
    table: ClassVar = "contacts"
    key: ClassVar = "contact_id"

    async def next_id(self) -> int:
        contact_id: int = await self.connection.fetchval("SELECT nextval('contacts_contact_id_seq')")
        return contact_id

    async def lock(self, contact_id: int) -> Contact:
        """A contact that is to be changed; raises `ContactNotFound`."""
        found = await self.lock_all([contact_id])
        if not found:
            raise self.missing(contact_id)
        return found[0]

    async def lock_all(self, contact_ids: Sequence[int]) -> list[Contact]:
        """Those that are there, in the order of their ids.

        The lock leaves room for new conversations that refer to them, so that it never makes ingest wait.
        """
        rows = await self.connection.fetch(
            "SELECT * FROM contacts WHERE contact_id = ANY ($1) ORDER BY contact_id FOR NO KEY UPDATE",
            contact_ids,
        )
        return [self.read(row) for row in rows]

    async def lock_customers(self, keys: Sequence[int]) -> None:
        """Take the locks under which these customers' messages come in, in one order for everybody."""
        await self.connection.execute(
            "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key", sorted(set(keys))
        )

    async def list_matching(
        self, wanted: ContactFilter, *, address: Address | None, limit: int, cursor: str | None
    ) -> Page[Contact]:
        """One page, newest first; by name where the beginning of a name is asked for.

        `address` is canonical; one of the channel SMS stands for the number on any channel.

        Raises:
            InvalidCursor: the cursor is not from this list.
        """
        query = _Query()
        query.add_filter(wanted, address)
        is_by_name = wanted.name is not None
        words = ContactWordRepository(self.connection)
        for beginning in asked_words(wanted.text) if wanted.text is not None else ():
            query.add_word(await words.look_up(beginning), is_by_name=is_by_name)
        if cursor is not None:
            query.add_cursor(cursor, is_by_name=is_by_name)
        size = min(limit, MAXIMUM_PAGE)
        order = "name_key, contact_id" if is_by_name else "contact_id DESC"
        rows = await self.connection.fetch(query.page(order, size + 1), *query.values)
        return page_of(
            [self.read(row) for row in rows], size, lambda last: _cursor_of(last, is_by_name=is_by_name)
        )

    def missing(self, key: int) -> OwnerError:
        return ContactNotFound(key)


class _Query:
    """Conditions and their values; only what row level security lets through to an index."""

    def __init__(self) -> None:
        self.conditions = ["merged_into_id IS NULL", "erased_at IS NULL"]
        self.values: list[object] = []
        self.words: Sequence[str] = ()  # of which a contact must have one, and by which the list is read

    def page(self, order: str, size: int) -> str:
        """The statement; the contacts of each word are read in the order of the list, as far as the page goes."""
        conditions = " AND ".join(self.conditions)
        if not self.words:
            return f"SELECT * FROM contacts WHERE {conditions} ORDER BY {order} LIMIT {size}"  # nosec B608 # conditions of this module
        stretches = [
            "(SELECT contacts.* FROM contact_words AS held JOIN contacts USING (owner_id, contact_id)"  # nosec B608 # as above
            f" WHERE held.word = {self._place(word)} AND {conditions} ORDER BY held.contact_id DESC LIMIT {size})"
            for word in self.words
        ]
        listed = " UNION ALL ".join(stretches)
        return f"SELECT DISTINCT ON (contact_id) * FROM ({listed}) AS listed ORDER BY {order} LIMIT {size}"  # nosec B608 # as above

    def add_filter(self, wanted: ContactFilter, address: Address | None) -> None:
        if address is not None:
            self._add_address(address)
        if wanted.name is not None:
            self._add_range("name_key", fold(wanted.name))
        if wanted.blocked is not None:
            self.conditions.append(f"blocked_at IS {'NOT ' if wanted.blocked else ''}NULL")
        if wanted.opted_out is not None:
            self.conditions.append(
                f"{'' if wanted.opted_out else 'NOT '}EXISTS (SELECT FROM contact_addresses AS refusing"  # nosec B608 # a word of this module
                " WHERE refusing.contact_id = contacts.contact_id AND refusing.opted_out_at IS NOT NULL)"
            )

    def add_word(self, asked: Asked, *, is_by_name: bool) -> None:
        if asked.contact_ids is not None:
            self.conditions.append(f"contacts.contact_id = ANY ({self._place(asked.contact_ids)}::bigint[])")
        elif asked.words is not None and not self.words and not is_by_name:
            self.words = asked.words
        else:
            # A scalar, because Postgres would turn EXISTS into a join that reads all who have the word.
            which = f"word >= {self._place(asked.beginning)} AND word < {self._place(asked.end)}"
            own = f"one.contact_id = {'held' if self.words else 'contacts'}.contact_id"
            self.conditions.append(f"(SELECT true FROM contact_words AS one WHERE {own} AND {which} LIMIT 1)")  # nosec B608 # names and places of this module

    def add_cursor(self, cursor: str, *, is_by_name: bool) -> None:
        if not is_by_name:
            self.conditions.append(f"contacts.contact_id < {self._place(read_cursor(cursor, _BY_AGE))}")
            return
        match read_position(cursor, _BY_NAME):
            case [str() as name_key, int() as contact_id] if 0 <= contact_id < 2**63:
                name, after = self._place(name_key), self._place(contact_id)
                self.conditions.append(f"(name_key, contact_id) > ({name}, {after})")
            case _:
                raise InvalidCursor(field="cursor")

    def _add_address(self, address: Address) -> None:
        condition = f"address = {self._place(address.value)}"
        if address.channel != "SMS":
            condition += f" AND channel = {self._place(address.channel)}"
        found = f"SELECT contact_id FROM contact_addresses WHERE {condition}"  # nosec B608 # names of this module
        self.conditions.append(f"contacts.contact_id IN ({found})")

    def _add_range(self, column: str, beginning: str) -> None:
        after = after_all_that_begin_with(beginning)
        self.conditions.append(f"{column} >= {self._place(beginning)} AND {column} < {self._place(after)}")

    def _place(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def _cursor_of(last: Contact, *, is_by_name: bool) -> str:
    if is_by_name:
        return write_cursor([last.name_key, last.contact_id], _BY_NAME)
    return write_cursor(last.contact_id, _BY_AGE)
