"""Keys by which programs act for an owner."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import ConfigDict, Field, StrictInt, StringConstraints, field_validator

from owner.models.access_errors import ApiKeyEnded
from owner.models.entity import DTO, STRIPPED, VISIBLE, Entity, Moment
from owner.models.errors import InvalidInput
from owner.models.permissions import ALL_SCOPES, SCOPES, Permission, check_scopes, permissions_of_scopes
from owner.models.secret_token import hash_token, new_token

API_KEY_PREFIX: Final = "ok_"
SHOWN: Final = 8  # characters of a key that are stored and shown, so that people can tell keys apart
_SCOPE_NAMES: Final = sorted({ALL_SCOPES, *SCOPES})
KeyName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=VISIBLE), STRIPPED]
Scope = Annotated[str, Field(json_schema_extra={"enum": [*_SCOPE_NAMES]})]


class ApiKey(Entity):
    """A key, of which only a hash is stored."""

    owner_id: int
    api_key_id: int
    name: str
    prefix: str
    key_hash: bytes
    scopes: list[str]
    expires_at: Moment | None = None
    revoked_at: Moment | None = None
    last_used_at: Moment | None = None
    created_at: Moment

    @property
    def permissions(self) -> frozenset[Permission]:
        return permissions_of_scopes(self.scopes)

    def has_ended(self, *, now: datetime) -> bool:
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)

    def revoke(self, *, at: datetime) -> bool:
        """End the key at once; say whether it had not been before."""
        if self.revoked_at is not None:
            return False
        self.revoked_at = at
        return True

    def hand_over(self, *, overlap: timedelta, at: datetime) -> datetime | None:
        """Let the key end after the overlap; returns until when one in its place lives: as long as it did.

        Raises:
            ApiKeyEnded: there is nothing left to hand over.
        """
        if self.has_ended(now=at):
            raise ApiKeyEnded
        lives_until = None if self.expires_at is None else at + (self.expires_at - self.created_at)
        ends_at = at + overlap
        self.expires_at = ends_at if self.expires_at is None else min(self.expires_at, ends_at)
        return lives_until


class ApiKeyCreate(DTO):
    """A key to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "shop", "scopes": ["conversations:read", "messages:send"], "expires_in_days": 90}
            ]
        }
    )

    name: KeyName
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=50)] = Field(
        description="What the key may do; `*` is all that its owner may, now and in later versions."
    )
    expires_in_days: StrictInt | None = Field(
        default=None, ge=1, le=3650, description="Left out: until it is revoked."
    )

    @field_validator("scopes")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        try:
            check_scopes(value)
        except InvalidInput as problem:
            raise ValueError(problem.message) from problem
        return sorted(set(value))


class ApiKeyRotate(DTO):
    """How long the former key goes on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overlap_minutes": 60}]})

    overlap_minutes: StrictInt = Field(
        default=1440, ge=0, le=43_200, description="The former key is valid for so long; 0 ends it at once."
    )


class ApiKeyResponse(DTO):
    """A key as the API shows it; the key itself is shown when it is made."""

    api_key_id: int
    name: str
    prefix: str
    scopes: list[str]
    expires_at: Moment | None
    revoked_at: Moment | None
    last_used_at: Moment | None
    created_at: Moment


class ApiKeyCreated(ApiKeyResponse):
    """A key that was made just now; `api_key` is shown this once."""

    api_key: str = Field(repr=False)


def new_key() -> str:
    return new_token(API_KEY_PREFIX)


def shown_prefix(key: str) -> str:
    """The beginning of a key, its kind included."""
    kind, separator, rest = key.partition("_")
    return kind + separator + rest[:SHOWN]


hash_key = hash_token
