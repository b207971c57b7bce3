"""Where an integrator wants to be told what happens, how it is signed, and when we stop trying."""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictInt, WithJsonSchema

from owner.models.entity import DTO, Entity, Moment, Update, absent
from owner.models.errors import WebhookEndpointDisabled, WebhookUrlForbidden
from owner.models.event import EVENT_TYPES
from owner.models.network import IPNetwork, literal_address, may_reach

MAXIMUM_ENDPOINTS: Final = 50  # of one owner
FORMER_SECRET_SIGNS_FOR: Final = timedelta(hours=24)
FAILING_FOR: Final = timedelta(days=5)  # of nothing but failure, and an endpoint is disabled
COLLECTED_FOR: Final = timedelta(days=30)  # what happens while an endpoint is disabled is kept for it so long
AT_ONCE: Final = 4  # requests to one endpoint
AT_ONCE_WHILE_FAILING: Final = 1  # whoever does not answer must not keep many requests open

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_ALL: Final = "*"
_FAMILIES: Final = sorted({name.partition(".")[0] for name in EVENT_TYPES})
FILTERS: Final = (_ALL, *(f"{family}.*" for family in _FAMILIES), *sorted(EVENT_TYPES))
"""What an endpoint can ask for."""

_PORT: Final = r"6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}"
URL_PATTERN: Final = (
    r"^https?://"
    r"([A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?|\[[0-9A-Fa-f:.]{2,45}\])"
    rf"(:({_PORT}))?"
    r"([/?][A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]*)?$"
)


class DisabledReason(StrEnum):
    """Why an endpoint gets nothing."""

    BY_REQUEST = "BY_REQUEST"  # somebody paused it
    FAILING = "FAILING"  # nothing but failure for five days
    GONE = "GONE"  # it answered 410: it wants no more


def _known_filter(value: str) -> str:
    if value not in FILTERS:
        raise ValueError(f"there is no event type {value!r}; there are {', '.join(FILTERS)}")
    return value


EventFilter = Annotated[
    str, AfterValidator(_known_filter), WithJsonSchema({"type": "string", "enum": list(FILTERS)})
]
EventFilters = Annotated[
    list[EventFilter],
    Field(
        max_length=len(FILTERS),
        description="Which events to tell of: types, or all of a kind such as `conversation.*`. Empty: all.",
    ),
]
Url = Annotated[
    str,
    Field(
        pattern=URL_PATTERN,
        max_length=2048,
        description="http or https, any port, without user, password and fragment.",
    ),
]
Description = Annotated[str, Field(max_length=500)]


