"""Hands queued messages to the provider, in order, exactly once, whatever breaks in between."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Final, TypeAlias

from owner.db.database import Connection, Database, see
from owner.logs import get_logger
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.models.message import Message
from owner.models.twilio_account import TwilioAccount
from owner.repositories.messages import MessageRepository
from owner.repositories.outbox import Head, OutboxRepository
from owner.services.delivery_notes import FIRST_RETRY, Attempt, DeliveryNotes, Note
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
    """What a conversation needs of the database: what came of its last attempt noted, and its next message claimed."""

    owner_id: int
    conv_id: int
    has_turn: bool = False
    attempt: Attempt | None = None
    notes: list[Note] = field(default_factory=list)
    touches_others: bool = False  # rows that conversations share, so that it may have to wait for them
    is_admitted: bool = False
    rest: Pause | None = None  # if it is not


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
        self._alone = GroupCommit(self._carry_out, at_once=1)

    async def deliver(self, owner_id: int, conv_id: int, *, has_turn: bool = False) -> Pause | None:
        """Send what waits in a conversation.

        Returns when somebody has to come back, because a message waits for its next attempt, its sender's turn or
        its account, or is in another worker's hand; None when nothing waits, or somebody else is just at work on it.
        """
        found = await self._put(Step(owner_id, conv_id, has_turn))
        while found is not None:
            if isinstance(found, Attempt):
                step = await self._hand_over(found)
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
        group = self._alone if step.touches_others else self._together
        [found] = await group.put(step, key=step.conv_id)
        return found

    async def _carry_out(self, steps: Sequence[Step]) -> list[tuple[Found] | None]:
        """Note and claim for many conversations by one commit, each under its own owner's setting.

        No message is waited for, so nobody holds up the others: None where somebody else is at work on it.
        """
        found: dict[Step, tuple[Found] | None] = {}
        by_owner = sorted(steps, key=_owner_of)
        async with self.database.system() as connection:
            for owner_id, theirs in groupby(by_owner, key=_owner_of):
                await see(connection, owner_id)
                for step in theirs:
                    found[step] = await self._take_step(connection, step)
        return [found[step] for step in steps]

    async def _take_step(self, connection: Connection, step: Step) -> tuple[Found] | None:
        if step.attempt is not None:
            message = await MessageRepository(connection).claim(step.attempt.message.msg_id)
            if message is None:
                return None
            for note in step.notes:
                await note(connection, message)
        return (await self._take_next(connection, step),)

    async def _take_next(self, connection: Connection, step: Step) -> Found:
        """Take the next message in hand; committed before the provider hears of it."""
        head = await OutboxRepository(connection).claim_head(step.conv_id)
        if head is None:
            return None
        message, now = head.message, self.clock.now()
        if message.waits_until() > now:
            return Pause(message.waits_until() - now)
        if not self._admits(step, head):
            return step.rest
        since = message.unconfirmed_at
        message.begin_attempt(at=now, claim_for=CLAIM, provider_time=self.gateway.provider_time(now))
        await MessageRepository(connection).save(message)
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
                step.notes.append(partial(delayed, attempt))
                return step
            sent = sent or await self.gateway.send(self._outbound(attempt), credentials)
        except OutcomeUnknown:
            step.notes.append(partial(self.notes.unknown, attempt))
            self._note_silence(step, attempt.account)
        except ProviderError as refusal:
            step.notes.append(partial(self.notes.refused, attempt, refusal))
            step.touches_others = refusal.kind in {ProviderProblem.CREDENTIALS, ProviderProblem.OPTED_OUT}
            (self._note_silence if _is_silence(refusal) else self._note_answer)(step, attempt.account)
        else:
            step.notes.append(partial(self.notes.sent, attempt, sent))
            step.touches_others = attempt.account.paused_at is not None
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
            step.notes.append(partial(self.notes.silent, account, since=self.clock.now()))
            step.touches_others = True

    def _note_answer(self, step: Step, account: TwilioAccount) -> None:
        self.breaker.note_answer(account.twilio_account_id)
        if account.degraded_at is not None:
            log.info(
                "account_answers", owner_id=account.owner_id, twilio_account_id=account.twilio_account_id
            )
            step.notes.append(partial(self.notes.silent, account, since=None))
            step.touches_others = True

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


def _owner_of(step: Step) -> int:
    return step.owner_id


def _is_silence(refusal: ProviderError) -> bool:
    """Whether no connection came about, so that nobody refused anything."""
    is_unanswered = refusal.http_status is None and refusal.provider_code is None
    return is_unanswered and refusal.kind is ProviderProblem.RETRY


def _is_alike(sent: SentMessage, message: Message) -> bool:
    """Whether the provider's message can be ours; a template's text is known to the provider only."""
    if sent.num_media != len(message.media_urls) and message.content_sid is None:
        return False
    return message.content_sid is not None or sent.body == message.content
