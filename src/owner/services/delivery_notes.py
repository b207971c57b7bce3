"""What came of an attempt to send a message, as it is written down."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from owner.db.database import Connection
from owner.logs import get_logger
from owner.models.addresses import Address
from owner.models.enums import ConsentSource
from owner.models.errors import ProviderError, ProviderProblem
from owner.models.event import PROVIDER, SYSTEM, NewEvent
from owner.models.message import Message
from owner.models.twilio_account import TwilioAccount
from owner.repositories.conversations import ConversationRepository
from owner.repositories.events import EventRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.address_book import opt_out_address
from owner.services.ports import Clock, SentMessage

log = get_logger(__name__)

FIRST_RETRY: Final = timedelta(seconds=2)
UNKNOWN_RETRY: Final = timedelta(seconds=10)  # a message that Twilio took late should be in its list by then
LONGEST_RETRY: Final = timedelta(minutes=5)
GIVE_UP_AFTER: Final = timedelta(hours=24)  # a daily limit ends within that
CREDENTIALS_RETRY: Final = timedelta(minutes=5)

# Changes the message as it is now, locked, and says what is to be told. The same twice changes nothing the second time.
Note: TypeAlias = Callable[[Message], NewEvent | None]
# Changes rows that conversations share, in a transaction of its owner, who may have to wait for them.
Touch: TypeAlias = Callable[[Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One message in a worker's hand."""

    message: Message
    account: TwilioAccount
    to: Address
    sender: Address
    may_be_sent_already: bool
    since: datetime

    def holds(self, message: Message) -> bool:
        """Whether the message is still in this hand: not sent by another one, nor taken by it meanwhile."""
        return message.provider_sid is None and message.claimed_until == self.message.claimed_until


class DeliveryNotes:
    """The first four become a `Note`, the others a `Touch`, by what stands before their last argument."""

    def __init__(self, *, clock: Clock) -> None:
        self.clock = clock

    def sent(self, sent: SentMessage, message: Message) -> NewEvent | None:
        log.info("message_sent", **_ids(message), attempts=message.attempts)
        # A status callback may have told us the SID before the provider's own answer did.
        if message.provider_sid is not None:
            return None
        message.learn_text(sent.body)
        message.confirm(sent.provider_sid, sent.status, at=self.clock.now())
        return _event(message, "message.accepted")

    def refused(self, attempt: Attempt, refusal: ProviderError, message: Message) -> NewEvent | None:
        if refusal.kind is ProviderProblem.CREDENTIALS:
            after = CREDENTIALS_RETRY
        elif not refusal.permanent and self.clock.now() - message.created_at < GIVE_UP_AFTER:
            after = timedelta(seconds=refusal.retry_after) if refusal.retry_after else _back_off(message)
        else:
            return self._failed(attempt, refusal, message)
        self.delayed(attempt, message, after=after, is_outcome_known=not attempt.may_be_sent_already)
        return None

    def unknown(self, attempt: Attempt, message: Message) -> None:
        after = max(_back_off(message), UNKNOWN_RETRY)
        self.delayed(attempt, message, after=after, is_outcome_known=False)

    def delayed(
        self, attempt: Attempt, message: Message, *, after: timedelta, is_outcome_known: bool
    ) -> None:
        if not attempt.holds(message):
            return
        message.retry(at=self.clock.now(), after=after, is_outcome_known=is_outcome_known)
        log.info("message_delayed", **_ids(message), attempts=message.attempts, seconds=after.total_seconds())

    def _failed(self, attempt: Attempt, refusal: ProviderError, message: Message) -> NewEvent | None:
        if not attempt.holds(message):
            return None
        message.fail(at=self.clock.now(), error_code=refusal.provider_code, error_message=refusal.message)
        log.info("message_failed", **_ids(message), error_code=refusal.provider_code)
        return _event(message, "message.failed", error_code=refusal.provider_code)

    async def silent(self, account: TwilioAccount, connection: Connection, *, since: datetime | None) -> None:
        """The account does not answer since then, or does so again."""
        account_id = account.twilio_account_id
        if await TwilioAccountRepository(connection).note_silence(account_id, since=since):
            event_type = "channel.recovered" if since is None else "channel.degraded"
            event = NewEvent(event_type, SYSTEM, data={"twilio_account_id": account_id})
            await EventRepository(connection).add_all(account.owner_id, [event])

    async def resumed(self, account: TwilioAccount, connection: Connection) -> None:
        await TwilioAccountRepository(connection).resume(account, at=self.clock.now())

    async def paused(self, account: TwilioAccount, refusal: ProviderError, connection: Connection) -> None:
        account_id, now = account.twilio_account_id, self.clock.now()
        if await TwilioAccountRepository(connection).pause(account_id, reason=refusal.message, at=now):
            facts = {"twilio_account_id": account_id, "error_code": refusal.provider_code}
            event = NewEvent("channel.paused", SYSTEM, data=facts)
            await EventRepository(connection).add_all(account.owner_id, [event])

    async def opted_out(self, attempt: Attempt, refusal: ProviderError, connection: Connection) -> None:
        now = self.clock.now()
        await note_opt_out(connection, attempt.message, at=now, error_code=refusal.provider_code)


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


def _event(message: Message, event_type: str, **facts: object) -> NewEvent:
    return NewEvent(event_type, PROVIDER, conv_id=message.conv_id, msg_id=message.msg_id, data=dict(facts))


def _ids(message: Message) -> dict[str, int]:
    return {"owner_id": message.owner_id, "conv_id": message.conv_id, "msg_id": message.msg_id}


def _back_off(message: Message) -> timedelta:
    doublings = min(message.attempts - 1, 10)
    return min(FIRST_RETRY * (1 << doublings), LONGEST_RETRY)
