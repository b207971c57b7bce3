"""A conversation decides about its own life: opening, answering, closing, timing out, reopening."""

from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import Field, PrivateAttr

from owner.models.entity import Entity, Moment
from owner.models.enums import (
    ActorKind,
    Channel,
    ConversationStatus,
    Handler,
    MessageOwner,
    Priority,
)
from owner.models.errors import ConversationClosed, InvalidTransition, ReplyWindowClosed
from owner.models.event import CUSTOMER, DETECTOR, TIMER, Actor, NewEvent
from owner.models.lifecycle import OPEN, check_transition
from owner.models.owner import ConversationLimits
from owner.models.work_errors import HandledByPerson

REPLY_WINDOW: Final = timedelta(hours=24)  # WhatsApp and Messenger: free text after the last inbound
WINDOWED_CHANNELS: Final = frozenset({Channel.WHATSAPP, Channel.MESSENGER})
ANSWERS: Final = frozenset({MessageOwner.AGENT, MessageOwner.SUPPORT, MessageOwner.AI})
AUTOMATIC: Final = frozenset({ActorKind.DETECTOR, ActorKind.TIMER})  # whose closings can be undone
CLOSURE: Final = "closure"  # key of the context: the evidence on which the detector closed
PENDING_CLOSURE: Final = "pending_closure"  # key of the context while a closing waits for the customer
ASKED_AT: Final = (
    "closure_asked_at"  # key of the context: when the customer was last asked whether it is over
)
OWN_KEYS: Final = frozenset({CLOSURE, PENDING_CLOSURE, ASKED_AT})


