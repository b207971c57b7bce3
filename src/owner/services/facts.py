"""Takes from events what reports count and measure."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from owner.db.database import Connection
from owner.models.enums import ActorKind, Channel, ConversationStatus
from owner.models.event import Event
from owner.models.fact import Fact, FactKind
from owner.repositories.facts import FactRepository

_LONGEST_LABEL: Final = 64
# What a message went through before, whether Twilio told of it or not.
_STEPS: Final[Mapping[FactKind, tuple[FactKind, ...]]] = {
    FactKind.MESSAGE_ACCEPTED: (),
    FactKind.MESSAGE_SENT: (FactKind.MESSAGE_ACCEPTED,),
    FactKind.MESSAGE_DELIVERED: (FactKind.MESSAGE_ACCEPTED, FactKind.MESSAGE_SENT),
    FactKind.MESSAGE_READ: (
        FactKind.MESSAGE_ACCEPTED,
        FactKind.MESSAGE_SENT,
        FactKind.MESSAGE_DELIVERED,
    ),
    FactKind.MESSAGE_UNDELIVERED: (FactKind.MESSAGE_ACCEPTED, FactKind.MESSAGE_SENT),
    FactKind.MESSAGE_FAILED: (),
    FactKind.MESSAGE_CANCELED: (),
}


@dataclass(slots=True)
class Background:
    """What an event may not say itself; it grows with each fact that is taken."""

    channels: dict[int, Channel] = field(default_factory=dict)  # by conversation
    lifetimes: dict[int, float] = field(default_factory=dict)  # seconds, of conversations that ended
    versions: dict[int, str] = field(default_factory=dict)  # of the detector, by conversation
    steps: set[tuple[int, FactKind]] = field(default_factory=set)  # messages and what is known of them

    def note(self, fact: Fact) -> None:
        if fact.kind in (FactKind.CLOSURE_MADE, FactKind.CLOSURE_SUSPECTED) and fact.conv_id is not None:
            self.versions[fact.conv_id] = fact.label
        if fact.msg_id is not None:
            self.steps.add((fact.msg_id, fact.kind))


class FactReader:
    """Fulfils `event_feed.EventReader`."""

    name = "facts"
    starts_now = False

    async def read(self, connection: Connection, owner_id: int, events: Sequence[Event]) -> None:
        """Add the facts of these events; those that are there already stay as they are."""
        repository = FactRepository(connection, owner_id)
        await repository.settle_zone()
        told = [event for event in events if event.type in _READINGS]
        if told:
            await repository.add_all(_facts(told, await _background(repository, told)))


async def _background(repository: FactRepository, events: Sequence[Event]) -> Background:
    conv_ids = {event.conv_id for event in events if event.conv_id is not None}
    msg_ids = {event.msg_id for event in events if event.msg_id is not None}
    conversations = await repository.conversations(conv_ids)
    return Background(
        channels={row.conv_id: row.channel for row in conversations},
        lifetimes={row.conv_id: row.seconds for row in conversations if row.seconds is not None},
        versions=await repository.detector_versions(conv_ids),
        steps=await repository.message_steps(msg_ids),
    )


def _facts(events: Sequence[Event], background: Background) -> list[Fact]:
    facts = []
    for event in events:
        for fact in _READINGS[event.type](event, background):
            background.note(fact)
            facts.append(fact)
    return facts


def _opened(event: Event, background: Background) -> Iterator[Fact]:
    yield _fact(FactKind.OPENED, event, background)


def _closed(event: Event, background: Background) -> Iterator[Fact]:
    yield _fact(FactKind.CLOSED, event, background, label=_status(event, "status_to"))
    seconds = _seconds(event, "resolution_seconds")
    if seconds is None:  # older events don't say it; the conversation does
        seconds = background.lifetimes.get(event.conv_id or 0)
    yield from _measured(FactKind.RESOLUTION, event, background, seconds)
    if event.actor_kind is ActorKind.DETECTOR:
        evidence = event.data.get("closure")
        evidence = evidence if isinstance(evidence, dict) else {}
        version = _version(evidence) or _version(event.data)
        yield _fact(FactKind.CLOSURE_MADE, event, background, label=version)
        if evidence.get("confirmed") is True:
            yield _fact(FactKind.CLOSURE_CONFIRMED, event, background, label=version)


def _reopened(event: Event, background: Background) -> Iterator[Fact]:
    status = _status(event, "status_from")
    yield _fact(FactKind.REOPENED, event, background, label=status)
    # Of what can be undone, only the detector's closings end like this.
    if status == ConversationStatus.USER_CLOSED:
        yield _fact(FactKind.CLOSURE_UNDONE, event, background, label=_known_version(event, background))


def _suspected(event: Event, background: Background) -> Iterator[Fact]:
    version = _version(event.data)
    yield _fact(FactKind.CLOSURE_SUSPECTED, event, background, label=version)
    if event.data.get("asked") is True:
        yield _fact(FactKind.CLOSURE_ASKED, event, background, label=version)


def _cleared(event: Event, background: Background) -> Iterator[Fact]:
    if event.data.get("outcome") == "denied":
        yield _fact(FactKind.CLOSURE_DENIED, event, background, label=_known_version(event, background))


def _shadowed(event: Event, background: Background) -> Iterator[Fact]:
    yield _fact(FactKind.CLOSURE_SHADOWED, event, background, label=_version(event.data))


def _queued(event: Event, background: Background) -> Iterator[Fact]:
    yield _fact(FactKind.MESSAGE_QUEUED, event, background)
    yield from _measured(FactKind.REPLY, event, background, _seconds(event, "reply_seconds"))
    yield from _measured(
        FactKind.FIRST_RESPONSE, event, background, _seconds(event, "first_response_seconds")
    )


def _step(event: Event, background: Background) -> Iterator[Fact]:
    """A step of a message's way, and those before it that nobody told of: who has read it has it."""
    kind = FactKind[event.type.upper().replace(".", "_")]
    for step in (*_STEPS[kind], kind):
        if event.msg_id is None or (event.msg_id, step) not in background.steps:
            yield _fact(step, event, background, label=_error_code(event) if step is kind else "")


