"""Sessions of people who signed in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import ConfigDict, Field, StrictInt

from owner.models.entity import DTO, Entity, Moment
from owner.models.owner import Email
from owner.models.secret_token import new_token

SESSION_PREFIX: Final = "os_"
UNUSED_FOR: Final = timedelta(days=14)  # a session that nobody used for so long is over
AT_MOST: Final = timedelta(days=90)  # however much it is used
SEEN_IS_NOTED_EVERY: Final = timedelta(minutes=1)  # a busy session would otherwise cost a write per request


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where somebody calls from whom we may not know yet."""

    address: str
    user_agent: str | None = None


class Session(Entity):
    """Somebody who is signed in; only a hash of the token is stored."""

    owner_id: int
    session_id: int
    user_id: int
    token_hash: bytes
    user_agent: str | None = None
    created_at: Moment
    last_seen_at: Moment

    @property
    def expires_at(self) -> datetime:
        """When it ends if nobody uses it any more."""
        return min(self.last_seen_at + UNUSED_FOR, self.created_at + AT_MOST)

    def is_over(self, *, now: datetime) -> bool:
        return self.expires_at <= now

    def is_to_be_noted(self, *, now: datetime) -> bool:
        """Whether the last use is so long ago that this one has to be written down."""
        return now - self.last_seen_at >= SEEN_IS_NOTED_EVERY


class SessionCreate(DTO):
    """Who wants to sign in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"email": "ana@acme.example", "password": "correct horse"},  # nosec B105 # an example
                {"email": "ana@acme.example", "password": "correct horse", "totp_code": "492039"},  # nosec B105 # an example
            ]
        }
    )

    email: Email
    password: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
    totp_code: Annotated[str | None, Field(max_length=40, repr=False)] = Field(
        default=None, description="Six digits of the authenticator, or a recovery code, where one is needed."
    )
    owner_id: StrictInt | None = Field(
        default=None,
        ge=1,
        le=2**53 - 1,  # what JSON numbers hold exactly everywhere; ids start at 1
        description="Which company, where the e-mail and the password are right for several.",
    )


class SessionCreated(DTO):
    """A session that began just now; `token` is shown this once."""

    token: str = Field(repr=False, description="Send it as `Authorization: Bearer …`.")
    session_id: int
    owner_id: int
    user_id: int
    expires_at: Moment = Field(description="Moves on while the session is used, up to 90 days.")


class SessionResponse(DTO):
    """A session as its person sees it."""

    session_id: int
    user_agent: str | None
    created_at: Moment
    last_seen_at: Moment
    expires_at: Moment
    is_current: bool = False


def new_session_token() -> str:
    return new_token(SESSION_PREFIX)