class Conversation(Entity):
    """One exchange with one customer. What happens to it is noted in `take_events()`."""

    owner_id: int
    conv_id: int
    status: ConversationStatus
    channel: Channel
    contact_id: int
    customer_address: str  # canonical
    our_address: str
    twilio_account_id: int
    handler: Handler = Handler.PERSON
    assignee_id: int | None = None
    priority: Priority = Priority.NORMAL
    context: dict[str, Any] = Field(default_factory=dict)
    last_seq: int = 0
    started_at: Moment
    last_activity_at: Moment
    last_inbound_at: Moment | None = None
    first_response_at: Moment | None = None
    expires_at: Moment
    waiting_since: Moment | None = None  # since when the customer waits for an answer
    idle_at: Moment | None = None  # when idleness ends it; null while the customer waits for us
    idle_after: timedelta
    reopen_grace: timedelta
    closed_at: Moment | None = None
    closed_by: ActorKind | None = None
    closed_by_id: int | None = None
    closed_reason: str | None = None
    status_before_close: ConversationStatus | None = None
    previous_conv_id: int | None = None
    created_at: Moment
    updated_at: Moment

    _events: list[NewEvent] = PrivateAttr(default_factory=list)

    @classmethod
    def open(
        cls,
        *,
        owner_id: int,
        conv_id: int,
        channel: Channel,
        contact_id: int,
        customer_address: str,
        our_address: str,
        twilio_account_id: int,
        limits: ConversationLimits,
        by: Actor,
        at: datetime,
        context: dict[str, Any] | None = None,
        previous_conv_id: int | None = None,
    ) -> "Conversation":
        """Start a conversation: PENDING when the customer wrote, PROGRESS when we write first."""
        is_ours = by.kind is not ActorKind.CUSTOMER
        conversation = cls(
            owner_id=owner_id,
            conv_id=conv_id,
            status=ConversationStatus.PROGRESS if is_ours else ConversationStatus.PENDING,
            channel=channel,
            contact_id=contact_id,
            customer_address=customer_address,
            our_address=our_address,
            twilio_account_id=twilio_account_id,
            context=context or {},
            started_at=at,
            last_activity_at=at,
            expires_at=at + limits.expires_after,
            idle_at=at + limits.idle_after if is_ours else None,
            idle_after=limits.idle_after,
            reopen_grace=limits.reopen_grace,
            previous_conv_id=previous_conv_id,
            created_at=at,
            updated_at=at,
        )
        conversation.note("conversation.opened", by, channel=channel, previous_conv_id=previous_conv_id)
        return conversation

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def reply_window_closes_at(self) -> datetime | None:
        """When free text ends; None where the channel has no window, or the customer never opened one."""
        if self.channel not in WINDOWED_CHANNELS or self.last_inbound_at is None:
            return None
        return self.last_inbound_at + REPLY_WINDOW

    def due_at(self) -> datetime:
        """When a timer ends the conversation, if nothing else happens."""
        return min(self.expires_at, self.idle_at) if self.idle_at else self.expires_at

    def is_due(self, *, now: datetime) -> bool:
        return self.is_open and now >= self.due_at()

    def settle(self, *, now: datetime) -> bool:
        """End the conversation if its time is over; say whether that happened."""
        if not self.is_due(now=now):
            return False
        if self.idle_at and self.idle_at < self.expires_at:
            self.time_out(at=now)
        else:
            self.expire(at=now)
        return True

    def time_out(self, *, at: datetime) -> None:
        """The customer left our last word unanswered."""
        minutes = int(self.idle_after.total_seconds() // 60)
        reason = f"no activity for {minutes} minute{'s' if minutes != 1 else ''}"
        self._close(ConversationStatus.IDLE_TIMEOUT, by=TIMER, reason=reason, at=at)

    def expire(self, *, at: datetime) -> None:
        """The conversation reached its maximum age."""
        self._close(ConversationStatus.EXPIRED, by=TIMER, reason="maximum age reached", at=at)

    def fail(self, *, reason: str, by: Actor, at: datetime) -> None:
        """A system reason, named, ended it."""
        self._close(ConversationStatus.FAILED, by=by, reason=reason, at=at)

    def close(self, *, as_status: ConversationStatus, by: Actor, reason: str | None, at: datetime) -> None:
        """A person or a program ended it.

        Raises:
            InvalidTransition: the life cycle doesn't allow it, as when it is closed already.
        """
        self._close(as_status, by=by, reason=reason, at=at)

    def close_by_customer(self, *, at: datetime, evidence: dict[str, Any]) -> None:
        """The customer's words, by the detector's reading, ended it."""
        reason = "the customer said that it is over"
        self._close(ConversationStatus.USER_CLOSED, by=DETECTOR, reason=reason, at=at, evidence=evidence)
        self.context = {**self.context, CLOSURE: evidence}

    def extend(self, *, by_time: timedelta, by: Actor, at: datetime) -> None:
        """Let it live longer."""
        self.refuse_if_closed()
        self.expires_at += by_time
        self.updated_at = at
        self.note("conversation.extended", by, expires_at=self.expires_at.isoformat())

    def assign(self, assignee_id: int, *, by: Actor, at: datetime) -> None:
        """Give it to a person, who answers from now on."""
        self.refuse_if_closed()
        if self.assignee_id != assignee_id:
            before, self.assignee_id, self.updated_at = self.assignee_id, assignee_id, at
            self.note("conversation.assigned", by, assignee_id=assignee_id, assignee_from=before)
        self.hand_off(Handler.PERSON, by=by, reason="assigned", at=at)

    def unassign(self, *, by: Actor, at: datetime) -> None:
        """Take it from whoever has it."""
        self.refuse_if_closed()
        if self.assignee_id is not None:
            before, self.assignee_id, self.updated_at = self.assignee_id, None, at
            self.note("conversation.unassigned", by, assignee_from=before)

    def hand_off(self, to: Handler, *, by: Actor, reason: str | None, at: datetime) -> None:
        """Let a bot or a person answer; what a bot answers is nobody's."""
        self.refuse_if_closed()
        if to is Handler.BOT:
            self.unassign(by=by, at=at)
        if self.handler is not to:
            before, self.handler, self.updated_at = self.handler, to, at
            self.note("conversation.handed_off", by, handler_from=before, handler_to=to, reason=reason)

    def change(self, *, priority: Priority, context: dict[str, Any], by: Actor, at: datetime) -> None:
        """Take over what is different. The context's values stay out of the history: they may tell of people."""
        fields = [
            name for name, new in (("priority", priority), ("context", context)) if getattr(self, name) != new
        ]
        if fields:
            self.note(
                "conversation.updated", by, fields=fields, priority_from=self.priority, priority_to=priority
            )
            self.priority, self.context, self.updated_at = priority, context, at

    def refuse_author(self, written_by: MessageOwner) -> None:
        """Raise `HandledByPerson` for an AI that would talk over a person."""
        if written_by is MessageOwner.AI and self.handler is Handler.PERSON:
            raise HandledByPerson

    def reopen(self, *, by: Actor, reason: str, at: datetime) -> None:
        """Undo what a machine decided.

        Raises:
            InvalidTransition: it is open, or a person closed it.
        """
        before = self.status_before_close or ConversationStatus.PROGRESS
        if self.closed_by not in AUTOMATIC:
            raise InvalidTransition(self.status, before)
        check_transition(self.status, before)
        undone, closed_by = self.status, self.closed_by
        self.status = before
        self.closed_at = self.closed_by = self.closed_by_id = self.closed_reason = (
            self.status_before_close
        ) = None
        self.expires_at = max(self.expires_at, at + self.idle_after)
        self.waiting_since = self.last_inbound_at if self._was_their_turn(before) else None
        is_idle_possible = before is ConversationStatus.PROGRESS and self.waiting_since is None
        self.idle_at = at + self.idle_after if is_idle_possible else None
        self.last_activity_at = self.updated_at = at
        facts = {
            "closed_by": closed_by,
            "undone_by": by.kind,
            "channel": self.channel,
            **self._detector(closed_by),
        }
        self.note("conversation.reopened", by, status_from=undone, status_to=before, reason=reason, **facts)

    def _was_their_turn(self, before: ConversationStatus) -> bool:
        """Whether the customer waited when it was closed: nobody had answered, or they had the last word."""
        had_last_word = self.last_inbound_at is not None and self.last_inbound_at >= self.last_activity_at
        return had_last_word or before is ConversationStatus.PENDING

    def _detector(self, closed_by: ActorKind) -> dict[str, Any]:
        """The version of the detector that closed it, to judge the detector by what is undone."""
        evidence = self.context.get(CLOSURE) if closed_by is ActorKind.DETECTOR else None
        version = evidence.get("detector_version") if isinstance(evidence, dict) else None
        return {"detector_version": version} if version else {}

    def can_be_reopened_by_customer(self, *, now: datetime) -> bool:
        """Whether a message of the customer undoes the closing that the detector read from the last one."""
        return self.closed_by is ActorKind.DETECTOR and self.is_within_grace(now=now)

    def is_within_grace(self, *, now: datetime) -> bool:
        return self.closed_at is not None and now < self.closed_at + self.reopen_grace

    def note_inbound(self, *, at: datetime, written_at: datetime | None = None) -> int:
        """The customer wrote: their turn ends, ours begins. Returns the message's sequence number.

        `written_at` is earlier where we learn of it late: the reply window and the wait count from there.
        """
        self.last_inbound_at = written_at or at
        self.waiting_since = self.waiting_since or self.last_inbound_at
        self.idle_at = None
        return self._next_seq(at)

    def note_after_closure(self, *, at: datetime, written_at: datetime | None = None) -> int:
        """A thanks or goodbye that is kept with the closed conversation and wakes nobody."""
        self.last_inbound_at = written_at or at
        return self.note_overtaken(at=at)

    def note_overtaken(self, *, at: datetime) -> int:
        """A message that we learn of after the customer's next one: it is kept, and changes nothing else."""
        self.last_seq += 1
        self.updated_at = at
        return self.last_seq

    def answer_times(self, *, written_by: MessageOwner, at: datetime) -> dict[str, float]:
        """How long the customer has waited for the answer that is about to be noted, in seconds."""
        if written_by not in ANSWERS or self.waiting_since is None:
            return {}
        times = {"reply_seconds": (at - self.waiting_since).total_seconds()}
        if self.first_response_at is None:
            times["first_response_seconds"] = (at - self.started_at).total_seconds()
        return times

    def note_farewell(self, *, at: datetime) -> int:
        """We say goodbye while it ends, which is no activity. Returns the message's sequence number."""
        self.last_seq += 1
        self.updated_at = at
        return self.last_seq

    def note_outbound(self, *, written_by: MessageOwner, by: Actor, at: datetime) -> int:
        """We wrote: the first answer moves PENDING to PROGRESS. Returns the message's sequence number."""
        self.refuse_if_closed()
        if written_by in ANSWERS:
            self.first_response_at = self.first_response_at or at
            self.waiting_since = None
            if self.status is ConversationStatus.PENDING:
                self._change_status(ConversationStatus.PROGRESS, by=by, at=at, reason="answered")
        if self.status is ConversationStatus.PROGRESS:
            self.idle_at = at + self.idle_after
        return self._next_seq(at)

    def refuse_if_closed(self) -> None:
        if not self.is_open:
            raise ConversationClosed(self.status)

    def refuse_outside_window(self, *, now: datetime) -> None:
        """Raise `ReplyWindowClosed` where the channel takes templates only."""
        closes_at = self.reply_window_closes_at
        if self.channel in WINDOWED_CHANNELS and (closes_at is None or now >= closes_at):
            raise ReplyWindowClosed(last_inbound_at=self.last_inbound_at)

    def suspect_closure(self, evidence: dict[str, Any], *, at: datetime, lapses_at: datetime) -> None:
        """Remember that the customer may be done, until they say more or the question lapses."""
        self.context = {
            **self.context,
            PENDING_CLOSURE: {"suspected_at": at.isoformat(), "lapses_at": lapses_at.isoformat(), **evidence},
        }
        self.note("closure.suspected", DETECTOR, **evidence)

    def clear_suspicion(self, outcome: str) -> None:
        """The customer answered, or went on."""
        if PENDING_CLOSURE in self.context:
            self.context = {key: value for key, value in self.context.items() if key != PENDING_CLOSURE}
            self.note("closure.cleared", CUSTOMER, outcome=outcome)

    def note(self, event_type: str, by: Actor, *, msg_id: int | None = None, **facts: Any) -> None:
        """Add to the history something that happened in this conversation."""
        self._events.append(
            NewEvent(
                event_type, by, conv_id=self.conv_id, contact_id=self.contact_id, msg_id=msg_id, data=facts
            )
        )

    def take_events(self) -> list[NewEvent]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def _close(
        self,
        status: ConversationStatus,
        *,
        by: Actor,
        reason: str | None,
        at: datetime,
        evidence: dict[str, Any] | None = None,
    ) -> None:
        before = self.status
        facts: dict[str, Any] = {"closure": evidence} if evidence else {}
        facts["channel"] = self.channel
        facts["resolution_seconds"] = (at - self.started_at).total_seconds()
        self._change_status(status, by=by, at=at, reason=reason, **facts)
        self.status_before_close = before
        self.closed_at = at
        self.closed_by, self.closed_by_id = by
        self.closed_reason = reason
        self.idle_at = self.waiting_since = None
        self.context = {key: value for key, value in self.context.items() if key != PENDING_CLOSURE}

    def _change_status(
        self, to: ConversationStatus, *, by: Actor, at: datetime, reason: str | None, **facts: Any
    ) -> None:
        check_transition(self.status, to)
        if not self.is_open:
            raise InvalidTransition(self.status, to)
        before, self.status = self.status, to
        self.updated_at = at
        event = "conversation.status_changed" if to in OPEN else "conversation.closed"
        self.note(event, by, status_from=before, status_to=to, reason=reason, **facts)

    def _next_seq(self, at: datetime) -> int:
        self.last_seq += 1
        self.last_activity_at = self.updated_at = at
        return self.last_seq
