"""Keys by which programs act for an owner."""

import hashlib
import secrets

from owner.models.entity import Entity, Moment

_PREFIX = "ok_"
_SHOWN = 8  # characters of the key that are stored and shown, so that people can tell keys apart


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


def new_key() -> str:
    """A key with 256 random bits; shown once, then only its hash is known."""
    return _PREFIX + secrets.token_urlsafe(32)


def shown_prefix(key: str) -> str:
    return key[: len(_PREFIX) + _SHOWN]


def hash_key(key: str) -> bytes:
    """SHA-256 is enough here: the key is random, so there is nothing to guess."""
    return hashlib.sha256(key.encode(errors="replace")).digest()
