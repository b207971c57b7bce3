"""Hands queued messages to the provider, in order, exactly once, whatever breaks in between."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from owner.db.database import Connection, Database
from owner.logs import get_logger
from owner.models.addresses import Address
from owner.models.conversation import Conversation
from owner.models.enums import ConsentSource
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.models.event import PROVIDER, SYSTEM, Actor, NewEvent
from owner.models.message import Message
from owner.models.twilio_account import TwilioAccount
from owner.repositories.contact_addresses import ContactAddressRepository
from owner.repositories.conversations import ConversationRepository
from owner.repositories.events import EventRepository
from owner.repositories.messages import MessageRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.address_book import opt_out_address
from owner.services.ports import Clock, Credentials, MessageGateway, OutboundMessage, SendRate, SentMessage
from owner.services.twilio_accounts import TwilioService

log = get_logger(__name__)

# Longer than a look-up (10 s) and a send (10 s) take at most, so that a live worker keeps its claim.
CLAIM: Final = timedelta(seconds=25)
FIRST_RETRY: Final = timedelta(seconds=2)
UNKNOWN_RETRY: Final = timedelta(seconds=10)  # a message that Twilio took late should be in its list by then
LONGEST_RETRY: Final = timedelta(minutes=5)
GIVE_UP_AFTER: Final = timedelta(hours=24)  # a daily limit ends within that
CREDENTIALS_RETRY: Final = timedelta(minutes=5)
CLOCK_SKEW: Final = timedelta(minutes=2)  # between our clock and the provider's, when looking a message up


@dataclass(frozen=True, slots=True)
class Attempt:
    """One message in a worker's hand."""

    message: Message
    account: TwilioAccount
    to: Address
    sender: Address
    may_be_sent_already: bool
    since: datetime


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
    ) -> None:
        self.database = database
        self.clock = clock
        self.gateway = gateway
        self.twilio = twilio
        self.rate = rate

    async def deliver(self, owner_id: int, conv_id: int) -> timedelta | None:
        """Send what waits in a conversation.

        Returns after how long somebody has to come back, because a message waits for its next attempt or is in
        another worker's hand; None when nothing waits.
        """
        while True:
            await self._wait_turn(owner_id, conv_id)
            attempt = await self._claim(owner_id, conv_id)
            if attempt is None:
                break
            await self._hand_over(attempt)
        async with self.database.owner(owner_id) as connection:
            next_attempt_at = await MessageRepository(connection).find_next_attempt(conv_id)
        return None if next_attempt_at is None else max(next_attempt_at - self.clock.now(), timedelta(0))

    async def _wait_turn(self, owner_id: int, conv_id: int) -> None:
        async with self.database.owner(owner_id) as connection:
            conversation = await ConversationRepository(connection).get(conv_id)
        await self.rate.wait_turn(str(Address(conversation.channel, conversation.our_address)))

    async def _claim(self, owner_id: int, conv_id: int) -> Attempt | None:
        """Take the next message in hand: committed before the provider hears of it."""
        async with self.database.owner(owner_id) as connection:
            messages = MessageRepository(connection)
            now = self.clock.now()
            message = await messages.claim_next_unsent(conv_id, now=now)
            if message is None:
                return None
            conversation = await ConversationRepository(connection).get(conv_id)
            since = message.unconfirmed_at
            message.begin_attempt(at=now, claim_for=CLAIM)
            await messages.save(message)
            return await self._attempt(connection, message, conversation, since)

    async def _attempt(
        self, connection: Connection, message: Message, conversation: Conversation, since: datetime | None
    ) -> Attempt:
        account = await TwilioAccountRepository(connection).get(conversation.twilio_account_id)
        customer = Address(conversation.channel, conversation.customer_address)
        known = await ContactAddressRepository(connection).find(customer)
        return Attempt(
            message,
            account,
            to=Address(customer.channel, known.reply_address) if known else customer,
            sender=Address(conversation.channel, conversation.our_address),
            may_be_sent_already=since is not None,
            since=since or self.clock.now(),
        )

    async def _hand_over(self, attempt: Attempt) -> None:
        """Give one message to the provider and note what came of it."""
        try:
            credentials = self.twilio.credentials(attempt.account)
            sent = await self._find_sent(attempt, credentials) if attempt.may_be_sent_already else None
            sent = sent or await self.gateway.send(self._outbound(attempt), credentials)
        except OutcomeUnknown:
            after = max(_back_off(attempt.message), UNKNOWN_RETRY)
            await self._note_retry(attempt, after=after, is_outcome_known=False)
        except ProviderError as refusal:
            await self._note_refusal(attempt, refusal)
        else:
            await self._note_sent(attempt, sent)

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

    async def _note_sent(self, attempt: Attempt, sent: SentMessage) -> None:
        async with self.database.owner(attempt.message.owner_id) as connection:
            message = await MessageRepository(connection).get(attempt.message.msg_id, for_update=True)
            # A status callback may have told us the SID before the provider's own answer did.
            if message.provider_sid is None:
                message.confirm(sent.provider_sid, sent.status, at=self.clock.now())
                await MessageRepository(connection).save(message)
                await _record(connection, message, "message.accepted", PROVIDER)
            if attempt.account.paused_at is not None:
                await TwilioAccountRepository(connection).resume(attempt.account.twilio_account_id)
        log.info("message_sent", **_ids(message), attempts=message.attempts)

    async def _note_refusal(self, attempt: Attempt, refusal: ProviderError) -> None:
        message = attempt.message
        now = self.clock.now()
        if refusal.kind is ProviderProblem.CREDENTIALS:
            await self._pause_account(attempt, refusal)
            await self._note_retry(
                attempt, after=CREDENTIALS_RETRY, is_outcome_known=not attempt.may_be_sent_already
            )
        elif not refusal.permanent and now - message.created_at < GIVE_UP_AFTER:
            after = timedelta(seconds=refusal.retry_after) if refusal.retry_after else _back_off(message)
            await self._note_retry(attempt, after=after, is_outcome_known=not attempt.may_be_sent_already)
        else:
            await self._note_failure(attempt, refusal)

    async def _note_retry(self, attempt: Attempt, *, after: timedelta, is_outcome_known: bool) -> None:
        async with self.database.owner(attempt.message.owner_id) as connection:
            message = await MessageRepository(connection).get(attempt.message.msg_id, for_update=True)
            if message.provider_sid is None:
                message.retry(at=self.clock.now(), after=after, is_outcome_known=is_outcome_known)
                await MessageRepository(connection).save(message)
        log.info("message_delayed", **_ids(message), attempts=message.attempts, seconds=after.total_seconds())

    async def _note_failure(self, attempt: Attempt, refusal: ProviderError) -> None:
        async with self.database.owner(attempt.message.owner_id) as connection:
            now = self.clock.now()
            message = await MessageRepository(connection).get(attempt.message.msg_id, for_update=True)
            message.fail(at=now, error_code=refusal.provider_code, error_message=refusal.message)
            await MessageRepository(connection).save(message)
            await _record(connection, message, "message.failed", PROVIDER, error_code=refusal.provider_code)
            if refusal.kind is ProviderProblem.OPTED_OUT:
                await note_opt_out(connection, message, at=now, error_code=refusal.provider_code)
        log.info("message_failed", **_ids(message), error_code=refusal.provider_code)

    async def _pause_account(self, attempt: Attempt, refusal: ProviderError) -> None:
        async with self.database.owner(attempt.message.owner_id) as connection:
            is_new = await TwilioAccountRepository(connection).pause(
                attempt.account.twilio_account_id, reason=refusal.message, at=self.clock.now()
            )
            if is_new:
                event = NewEvent(
                    "channel.paused",
                    SYSTEM,
                    data={
                        "twilio_account_id": attempt.account.twilio_account_id,
                        "error_code": refusal.provider_code,
                    },
                )
                await EventRepository(connection).add_all(attempt.message.owner_id, [event])


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
