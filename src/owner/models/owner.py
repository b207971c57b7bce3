"""The tenant: a company that answers its customers."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from owner.models.closure_keywords import ClosureKeywords, check_keywords, is_reserved
from owner.models.entity import DTO, Entity, Moment

OwnerName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Email = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
]


class ConversationLimits(Entity):
    """How long conversations live; pinned on each when it opens."""

    expires_after: timedelta = timedelta(minutes=1440)
    idle_after: timedelta = timedelta(minutes=60)
    reopen_grace: timedelta = timedelta(minutes=10)


class ClosureSettings(Entity):
    """How the closure detector works for one owner."""

    confirm_at: float = Field(default=0.6, ge=0, le=1)
    close_at: float = Field(default=0.8, ge=0, le=1)
    ask: bool = False  # between the two: ask the customer
    shadow: bool = False  # decide and record, do nothing
    keywords: list[str] = Field(default_factory=list)
    replaces_lists: bool = False  # only the owner's keywords close, not the built-in lists
    never: list[str] = Field(default_factory=list)  # phrases that never close

    @property
    def closure_keywords(self) -> ClosureKeywords:
        """What the detector takes; a word that opts out is left out, however it got into the database."""
        allowed = tuple(word for word in self.keywords if not is_reserved(word))
        return ClosureKeywords(allowed, tuple(self.never), replaces_lists=self.replaces_lists)


class Owner(Entity):
    """A company and how its conversations behave."""

    owner_id: int
    name: str
    email: str
    time_zone: str = "America/Sao_Paulo"
    language: str = "pt"
    expires_after: timedelta = timedelta(minutes=1440)
    idle_after: timedelta = timedelta(minutes=60)
    reopen_grace: timedelta = timedelta(minutes=10)
    closure: ClosureSettings = Field(default_factory=ClosureSettings)
    opt_out_words: list[str] = Field(default_factory=list)
    suspended_at: Moment | None = None
    created_at: Moment
    updated_at: Moment

    @property
    def limits(self) -> ConversationLimits:
        return ConversationLimits(
            expires_after=self.expires_after, idle_after=self.idle_after, reopen_grace=self.reopen_grace
        )


class OwnerCreate(DTO):
    """What a new tenant starts with."""

    name: OwnerName
    email: Email
    password: Annotated[str, StringConstraints(min_length=8, max_length=1024)]


class OwnerUpdate(DTO):
    """What an owner may change; null leaves a field as it is."""

    name: OwnerName | None = None
    time_zone: str | None = None
    language: str | None = Field(default=None, pattern="^(pt|en|es)$")
    expires_after: timedelta | None = Field(default=None, ge=timedelta(minutes=1), le=timedelta(days=365))
    idle_after: timedelta | None = Field(default=None, ge=timedelta(minutes=1), le=timedelta(days=365))
    reopen_grace: timedelta | None = Field(default=None, ge=timedelta(0), le=timedelta(days=7))
    closure: ClosureSettings | None = None
    opt_out_words: list[str] | None = None

    @field_validator("closure")
    @classmethod
    def _without_reserved_words(cls, value: ClosureSettings | None) -> ClosureSettings | None:
        if value is not None:
            check_keywords(value.keywords)
        return value


class OwnerResponse(DTO):
    """A tenant as the API shows it."""

    owner_id: int
    name: str
    email: str
    time_zone: str
    language: str
    expires_after: timedelta
    idle_after: timedelta
    reopen_grace: timedelta
    closure: ClosureSettings
    created_at: Moment