class WebhookEndpoint(Entity):
    """A place to tell. `due_at` is when its next delivery has to be tried; null while nothing waits."""

    owner_id: int
    endpoint_id: int
    url: str
    description: str | None = None
    event_types: list[str] = Field(default_factory=list)
    is_enabled: bool = True
    disabled_at: Moment | None = None
    disabled_reason: DisabledReason | None = None
    failing_since: Moment | None = None
    secret_encrypted: bytes
    former_secret_encrypted: bytes | None = None
    former_secret_expires_at: Moment | None = None
    after_event_id: int
    due_at: Moment | None = None
    created_at: Moment
    updated_at: Moment

    @property
    def at_once(self) -> int:
        """How many requests it may get at the same time."""
        return AT_ONCE if self.failing_since is None else AT_ONCE_WHILE_FAILING

    def wants(self, event_type: str, event_id: int, *, now: datetime) -> bool:
        """Whether an event is to be delivered, or kept until the endpoint is enabled again."""
        is_news = event_id > self.after_event_id
        return is_news and self._collects(now) and matches(self.event_types, event_type)

    def _collects(self, now: datetime) -> bool:
        if self.is_enabled or self.disabled_at is None:
            return True
        return self.disabled_reason is not DisabledReason.GONE and now < self.disabled_at + COLLECTED_FOR

    def note_success(self) -> None:
        self.failing_since = None

    def note_failure(self, *, at: datetime) -> bool:
        """An attempt failed. Returns whether that was one too many and the endpoint is disabled now."""
        self.failing_since = self.failing_since or at
        if not self.is_enabled or at < self.failing_since + FAILING_FOR:
            return False
        self.disable(DisabledReason.FAILING, at=at)
        return True

    def disable(self, reason: DisabledReason, *, at: datetime) -> None:
        self.is_enabled = False
        self.disabled_at = self.updated_at = at
        self.disabled_reason = reason

    def enable(self, *, at: datetime) -> None:
        """Go on; what was kept meanwhile is due."""
        self.is_enabled = True
        self.disabled_at = self.disabled_reason = self.failing_since = None
        self.due_at = self.updated_at = at

    def refuse_if_disabled(self) -> None:
        if not self.is_enabled:
            raise WebhookEndpointDisabled(self.endpoint_id)

    def replace_secret(self, encrypted: bytes, *, former_signs_for: timedelta, at: datetime) -> None:
        """Sign with a new secret, and for a while with the former too."""
        is_kept = former_signs_for > timedelta(0)
        self.former_secret_encrypted = self.secret_encrypted if is_kept else None
        self.former_secret_expires_at = at + former_signs_for if is_kept else None
        self.secret_encrypted = encrypted
        self.updated_at = at

    def encrypted_secrets(self, *, now: datetime) -> list[bytes]:
        """What signs now, newest first."""
        expires_at = self.former_secret_expires_at
        if self.former_secret_encrypted is None or expires_at is None or now >= expires_at:
            return [self.secret_encrypted]
        return [self.secret_encrypted, self.former_secret_encrypted]


def matches(filters: Sequence[str], event_type: str) -> bool:
    """Whether a list of types and wildcards asks for a type; an empty list asks for all."""
    wildcard = f"{event_type.partition('.')[0]}.*"
    return not filters or any(wanted in {_ALL, wildcard, event_type} for wanted in filters)


def new_secret() -> str:
    return _PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def refuse_forbidden_url(url: str, *, allowed: Sequence[IPNetwork]) -> None:
    """Raise `WebhookUrlForbidden` for a URL whose host is an address inside somebody's network.

    A name is checked when we connect: what it resolves to may change at any time.
    """
    host = _host_of(url)
    address = literal_address(host) if host else None
    is_name = host is not None and ":" not in host and address is None
    if not is_name and (address is None or not may_reach(address, allowed)):
        raise WebhookUrlForbidden(field="url")


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # brackets around what is no IPv6 address
        return None


class WebhookEndpointCreate(DTO):
    """A place that wants to be told."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": "https://hooks.example.com/owner",
                    "event_types": ["message.received", "conversation.*"],
                    "description": "Order system",
                }
            ]
        }
    )

    url: Url
    event_types: EventFilters = Field(default_factory=list)
    description: Description | None = None


class WebhookEndpointUpdate(Update):
    """What may change; a field that is left out stays, null clears the description."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"is_enabled": True}]})

    url: Url = Field(default_factory=absent)
    event_types: EventFilters = Field(default_factory=absent)
    description: Description | None = None
    is_enabled: StrictBool = Field(default_factory=absent, description="False pauses it; true lets it go on.")


class WebhookSecretRotate(DTO):
    """How long the former secret signs beside the new one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"former_signs_for_hours": 24}]})

    former_signs_for_hours: StrictInt = Field(default=24, ge=0, le=168)


class WebhookEndpointResponse(DTO):
    """An endpoint as the API shows it: never with a secret, except once."""

    endpoint_id: int
    url: str
    description: str | None
    event_types: list[str]
    is_enabled: bool
    disabled_at: Moment | None
    disabled_reason: DisabledReason | None
    failing_since: Moment | None
    former_secret_expires_at: Moment | None
    created_at: Moment
    updated_at: Moment


class WebhookEndpointWithSecret(WebhookEndpointResponse):
    """An endpoint with the secret that verifies its deliveries; it is shown this once."""

    secret: str = Field(description="`whsec_…`, for any Standard Webhooks library.")
