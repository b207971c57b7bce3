"""Receives a customer's message: one transaction from what is known to what has changed."""

from dataclasses import dataclass

from owner.db.database import Connection, Database
from owner.logs import get_logger
from owner.models.closure import ClosureScore
from owner.models.conversation import Conversation
from owner.models.enums import ConversationStatus
from owner.models.message import InboundMessage
from owner.models.owner import Owner
from owner.repositories.inbound import InboundRepository
from owner.repositories.jobs import JobRepository
from owner.services.arrival import Arrival
from owner.services.closure_detector import ClosureDetector
from owner.services.closure_question import ask_whether_done
from owner.services.customer_lock import customer_lock
from owner.services.ports import Clock
from owner.services.suppressions import SuppressionList

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an inbound message."""

    msg_id: int
    is_duplicate: bool = False
    conv_id: int | None = None
    status: ConversationStatus | None = None
    score: ClosureScore | None = None


class InboundService:
    """Takes in what customers write."""

    def __init__(
        self, database: Database, *, clock: Clock, detector: ClosureDetector, suppressions: SuppressionList
    ) -> None:
        self.database = database
        self.clock = clock
        self.detector = detector
        self.suppressions = suppressions

    async def receive(self, inbound: InboundMessage, *, owner: Owner, twilio_account_id: int) -> Receipt:
        """Store a message once, however often it is delivered; committed when this returns."""
        lock = customer_lock(owner.owner_id, inbound.customer_key)
        async with self.database.owner(owner.owner_id, lock=lock) as connection:
            repository = InboundRepository(connection)
            now = self.clock.now()
            known = await repository.load(
                inbound,
                owner_id=owner.owner_id,
                now=now,
                may_say_goodbye=owner.texts.closing is not None,
            )
            if known.duplicate_of is not None:
                return Receipt(known.duplicate_of, is_duplicate=True)
            if known.may_be_suppressed:
                taken = await self.suppressions.take(connection, [inbound.customer_key])
                known.suppression = taken.get(inbound.customer_key)
            arrival = Arrival(inbound, known, owner, twilio_account_id, now, self.detector)
            conversation = arrival.decide()
            media_ids = await repository.store(owner.owner_id, arrival.changes)
            await self._enqueue(connection, arrival, conversation, media_ids)
        return self._receipt(arrival, conversation)

    async def _enqueue(
        self, connection: Connection, arrival: Arrival, conversation: Conversation, media_ids: list[int]
    ) -> None:
        """Leave to the worker what the customer's provider need not wait for, and only if there is something."""
        for media_id in media_ids:
            await JobRepository(connection).enqueue(
                "media_arrived", owner_id=conversation.owner_id, media_id=media_id
            )
        if arrival.says_goodbye:
            await JobRepository(connection).enqueue(
                "message_queued", owner_id=conversation.owner_id, conv_id=conversation.conv_id
            )
        if arrival.asks_customer:
            await ask_whether_done(
                connection,
                conversation,
                owner=arrival.owner,
                language=arrival.customer_language,
                at=arrival.at,
            )

    def _receipt(self, arrival: Arrival, conversation: Conversation) -> Receipt:
        log.info(
            "message_received",
            owner_id=conversation.owner_id,
            conv_id=conversation.conv_id,
            msg_id=arrival.known.new_msg_id,
            status=conversation.status,
        )
        return Receipt(
            arrival.known.new_msg_id,
            conv_id=conversation.conv_id,
            status=conversation.status,
            score=arrival.score,
        )
