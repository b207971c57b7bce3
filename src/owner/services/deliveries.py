"""Hands queued messages to the provider, in order, exactly once, whatever breaks in between."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias

from owner.db.database import Database, see
from owner.logs import get_logger
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.models.message import Message
from owner.models.twilio_account import TwilioAccount
from owner.repositories.messages import MessageRepository
from owner.repositories.outbox import Head, Line, OutboxChanges, OutboxRepository, Sought
from owner.services.delivery_notes import FIRST_RETRY, Attempt, DeliveryNotes, Note, Touch
from owner.services.group_commit import GroupCommit
from owner.services.ports import (
    CircuitBreaker,
    Clock,
    Credentials,
    MessageGateway,
    OutboundMessage,
    SendRate,
    SentMessage,
)
from owner.services.twilio_accounts import TwilioService

log = get_logger(__name__)

TOGETHER: Final = 16  # conversations whose outcomes and claims share a commit
SIDE_BY_SIDE: Final = 3  # such transactions of one process: requests and jobs need connections too
PATIENCE: Final = timedelta(milliseconds=250)  # a turn that comes so soon is waited for
# Longer than a look-up (10 s) and a send (10 s) take at most, so that a live worker keeps its claim.
CLAIM: Final = timedelta(seconds=25)
SENT_WITHIN: Final = timedelta(seconds=10)
CLOCK_SKEW: Final = timedelta(minutes=2)  # between our clock and the provider's, when looking a message up


@dataclass(frozen=True, slots=True)
class Pause:
    """When it is worth coming back; with `has_turn` the sender's turn at that time is taken already."""

    after: timedelta
    has_turn: bool = False


@dataclass(slots=True, eq=False)
class Step:
    """What a conversation needs of the database: what came of its last attempt noted, or its next message claimed.

    Both at once, unless rows are touched that conversations share.
    """

    owner_id: int
    conv_id: int
    has_turn: bool = False
    attempt: Attempt | None = None
    note: Note | None = None
    touches: list[Touch] = field(default_factory=list)
    is_admitted: bool = False
    rest: Pause | None = None  # if it is not

    @property
    def sought(self) -> Sought:
        return Sought(self.owner_id, self.conv_id, self.attempt.message.msg_id if self.attempt else None)


Found: TypeAlias = Attempt | Pause | None


