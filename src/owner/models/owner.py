"""The tenant: a company that answers its customers, and how its conversations behave."""

from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, Any, Final, Literal
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from pydantic_core import PydanticCustomError

from owner.models.closure_keywords import ClosureKeywords, check_keywords, is_reserved
from owner.models.duration import GraceDuration, LimitDuration, ShownDuration
from owner.models.entity import BLANKS, CONTROLS, DTO, STRIPPED, VISIBLE, Entity, Moment, Update, absent
from owner.models.errors import InvalidInput
from owner.models.message import MAXIMUM_LENGTH

MAXIMUM_PHRASES: Final = 200
MAXIMUM_OPT_OUT_WORDS: Final = 50
_OF_EMAIL: Final = rf"[^@\s{CONTROLS}\ufeff]+"


def _in_words(given: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """Says what is wrong with an e-mail address instead of the pattern that it does not match."""
    try:
        return check(given)
    except ValidationError as problem:
        mismatch = "string_pattern_mismatch"
        if problem.errors()[0]["type"] != mismatch:
            raise
        raise PydanticCustomError(mismatch, "This is no e-mail address, such as ana@example.com") from problem


OwnerName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=VISIBLE), STRIPPED]
Email = Annotated[
    str,
    StringConstraints(to_lower=True, max_length=254, pattern=rf"^{BLANKS}{_OF_EMAIL}@{_OF_EMAIL}{BLANKS}$"),
    STRIPPED,
    WrapValidator(_in_words),
]
Phrase = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=VISIBLE)]
OptOutWord = Annotated[
    str, StringConstraints(max_length=40, pattern=r"^[A-Za-zÀ-ÖØ-öø-ÿ0-9]+(-[A-Za-zÀ-ÖØ-öø-ÿ0-9]+)*$")
]
SentText = Annotated[str, StringConstraints(min_length=1, max_length=MAXIMUM_LENGTH, pattern=VISIBLE)]
ContentSid = Annotated[str, StringConstraints(pattern=r"^HX[0-9a-fA-F]{32}$")]
Language = Literal["pt", "en", "es"]


@cache
def time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_zone(name: str) -> str:
    if name not in time_zones():
        raise ValueError("must be a time zone of the IANA database, such as America/Sao_Paulo")
    return name


def _list_zones(schema: dict[str, Any]) -> None:
    schema["enum"] = sorted(time_zones())


TimeZone = Annotated[str, AfterValidator(_known_zone), Field(json_schema_extra=_list_zones)]

Password = Annotated[str, Field(min_length=8, max_length=1024, repr=False)]


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


class OwnerTexts(Entity):
    """What the product itself says to customers in the company's name."""

    closing: str | None = None  # when a conversation ends; nothing where null
    asking: str | None = None  # when it is asked whether it may be closed; the built-in question where null
    asking_content_sid: str | None = None  # on WhatsApp in its place: a template with buttons


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
    texts: OwnerTexts = Field(default_factory=OwnerTexts)
    suspended_at: Moment | None = None
    created_at: Moment
    updated_at: Moment

    @property
    def limits(self) -> ConversationLimits:
        return ConversationLimits(
            expires_after=self.expires_after, idle_after=self.idle_after, reopen_grace=self.reopen_grace
        )

    def change(self, update: "OwnerUpdate", *, at: datetime) -> list[str]:
        """Take over what was given, within `closure` and `texts` too. Returns the names of what is different now.

        Raises:
            InvalidInput: the thresholds would be the wrong way round.
        """
        changed = [
            name
            for part, given in ((self.closure, "closure"), (self.texts, "texts"))
            if given in update.model_fields_set
            for name in _take_over(part, getattr(update, given).changes(), prefix=f"{given}.")
        ]
        plain = {name: value for name, value in update.changes().items() if name not in {"closure", "texts"}}
        changed += _take_over(self, plain)
        if self.closure.confirm_at > self.closure.close_at:
            raise InvalidInput(
                f"closure.confirm_at ({self.closure.confirm_at}) must not be above closure.close_at"
                f" ({self.closure.close_at}).",
                field="closure.confirm_at",
            )
        self.updated_at = at if changed else self.updated_at
        return changed


