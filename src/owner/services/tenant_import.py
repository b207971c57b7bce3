"""Brings in a tenant from a file: all of it or nothing."""

import secrets
from base64 import b64decode
from binascii import Error as Base64Error
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from owner.db.connections import allow_long_work
from owner.db.database import Database
from owner.models.errors import AlreadyExists, BrokenTransferFile, OwnerError, SchemaOutdated
from owner.models.transfer import EMPTIED, REPLACED, REPLACED_BY, Header, Trailer, Transferred
from owner.repositories.owners import OwnerRepository
from owner.repositories.tenant_tables import RowRefused, TenantTable, TenantTableRepository
from owner.services.media import MAXIMUM_BYTES, media_key
from owner.services.ports import MediaStore, SecretBox
from owner.services.transfer_lines import ChunkLine, RowLine, TrailerLine, TransferLines

Told = Callable[[int], None]
_ROWS: Final = 500  # of one statement at most
_BYTES: Final = 4 * 1024 * 1024  # likewise

_TAKEN: Final = {
    "owners_pkey": "There is an owner {owner_id} already: erase it first, or import with --as-new.",
    "owners_email_key": "The e-mail {email} is another owner's: give another one with --email.",
    "channel_addresses_one_owner": (
        "{channel} {address} is connected to another owner: disconnect it there, or import with --as-new, "
        "which leaves it out."
    ),
    "twilio_accounts_webhook_key_key": (
        "The webhook key of account {account_sid} is another owner's: import with --as-new, which makes a new one."
    ),
}


