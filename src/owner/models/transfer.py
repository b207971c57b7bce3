"""One tenant as a file of JSON lines: what is in it, and what is not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from pydantic import Field, PositiveInt

from owner.models.entity import DTO, Moment

FORMAT: Final = "owner-tenant"
VERSION: Final = 1
LONGEST_LINE: Final = 64 * 1024 * 1024  # bytes
CHUNK: Final = 1024 * 1024  # bytes of a file in one line
LARGEST_ID: Final = 2**52  # beyond it JSON numbers lose their last digit elsewhere

# What `--without-secrets` leaves out. Rows that are nothing without their secret are left out whole, secrets that
# a row can do without are emptied, and those that it can't do without are replaced at the import by ones that
# open nothing.
SECRET_ROWS: Final = frozenset(
    {"api_keys", "idempotency_keys", "one_time_links", "recovery_codes", "sessions", "suppression_keys"}
)
EMPTIED: Final[Mapping[str, frozenset[str]]] = {
    "twilio_accounts": frozenset({"previous_auth_token_encrypted"}),
    "users": frozenset(
        {"password_hash", "totp_secret_encrypted", "totp_confirmed_at", "totp_last_step"},
    ),
    "webhook_endpoints": frozenset({"former_secret_encrypted", "former_secret_expires_at"}),
}
REPLACED: Final[Mapping[str, str]] = {
    "twilio_accounts": "auth_token_encrypted",
    "webhook_endpoints": "secret_encrypted",
}
REPLACED_BY: Final = "\\x"  # what stands in the file instead


class Header(DTO):
    """The first line."""

    format: Literal["owner-tenant"] = FORMAT
    version: Literal[1] = VERSION
    schema_revision: str
    owner_id: PositiveInt = Field(le=LARGEST_ID)
    name: str
    exported_at: Moment
    has_media: bool
    has_secrets: bool


class Trailer(DTO):
    """The last line: without it, or with other numbers, something is missing."""

    end: Literal[True] = True
    rows: dict[str, int]
    files: int = 0


class MediaChunk(DTO):
    """A part of a file, in the order of the parts; `left` bytes are still to come."""

    media: PositiveInt
    left: int = Field(ge=0)
    base64: str


@dataclass(slots=True)
class Transferred:
    """What an export or an import did."""

    owner_id: int
    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    missing_files: int = 0  # known to the database, but not in the store
    left_out: dict[str, int] = field(
        default_factory=dict
    )  # what only one owner can have, and another one has

    @property
    def total(self) -> int:
        return sum(self.rows.values())


@dataclass(frozen=True, slots=True)
class Inventory:
    """What there is of a tenant, table by table; `other` is kept outside of its tables."""

    owner_id: int
    name: str
    rows: Mapping[str, int]
    other: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.rows.values()) + sum(self.other.values())


def header(
    *, schema_revision: str, owner_id: int, name: str, at: datetime, has_media: bool, has_secrets: bool
) -> Header:
    return Header(
        schema_revision=schema_revision,
        owner_id=owner_id,
        name=name,
        exported_at=at,
        has_media=has_media,
        has_secrets=has_secrets,
    )