class OwnerCreate(DTO):
    """What a new tenant starts with."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Acme", "email": "ana@acme.example", "password": "correct horse"}]  # nosec B105 # an example
        }
    )

    name: OwnerName
    email: Email
    password: Password


class ClosureUpdate(Update):
    """What may change about the detector."""

    confirm_at: StrictFloat = Field(
        default_factory=absent,
        ge=0,
        le=1,
        description="From here on the customer may be asked; at most `close_at`.",
    )
    close_at: StrictFloat = Field(default_factory=absent, ge=0, le=1, description="From here on it closes.")
    ask: StrictBool = Field(default_factory=absent, description="Between the two, ask the customer.")
    shadow: StrictBool = Field(default_factory=absent, description="Decide and record, do nothing.")
    keywords: list[Phrase] = Field(
        default_factory=absent,
        max_length=MAXIMUM_PHRASES,
        description="More words that close; words that opt out (STOP, SAIR …) are refused.",
    )
    replaces_lists: StrictBool = Field(
        default_factory=absent, description="Only `keywords` close, the built-in lists do not."
    )
    never: list[Phrase] = Field(
        default_factory=absent, max_length=MAXIMUM_PHRASES, description="Phrases that never close."
    )

    @field_validator("keywords")
    @classmethod
    def _without_reserved_words(cls, value: list[str]) -> list[str]:
        check_keywords(value)
        return value


class TextsUpdate(Update):
    """What may change about the texts; null takes one away."""

    closing: SentText | None = Field(
        default=None, description="Sent when a conversation ends, unless it FAILED; null: nothing is sent."
    )
    asking: SentText | None = Field(
        default=None, description="Asks whether it may be closed; null: the built-in question."
    )
    asking_content_sid: ContentSid | None = Field(
        default=None,
        description="Asks so on WhatsApp: a quick-reply template of yours at Twilio, whose buttons have the ids"
        " `closure:close` and `closure:keep_open`.",
    )


class OwnerUpdate(Update):
    """What an owner may change; a field that is left out stays, also within `closure` and `texts`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"idle_after": "PT90M", "closure": {"ask": True, "keywords": ["é isso aí"]}},
                {"texts": {"closing": "Obrigado pelo contato! Se precisar, é só escrever."}},
            ]
        }
    )

    name: OwnerName = Field(default_factory=absent)
    time_zone: TimeZone = Field(default_factory=absent)
    language: Language = Field(default_factory=absent)
    expires_after: LimitDuration = Field(
        default_factory=absent,
        description="The greatest age of a conversation; for those that open from now on.",
    )
    idle_after: LimitDuration = Field(
        default_factory=absent,
        description="How long our last word may stay unanswered; for those that open from now on.",
    )
    reopen_grace: GraceDuration = Field(
        default_factory=absent,
        description="How long a customer undoes the detector's closing by writing again.",
    )
    closure: ClosureUpdate = Field(default_factory=absent)
    opt_out_words: list[OptOutWord] = Field(
        default_factory=absent,
        max_length=MAXIMUM_OPT_OUT_WORDS,
        description="More single words by which customers opt out, besides STOP, SAIR, PARAR, BAJA and their like.",
    )
    texts: TextsUpdate = Field(default_factory=absent)


class OwnerCreated(DTO):
    """A tenant that was made just now; `api_key` has every scope and is shown this once."""

    owner_id: int
    user_id: int
    api_key: str = Field(repr=False)


class OwnerResponse(DTO):
    """A tenant as the API shows it."""

    owner_id: int
    name: str
    email: str
    time_zone: str
    language: str
    expires_after: ShownDuration
    idle_after: ShownDuration
    reopen_grace: ShownDuration
    closure: ClosureSettings
    opt_out_words: list[str]
    texts: OwnerTexts
    suspended_at: Moment | None
    created_at: Moment
    updated_at: Moment


def _take_over(entity: Entity, changes: dict[str, Any], *, prefix: str = "") -> list[str]:
    different = [name for name, value in changes.items() if getattr(entity, name) != value]
    for name in different:
        setattr(entity, name, changes[name])
    return [f"{prefix}{name}" for name in different]
