"""What happened, to be told later: history, webhooks, streams and reports read these rows only."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from owner.models.entity import DTO, Moment
from owner.models.enums import ActorKind


class Actor(NamedTuple):
    """Who or what did it; `id` is a user's or an API key's."""

    kind: ActorKind
    id: int | None = None


CUSTOMER = Actor(ActorKind.CUSTOMER)
DETECTOR = Actor(ActorKind.DETECTOR)
TIMER = Actor(ActorKind.TIMER)
PROVIDER = Actor(ActorKind.PROVIDER)
SYSTEM = Actor(ActorKind.SYSTEM)


@dataclass(slots=True, frozen=True)
class NewEvent:
    """An event before it has a row. `data` never holds message text, addresses or secrets."""

    type: str
    actor: Actor
    conv_id: int | None = None
    msg_id: int | None = None
    contact_id: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


class EventResponse(DTO):
    """An event as the API shows it."""

    event_id: int
    type: str
    actor_kind: ActorKind
    actor_id: int | None
    conv_id: int | None
    msg_id: int | None
    contact_id: int | None
    data: dict[str, Any]
    created_at: Moment
