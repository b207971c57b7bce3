"""Keys by which the operator's programs create and suspend owners."""

from typing import Final

from owner.models.entity import Entity, Moment
from owner.models.secret_token import new_token

PLATFORM_KEY_PREFIX: Final = "op_"


class PlatformKey(Entity):
    """A key of the operator's; only a hash of it is stored, and never read back."""

    platform_key_id: int
    name: str
    prefix: str
    revoked_at: Moment | None
    last_used_at: Moment | None
    created_at: Moment


def new_platform_key() -> str:
    return new_token(PLATFORM_KEY_PREFIX)
