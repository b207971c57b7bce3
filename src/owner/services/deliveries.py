"""Hands queued messages to the provider, in order, exactly once, whatever breaks in between."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias

from owner.db.database import Connection, Database
from owner.logs import get_logger
from owner.models.addresses import Address
from owner.models.enums import ConsentSource
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.models.event import PROVIDER, SYSTEM, Actor, NewEvent
from owner.models.message import Message
from owner.models.twilio_account import TwilioAccount
from owner.repositories.conversations import ConversationRepository
from owner.repositories.events import EventRepository
from owner.repositories.messages import MessageRepository
from owner.repositories.outbox import OutboxRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.address_book import opt_out_address
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

CONNECTIONS: Final = 4  # of the pool at the same time: requests and other jobs need some too
PATIENCE: Final = timedelta(milliseconds=250)  # a turn that comes so soon is waited for
# Longer than a look-up (10 s) and a send (10 s) take at most, so that a live worker keeps its claim.
CLAIM: Final = timedelta(seconds=25)
SENT_WITHIN: Final = timedelta(seconds=10)
FIRST_RETRY: Final = timedelta(seconds=2)
UNKNOWN_RETRY: Final = timedelta(seconds=10)  # a message that Twilio took late should be in its list by then
LONGEST_RETRY: Final = timedelta(minutes=5)
GIVE_UP_AFTER: Final = timedelta(hours=24)  # a daily limit ends within that
CREDENTIALS_RETRY: Final = timedelta(minutes=5)
CLOCK_SKEW: Final = timedelta(minutes=2)  # between our clock and the provider's, when looking a message up


Note: TypeAlias = Callable[[Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One message in a worker's hand."""

    message: Message
    account: TwilioAccount
    to: Address
    sender: Address
    may_be_sent_already: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """When it is worth coming back; with `has_turn` the sender's turn at that time is taken already."""

    after: timedelta
    has_turn: bool = False


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
        self._places = asyncio.Semaphore(CONNECTIONS)

    async def deliver(self, owner_id: int, conv_id: int, *, has_turn: bool = False) -> Pause | None:
        """Send what waits in a conversation.

        Returns when somebody has to come back, because a message waits for its next attempt, its sender's turn or
        its account, or is in another worker's hand; None when nothing waits.
        """
        async with self._transaction(owner_id) as connection:
            step = await self._take_next(connection, conv_id, has_turn=has_turn)
        while step is not None:
            if isinstance(step, Attempt):
                note, has_turn = await self._hand_over(step), False
            elif step.has_turn and step.after <= PATIENCE:
                await asyncio.sleep(step.after.total_seconds())
                note, has_turn = None, True
            else:
                break
            async with self._transaction(owner_id) as connection:
                if note is not None:
                    await note(connection)
                step = await self._take_next(connection, conv_id, has_turn=has_turn)
        return step

    @asynccontextmanager
    async def _transaction(self, owner_id: int) -> AsyncIterator[Connection]:
        """Many wait for the provider, few for the database: the others of this process need it too."""
        async with self._places, self.database.owner(owner_id) as connection:
            yield connection

    async def _take_next(
        self, connection: Connection, conv_id: int, *, has_turn: bool
    ) -> Attempt | Pause | None:
        """Take the next message in hand; committed before the provider hears of it."""
        head = await OutboxRepository(connection).load_head(conv_id)
        if head is None:
            return None
        message, account_id, now = head.message, head.account.twilio_account_id, self.clock.now()
        if message.waits_until() > now:
            return Pause(message.waits_until() - now)
        seconds = 0.0 if has_turn else self.rate.book(str(head.sender))
        if seconds > 0:
            return Pause(timedelta(seconds=seconds), has_turn=True)
        if not self.breaker.admits(account_id):
            return Pause(timedelta(seconds=self.breaker.rest_of(account_id)))
        since = message.unconfirmed_at
        message.begin_attempt(at=now, claim_for=CLAIM, provider_time=self.gateway.provider_time(now))
        await MessageRepository(connection).save(message)
        return Attempt(message, head.account, head.to, head.sender, since is not None, since=since or now)

    async def _hand_over(self, attempt: Attempt) -> Note:
        """Give one message to the provider; what came of it is to be noted."""
        try:
            credentials = self.twilio.credentials(attempt.account)
            sent = await self._find_sent(attempt, credentials) if attempt.may_be_sent_already else None
            if sent is None and self._may_be_in_another_hand(attempt):
                is_outcome_known = not attempt.may_be_sent_already
                return partial(
                    self._note_retry, attempt, after=FIRST_RETRY, is_outcome_known=is_outcome_known
                )
            sent = sent or await self.gateway.send(self._outbound(attempt), credentials)
        except OutcomeUnknown:
            after = max(_back_off(attempt.message), UNKNOWN_RETRY)
            note = partial(self._note_retry, attempt, after=after, is_outcome_known=False)
            return self._after_silence(attempt, note)
        except ProviderError as refusal:
            note = partial(self._note_refusal, attempt, refusal)
            return (self._after_silence if _is_silence(refusal) else self._after_answer)(attempt, note)
        return self._after_answer(attempt, partial(self._note_sent, attempt, sent))

    def _may_be_in_another_hand(self, attempt: Attempt) -> bool:
        """Whether this process stood still for so long that its claim could end before the provider has answered."""
        claimed_until = attempt.message.claimed_until
        return claimed_until is not None and self.clock.now() > claimed_until - SENT_WITHIN

    def _after_silence(self, attempt: Attempt, note: Note) -> Note:
        """Tell once when the account has been silent too often."""
        account_id = attempt.account.twilio_account_id
        if not self.breaker.note_silence(account_id):
            return note
        log.warning("account_silent", owner_id=attempt.account.owner_id, twilio_account_id=account_id)
        return _both(note, partial(self._note_silence, attempt.account, since=self.clock.now()))

    def _after_answer(self, attempt: Attempt, note: Note) -> Note:
        self.breaker.note_answer(attempt.account.twilio_account_id)
        if attempt.account.degraded_at is None:
            return note
        log.info(
            "account_answers",
            owner_id=attempt.account.owner_id,
            twilio_account_id=attempt.account.twilio_account_id,
        )
        return _both(note, partial(self._note_silence, attempt.account, since=None))

    async def _note_silence(
        self, account: TwilioAccount, connection: Connection, *, since: datetime | None
    ) -> None:
        is_new = await TwilioAccountRepository(connection).note_silence(
            account.twilio_account_id, since=since
        )
        if is_new:
            event_type = "channel.recovered" if since is None else "channel.degraded"
            event = NewEvent(event_type, SYSTEM, data={"twilio_account_id": account.twilio_account_id})
            await EventRepository(connection).add_all(account.owner_id, [event])

    async def _find_sent(self, attempt: Attempt, credentials: Credentials) -> SentMessage | None:
        """The message at the provider, if the attempt whose outcome is unknown did reach it."""
        candidates = await self.gateway.list_sent(
            to=str(attempt.to), since=attempt.since - CLOCK_SKEW, credentials=credentials
        )
        alike = [sent for sent in candidates if _is_alike(sent, attempt.message)]
        async with self._transaction(attempt.message.owner_id) as connection:
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

    async def _note_sent(self, attempt: Attempt, sent: SentMessage, connection: Connection) -> None:
        message = await MessageRepository(connection).get(attempt.message.msg_id, for_update=True)
        # A status callback may have told us the SID before the provider's own answer did.
        if message.provider_sid is None:
            message.confirm(sent.provider_sid, sent.status, at=self.clock.now())
            await MessageRepository(connection).save(message)
            await _record(connection, message, "message.accepted", PROVIDER)
        if attempt.account.paused_at is not None:
            await TwilioAccountRepository(connection).resume(attempt.account.twilio_account_id)
        log.info("message_sent", **_ids(message), attempts=message.attempts)

    async def _note_refusal(self, attempt: Attempt, refusal: ProviderError, connection: Connection) -> None:
        message, is_outcome_known = attempt.message, not attempt.may_be_sent_already
        if refusal.kind is ProviderProblem.CREDENTIALS:
            await self._pause_account(attempt, refusal, connection)
            after = CREDENTIALS_RETRY
        elif not refusal.permanent and self.clock.now() - message.created_at < GIVE_UP_AFTER:
            after = timedelta(seconds=refusal.retry_after) if refusal.retry_after else _back_off(message)
        else:
            await self._note_failure(attempt, refusal, connection)
            return
        await self._note_retry(attempt, connection, after=after, is_outcome_known=is_outcome_known)

    async def _note_retry(
        self, attempt: Attempt, connection: Connection, *, after: timedelta, is_outcome_known: bool
    ) -> None:
        message = await MessageRepository(connection).get(attempt.message.msg_id, for_update=True)
        if message.provider_sid is None and message.claimed_until == attempt.message.claimed_until:
            message.retry(at=self.clock.now(), after=after, is_outcome_known=is_outcome_known)
            await MessageRepository(connection).save(message)
        log.info("message_delayed", **_ids(message), attempts=message.attempts, seconds=after.total_seconds())

    async def _note_failure(self, attempt: Attempt, refusal: ProviderError, connection: Connection) -> None:
        now = self.clock.now()
        message = await MessageRepository(connection).get(attempt.message.msg_id, for_update=True)
        message.fail(at=now, error_code=refusal.provider_code, error_message=refusal.message)
        await MessageRepository(connection).save(message)
        await _record(connection, message, "message.failed", PROVIDER, error_code=refusal.provider_code)
        if refusal.kind is ProviderProblem.OPTED_OUT:
            await note_opt_out(connection, message, at=now, error_code=refusal.provider_code)
        log.info("message_failed", **_ids(message), error_code=refusal.provider_code)

    async def _pause_account(self, attempt: Attempt, refusal: ProviderError, connection: Connection) -> None:
        account_id = attempt.account.twilio_account_id
        is_new = await TwilioAccountRepository(connection).pause(
            account_id, reason=refusal.message, at=self.clock.now()
        )
        if is_new:
            facts = {"twilio_account_id": account_id, "error_code": refusal.provider_code}
            event = NewEvent("channel.paused", SYSTEM, data=facts)
            await EventRepository(connection).add_all(attempt.message.owner_id, [event])