@dataclass(slots=True)
class _Run:
    """One import: what is to be done, what is done."""

    header: Header
    owner_id: int
    as_new: bool
    email: str | None
    repository: TenantTableRepository
    done: Transferred
    read: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    waiting: list[RowLine] = field(default_factory=list)
    waiting_bytes: int = 0
    references: dict[tuple[str, str], dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    stored: list[int] = field(default_factory=list)  # files
    media_id: int | None = None  # of the file that is being read
    content: bytearray = field(default_factory=bytearray)


class TenantImportService:
    """Brings a tenant in."""

    def __init__(self, database: Database, *, secrets_box: SecretBox, store: MediaStore) -> None:
        self.database = database
        self.secrets_box = secrets_box
        self.store = store

    async def load(
        self,
        lines: Iterable[bytes],
        *,
        as_new: bool = False,
        email: str | None = None,
        told: Told = lambda _rows: None,
    ) -> Transferred:
        """Store all rows and files; `as_new` under a new owner id, for a copy beside the original.

        Raises:
            BrokenTransferFile: a line is not what it should be, or the file ends early.
            AlreadyExists: something that one owner only can have is another's.
        """
        revision = (await self.database.schema()).revision
        if revision is None:
            raise SchemaOutdated
        file = TransferLines(lines, revision=revision)
        owner_id = await self._new_id() if as_new else file.header.owner_id
        async with self.database.owner(owner_id) as connection:
            await allow_long_work(connection)
            repository = TenantTableRepository(connection)
            run = _Run(file.header, owner_id, as_new, email, repository, Transferred(owner_id))
            try:
                await self._load(run, file, told)
            except BaseException:
                for media_id in run.stored:
                    await self.store.delete(media_key(owner_id, media_id))
                raise
        return run.done

    async def _new_id(self) -> int:
        async with self.database.system() as connection:
            return await OwnerRepository(connection).next_id()

    async def _load(self, run: _Run, file: TransferLines, told: Told) -> None:
        tables = {table.name: table for table in await run.repository.tables()}
        for line in file.read(tables):
            match line:
                case RowLine():
                    await self._take_row(run, line, told)
                case ChunkLine():
                    await self._store_rows(run, told)
                    await self._take_chunk(run, line)
                case TrailerLine(trailer=trailer):
                    await self._store_rows(run, told)
                    _check_completeness(run, trailer)
        for (name, column), references in run.references.items():
            await run.repository.point(tables[name], column, references)
        if run.as_new:
            await run.repository.make_quiet()
        await run.repository.advance_identities()

    async def _take_row(self, run: _Run, line: RowLine, told: Told) -> None:
        is_other = bool(run.waiting) and run.waiting[0].table.name != line.table.name
        if is_other or len(run.waiting) >= _ROWS or run.waiting_bytes >= _BYTES:
            await self._store_rows(run, told)
        run.waiting.append(line)
        run.waiting_bytes += len(line.text)
        run.read[line.table.name] += 1

    async def _store_rows(self, run: _Run, told: Told) -> None:
        if not run.waiting:
            return
        lines, run.waiting, run.waiting_bytes = run.waiting, [], 0
        table = lines[0].table
        patches = [self._patch(run, line) for line in lines]
        try:
            stored = await self._insert(run, lines, patches)
        except RowRefused:
            # One of them is not as it should be: one by one they tell which.
            stored = 0
            for line, patch in zip(lines, patches, strict=True):
                try:
                    stored += await self._insert(run, [line], [patch])
                except RowRefused as refusal:
                    raise _explained(run, line, patch, refusal) from refusal
        run.done.rows[table.name] = run.done.rows.get(table.name, 0) + stored
        if stored < len(lines):
            run.done.left_out[table.name] = run.done.left_out.get(table.name, 0) + len(lines) - stored
        told(len(lines))

    async def _insert(self, run: _Run, lines: list[RowLine], patches: list[dict[str, Any]]) -> int:
        return await run.repository.insert(
            lines[0].table,
            [line.text for line in lines],
            patches,
            owner_id=run.owner_id,
            skips_taken=run.as_new and lines[0].table.name not in {"owners", "twilio_accounts"},
        )

    def _patch(self, run: _Run, line: RowLine) -> dict[str, Any]:
        """What is stored otherwise than it stands in the file."""
        patch: dict[str, Any] = {}
        name, row = line.table.name, line.row
        if name == "owners" and run.email is not None:
            patch["email"] = run.email
        if name == "twilio_accounts" and run.as_new:
            patch["webhook_key"] = secrets.token_urlsafe(24)
        secret = REPLACED.get(name)
        if secret is not None and self._is_replaced(run, name, row.get(secret)):
            patch[secret] = f"\\x{self.secrets_box.encrypt(secrets.token_urlsafe(32)).hex()}"
        if not run.header.has_secrets:
            patch |= {column: "" for column in EMPTIED.get(name, ()) if _is_needed(line.table, column)}
        for column in line.table.self_references:
            reference = row.get(column)
            if isinstance(reference, int) and reference >= row[line.table.key[-1]]:
                run.references[name, column][row[line.table.key[-1]]] = reference
                patch[column] = None
        return patch

    def _is_replaced(self, run: _Run, name: str, secret: object) -> bool:
        """A copy does not get the original's Twilio token, with which it would write to its customers."""
        return secret == REPLACED_BY or (run.as_new and name == "twilio_accounts" and secret is not None)

    async def _take_chunk(self, run: _Run, line: ChunkLine) -> None:
        chunk = line.chunk
        if run.media_id not in {None, chunk.media}:
            raise BrokenTransferFile(f"file {run.media_id} is not complete yet.", line=line.number)
        run.media_id = chunk.media
        try:
            run.content += b64decode(chunk.base64, validate=True)
        except Base64Error as problem:
            raise BrokenTransferFile(f"base64: {problem}.", line=line.number) from problem
        if len(run.content) + chunk.left > MAXIMUM_BYTES:
            raise BrokenTransferFile(
                f"file {chunk.media} is larger than {MAXIMUM_BYTES} bytes.", line=line.number
            )
        if chunk.left == 0:
            content, run.content, run.media_id = bytes(run.content), bytearray(), None
            if await run.repository.media_sum(chunk.media) != sha256(content).digest():
                raise BrokenTransferFile(
                    f"file {chunk.media} is not the one that its row tells of.", line=line.number
                )
            run.stored.append(chunk.media)
            await self.store.put(media_key(run.owner_id, chunk.media), content)
            run.done.files += 1


def _is_needed(table: TenantTable, column: str) -> bool:
    return column in table.columns and column not in table.nullable_columns


def _check_completeness(run: _Run, trailer: Trailer) -> None:
    if run.media_id is not None:
        raise BrokenTransferFile(f"File {run.media_id} is not complete.")
    told = {name: count for name, count in trailer.rows.items() if count}
    if told != dict(run.read) or trailer.files != run.done.files:
        raise BrokenTransferFile(
            "Lines are missing: the file holds fewer rows or files than its last line says."
        )
    if run.read["owners"] != 1:
        raise BrokenTransferFile("The owner itself is not in the file.")


def _explained(run: _Run, line: RowLine, patch: dict[str, Any], refusal: RowRefused) -> OwnerError:
    if refusal.is_taken and refusal.constraint in _TAKEN:
        words = {**line.row, **patch, "owner_id": run.owner_id}
        return AlreadyExists(_TAKEN[refusal.constraint].format_map(words))
    if refusal.is_taken and refusal.constraint in line.table.unique_across_owners:
        return AlreadyExists(
            f"Another owner has what may exist once only ({line.table.name}): import with --as-new, which leaves it out."
        )
    return BrokenTransferFile(f"{line.table.name}: {refusal}.", line=line.number)