_READINGS: Final[Mapping[str, Callable[[Event, Background], Iterator[Fact]]]] = {
    "conversation.opened": _opened,
    "conversation.closed": _closed,
    "conversation.reopened": _reopened,
    "closure.suspected": _suspected,
    "closure.cleared": _cleared,
    "closure.shadowed": _shadowed,
    "message.queued": _queued,
    **{f"message.{kind.removeprefix('MESSAGE_').lower()}": _step for kind in _STEPS},
}


def _fact(
    kind: FactKind, event: Event, background: Background, *, label: str = "", seconds: float | None = None
) -> Fact:
    return Fact(
        kind,
        event.event_id,
        event.created_at,
        _channel(event, background),
        conv_id=event.conv_id,
        msg_id=event.msg_id,
        label=label,
        seconds=seconds,
    )


def _measured(kind: FactKind, event: Event, background: Background, seconds: float | None) -> Iterator[Fact]:
    if seconds is not None:
        yield _fact(kind, event, background, seconds=seconds)


def _channel(event: Event, background: Background) -> Channel:
    told = event.data.get("channel")
    if isinstance(told, str) and told in Channel.__members__:
        return Channel[told]
    return background.channels.get(event.conv_id or 0, Channel.OTHER)


def _status(event: Event, key: str) -> str:
    told = event.data.get(key)
    return told if isinstance(told, str) and told in ConversationStatus.__members__ else ""


def _seconds(event: Event, key: str) -> float | None:
    told = event.data.get(key)
    if isinstance(told, bool) or not isinstance(told, int | float) or not math.isfinite(told):
        return None
    return max(float(told), 0.0)


def _error_code(event: Event) -> str:
    told = event.data.get("error_code")
    return str(told) if isinstance(told, int) and not isinstance(told, bool) else ""


def _version(told: Mapping[str, Any]) -> str:
    version = told.get("detector_version", told.get("version"))
    return version[:_LONGEST_LABEL] if isinstance(version, str) else ""


def _known_version(event: Event, background: Background) -> str:
    """What the event says, or what was last known of its conversation."""
    return _version(event.data) or background.versions.get(event.conv_id or 0, "")