class DeliveryService:
    """The outbox."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        gateway: MessageGateway,
        twilio: TwilioService,
        rate: SendRate,
        breaker: CircuitBreaker,
    ) -> None:
        self.database = database
        self.clock = clock
        self.gateway = gateway
        self.twilio = twilio
        self.rate = rate
        self.breaker = breaker
        self.notes = DeliveryNotes(clock=clock)
        self._together = GroupCommit(self._carry_out, at_once=TOGETHER, side_by_side=SIDE_BY_SIDE)
        self._alone = GroupCommit(self._note_alone, at_once=1)

    async def deliver(self, owner_id: int, conv_id: int, *, has_turn: bool = False) -> Pause | None:
        """Send what waits in a conversation.

        Returns when somebody has to come back, because a message waits for its next attempt, its sender's turn or
        its account, or is in another worker's hand; None when nothing waits, or somebody else is just at work on it.
        """
        found = await self._put(Step(owner_id, conv_id, has_turn))
        while found is not None:
            if isinstance(found, Attempt):
                step = await self._hand_over(found)
                if step.touches:
                    await self._alone.put(step, key=conv_id, owner_id=owner_id)
                    step = Step(owner_id, conv_id)
            elif found.has_turn and found.after <= PATIENCE:
                await asyncio.sleep(found.after.total_seconds())
                step = Step(owner_id, conv_id, has_turn=True)
            else:
                return found
            found = await self._put(step)
        return None

    async def aclose(self) -> None:
        """Return when all that is to be noted is noted."""
        await asyncio.gather(self._together.finish(), self._alone.finish())

    async def _put(self, step: Step) -> Found:
        [found] = await self._together.put(step, key=step.conv_id, owner_id=step.owner_id)
        return found

    async def _carry_out(self, steps: Sequence[Step]) -> list[tuple[Found] | None]:
        """Note and claim for many conversations by one commit, each under its own owner's setting.

        No message is waited for, so nobody holds up the others: None where somebody else is at work on it.
        """
        async with self.database.system() as connection:
            outbox = OutboxRepository(connection)
            lines = await outbox.load([step.sought for step in steps])
            changes = [OutboxChanges() for _ in steps]
            found = [
                None if line is None else (self._take_step(step, line, change),)
                for step, line, change in zip(steps, lines, changes, strict=True)
            ]
            await outbox.store([(step.owner_id, change) for step, change in zip(steps, changes, strict=True)])
        return found

    async def _note_alone(self, steps: Sequence[Step]) -> list[tuple[None] | None]:
        """Note what came of one attempt, and what that means for rows that conversations share."""
        [step] = steps
        async with self.database.system() as connection:
            outbox = OutboxRepository(connection)
            [line] = await outbox.load([step.sought])
            if line is None:
                return [None]
            change = OutboxChanges()
            _note(step, line, change)
            await outbox.store([(step.owner_id, change)])
            await see(connection, step.owner_id)
            for touch in step.touches:
                await touch(connection)
        return [(None,)]

    def _take_step(self, step: Step, line: Line, change: OutboxChanges) -> Found:
        _note(step, line, change)
        now = self.clock.now()
        if line.attempted is not None and line.attempted.is_unsent:  # it is still the first in line
            return Pause(max(line.attempted.waits_until() - now, timedelta(0)))
        return None if line.next is None else self._take(step, line.next, change, now=now)

    def _take(self, step: Step, head: Head, change: OutboxChanges, *, now: datetime) -> Found:
        """Take the next message in hand; committed before the provider hears of it."""
        message = head.message
        if message.waits_until() > now:
            return Pause(message.waits_until() - now)
        if not self._admits(step, head):
            return step.rest
        since = message.unconfirmed_at
        message.begin_attempt(at=now, claim_for=CLAIM, provider_time=self.gateway.provider_time(now))
        change.messages.append(message)
        return Attempt(message, head.account, head.to, head.sender, since is not None, since=since or now)

    def _admits(self, step: Step, head: Head) -> bool:
        """Whether sender and account may send now.

        Asking takes the sender's turn, or a silent account's only trial: a step that is taken again, because its
        neighbours' transaction failed, has them already.
        """
        if step.is_admitted or step.rest is not None:
            return step.is_admitted
        account_id = head.account.twilio_account_id
        seconds = 0.0 if step.has_turn else self.rate.book(str(head.sender))
        if seconds > 0:
            step.rest = Pause(timedelta(seconds=seconds), has_turn=True)
        elif self.breaker.admits(account_id):
            step.is_admitted = True
        else:
            step.rest = Pause(timedelta(seconds=self.breaker.rest_of(account_id)))
        return step.is_admitted

    async def _hand_over(self, attempt: Attempt) -> Step:
        """Give one message to the provider; what came of it is to be noted."""
        step = Step(attempt.message.owner_id, attempt.message.conv_id, attempt=attempt)
        is_outcome_known = not attempt.may_be_sent_already
        try:
            credentials = self.twilio.credentials(attempt.account)
            sent = await self._find_sent(attempt, credentials) if attempt.may_be_sent_already else None
            if sent is None and self._may_be_in_another_hand(attempt):
                delayed = partial(self.notes.delayed, after=FIRST_RETRY, is_outcome_known=is_outcome_known)
                step.note = partial(delayed, attempt)
                return step
            sent = sent or await self.gateway.send(self._outbound(attempt), credentials)
        except OutcomeUnknown:
            step.note = partial(self.notes.unknown, attempt)
            self._note_silence(step, attempt.account)
        except ProviderError as refusal:
            step.note = partial(self.notes.refused, attempt, refusal)
            if refusal.kind is ProviderProblem.CREDENTIALS:
                step.touches.append(partial(self.notes.paused, attempt.account, refusal))
            elif refusal.kind is ProviderProblem.OPTED_OUT:
                step.touches.append(partial(self.notes.opted_out, attempt, refusal))
            (self._note_silence if _is_silence(refusal) else self._note_answer)(step, attempt.account)
        else:
            step.note = partial(self.notes.sent, sent)
            if attempt.account.paused_at is not None:
                step.touches.append(partial(self.notes.resumed, attempt.account))
            self._note_answer(step, attempt.account)
        return step

    def _may_be_in_another_hand(self, attempt: Attempt) -> bool:
        """Whether this process stood still for so long that its claim could end before the provider has answered."""
        claimed_until = attempt.message.claimed_until
        return claimed_until is not None and self.clock.now() > claimed_until - SENT_WITHIN

    def _note_silence(self, step: Step, account: TwilioAccount) -> None:
        """Tell once when the account has been silent too often."""
        if self.breaker.note_silence(account.twilio_account_id):
            log.warning(
                "account_silent", owner_id=account.owner_id, twilio_account_id=account.twilio_account_id
            )
            step.touches.append(partial(self.notes.silent, account, since=self.clock.now()))

    def _note_answer(self, step: Step, account: TwilioAccount) -> None:
        self.breaker.note_answer(account.twilio_account_id)
        if account.degraded_at is not None:
            log.info(
                "account_answers", owner_id=account.owner_id, twilio_account_id=account.twilio_account_id
            )
            step.touches.append(partial(self.notes.silent, account, since=None))

    async def _find_sent(self, attempt: Attempt, credentials: Credentials) -> SentMessage | None:
        """The message at the provider, if the attempt whose outcome is unknown did reach it."""
        candidates = await self.gateway.list_sent(
            to=str(attempt.to), since=attempt.since - CLOCK_SKEW, credentials=credentials
        )
        alike = [sent for sent in candidates if _is_alike(sent, attempt.message)]
        async with self.database.owner(attempt.message.owner_id) as connection:
            taken = await MessageRepository(connection).list_known_sids([sent.provider_sid for sent in alike])
        return next((sent for sent in alike if sent.provider_sid not in taken), None)

    def _outbound(self, attempt: Attempt) -> OutboundMessage:
        message = attempt.message
        return OutboundMessage(
            to=str(attempt.to),
            sender=str(attempt.sender),
            body=message.content,
            media_urls=message.media_urls,
            content_sid=message.content_sid,
            content_variables=json.dumps(message.content_variables) if message.content_variables else None,
            messaging_service_sid=attempt.account.messaging_service_sid,
            status_callback=self.twilio.status_url(attempt.account, msg_id=message.msg_id),
        )


def _note(step: Step, line: Line, change: OutboxChanges) -> None:
    if step.note is None or line.attempted is None:
        return
    event = step.note(line.attempted)
    change.messages.append(line.attempted)
    if event is not None:
        change.events.append(event)


def _is_silence(refusal: ProviderError) -> bool:
    """Whether no connection came about, so that nobody refused anything."""
    is_unanswered = refusal.http_status is None and refusal.provider_code is None
    return is_unanswered and refusal.kind is ProviderProblem.RETRY


def _is_alike(sent: SentMessage, message: Message) -> bool:
    """Whether the provider's message can be ours; a template's text is known to the provider only."""
    if sent.num_media != len(message.media_urls) and message.content_sid is None:
        return False
    return message.content_sid is not None or sent.body == message.content