def _is_silence(refusal: ProviderError) -> bool:
    """Whether no connection came about, so that nobody refused anything."""
    is_unanswered = refusal.http_status is None and refusal.provider_code is None
    return is_unanswered and refusal.kind is ProviderProblem.RETRY


def _both(one: Note, other: Note) -> Note:
    async def note(connection: Connection) -> None:
        await one(connection)
        await other(connection)

    return note


async def note_opt_out(
    connection: Connection, message: Message, *, at: datetime, error_code: int | None
) -> None:
    """The provider says that the customer wants no messages."""
    conversation = await ConversationRepository(connection).get(message.conv_id)
    evidence = {"msg_id": message.msg_id, "error_code": error_code, "by": "provider"}
    await opt_out_address(
        connection,
        message.owner_id,
        Address(conversation.channel, conversation.customer_address),
        source=ConsentSource.PROVIDER,
        evidence=evidence,
        by=PROVIDER,
        at=at,
        message=message,
    )


async def _record(
    connection: Connection, message: Message, event_type: str, by: Actor, **facts: object
) -> None:
    event = NewEvent(event_type, by, conv_id=message.conv_id, msg_id=message.msg_id, data=dict(facts))
    await EventRepository(connection).add_all(message.owner_id, [event])


def _ids(message: Message) -> dict[str, int]:
    return {"owner_id": message.owner_id, "conv_id": message.conv_id, "msg_id": message.msg_id}


def _is_alike(sent: SentMessage, message: Message) -> bool:
    """Whether the provider's message can be ours; a template's text is known to the provider only."""
    if sent.num_media != len(message.media_urls) and message.content_sid is None:
        return False
    return message.content_sid is not None or sent.body == message.content


def _back_off(message: Message) -> timedelta:
    doublings = min(message.attempts - 1, 10)
    return min(FIRST_RETRY * (1 << doublings), LONGEST_RETRY)
