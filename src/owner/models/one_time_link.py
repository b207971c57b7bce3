"""Links by which a person sets a password: an invitation, or a reset."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from owner.models.entity import DTO, Entity, Moment
from owner.models.owner import Email, Password

PAGE: Final = "/inbox/password"  # of the inbox, where the person chooses a password


class LinkPurpose(StrEnum):
    """Why somebody got a link."""

    INVITATION = "INVITATION"  # they are new
    PASSWORD_RESET = "PASSWORD_RESET"  # nosec B105 # they forgot the password; this is none


VALID_FOR: Final = {
    LinkPurpose.INVITATION: timedelta(days=7),
    LinkPurpose.PASSWORD_RESET: timedelta(hours=1),
}


class OneTimeLink(Entity):
    """A link that was not used yet; only a hash of its token is stored."""

    owner_id: int
    link_id: int
    user_id: int
    purpose: LinkPurpose
    token_hash: bytes
    expires_at: Moment
    created_at: Moment

    def is_over(self, *, now: datetime) -> bool:
        return self.expires_at <= now


class LinkResponse(DTO):
    """A link to hand to its person; it is shown this once."""

    url: str = Field(repr=False)
    token: str = Field(repr=False)
    expires_at: Moment


class PasswordResetCreate(DTO):
    """Who forgot the password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ana@acme.example"}]})

    email: Email


class PasswordSet(DTO):
    """A new password, by the token of a link."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"token": "2mVbT5h-example", "password": "a better horse"}]}  # nosec B105 # an example
    )

    token: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,200}$", repr=False)]
    password: Password


def link_url(public_url: str, token: str) -> str:
    return f"{public_url}{PAGE}?token={token}"
