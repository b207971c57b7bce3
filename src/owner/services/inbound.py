"""Receives customers' messages: one transaction, for all that come at once, from what is known to what has changed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from owner.db.database import Connection, Database, seeing
from owner.logs import get_logger
from owner.models.closure import ClosureScore
from owner.models.enums import ConversationStatus
from owner.models.message import InboundMessage
from owner.models.outage_errors import Overloaded
from owner.models.owner import Owner
from owner.repositories.inbound import InboundRepository, Known, Sought
from owner.repositories.jobs import JobRepository
from owner.services.arrival import Arrival
from owner.services.closure_detector import ClosureDetector
from owner.services.closure_question import ask_whether_done
from owner.services.customer_lock import customer_lock
from owner.services.group_commit import PATIENCE, PAUSE, GroupCommit
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


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it was handed in, and whose it is."""

    inbound: InboundMessage
    owner: Owner
    twilio_account_id: int
    customer_lock: int


class InboundService:
    """Takes in what customers write."""

    def __init__(
        self, database: Database, *, clock: Clock, detector: ClosureDetector, suppressions: SuppressionList
    ) -> None:
        self.database = database
        self.clock = clock
        self.detector = detector
        self.suppressions = suppressions
        self.group = GroupCommit(self._take_in)

    async def receive(self, inbound: InboundMessage, *, owner: Owner, twilio_account_id: int) -> Receipt:
        """Store a message once, however often it is delivered; committed when this returns.

        Within a request's transaction it becomes part of that. Messages of one customer are taken in one after
        the other, as they come.

        Raises:
            Overloaded: so many messages wait already that this one would come too late.
        """
        lock = customer_lock(owner.owner_id, inbound.customer_key)
        delivery = Delivery(inbound, owner, twilio_account_id, lock)
        if self.database.is_in_request:
            receipt = await self._take_in_alone(delivery)
        else:
            receipt = await self.group.put(delivery, key=lock, owner_id=owner.owner_id)
        if not receipt.is_duplicate:
            log.info(
                "message_received",
                owner_id=owner.owner_id,
                conv_id=receipt.conv_id,
                msg_id=receipt.msg_id,
                status=receipt.status,
            )
        return receipt

    async def aclose(self) -> None:
        """Return when all that was handed in is stored."""
        await self.group.finish()

    async def _take_in_alone(self, delivery: Delivery) -> Receipt:
        for _ in range(round(PATIENCE / PAUSE)):
            [receipt] = await self._take_in([delivery])
            if receipt is not None:
                return receipt
            await asyncio.sleep(PAUSE)
        raise Overloaded

    async def _take_in(self, deliveries: Sequence[Delivery]) -> list[Receipt | None]:
        """Receive messages of different customers; None where somebody else is at work on the customer."""
        now = self.clock.now()
        async with self.database.system() as connection:
            repository = InboundRepository(connection)
            known = await repository.load([_sought(delivery) for delivery in deliveries], now=now)
            arrivals = [self._arrival(*pair, now) for pair in zip(deliveries, known, strict=True)]
            new = [arrival for arrival in arrivals if arrival and arrival.known.duplicate_of is None]
            await self._recall_refusals(connection, new)
            for arrival in new:
                arrival.decide()
            if new:
                files = await repository.store([arrival.changes for arrival in new], now=now)
                await self._enqueue(connection, files)
                await self._ask_customers(connection, new)
        return [_receipt(arrival) if arrival else None for arrival in arrivals]

    def _arrival(self, delivery: Delivery, known: Known | None, now: datetime) -> Arrival | None:
        if known is None:
            return None
        return Arrival(
            delivery.inbound, known, delivery.owner, delivery.twilio_account_id, now, self.detector
        )

    async def _recall_refusals(self, connection: Connection, arrivals: Sequence[Arrival]) -> None:
        """Learn of new addresses whether they refused messages before they were forgotten."""
        for arrival in arrivals:
            if arrival.known.may_be_suppressed:
                customer = arrival.inbound.customer_key
                async with seeing(connection, arrival.owner.owner_id):
                    taken = await self.suppressions.take(connection, [customer])
                arrival.known.suppression = taken.get(customer)

    async def _enqueue(self, connection: Connection, files: Sequence[tuple[int, int]]) -> None:
        """Leave to the worker what the customers' provider need not wait for, and only if there is something."""
        jobs = [
            ("media_arrived", {"owner_id": owner_id, "media_id": media_id}) for owner_id, media_id in files
        ]
        if jobs:
            await JobRepository(connection).enqueue_all(jobs)

    async def _ask_customers(self, connection: Connection, arrivals: Sequence[Arrival]) -> None:
        for arrival in arrivals:
            if arrival.asks_customer:
                async with seeing(connection, arrival.owner.owner_id):
                    await ask_whether_done(
                        connection,
                        arrival.conversation,
                        owner=arrival.owner,
                        language=arrival.customer_language,
                        at=arrival.at,
                    )


def _sought(delivery: Delivery) -> Sought:
    return Sought(
        delivery.owner.owner_id,
        delivery.inbound,
        delivery.customer_lock,
        may_say_goodbye=delivery.owner.texts.closing is not None,
    )


def _receipt(arrival: Arrival) -> Receipt:
    if arrival.known.duplicate_of is not None:
        return Receipt(arrival.known.duplicate_of, is_duplicate=True)
    conversation = arrival.conversation
    return Receipt(
        arrival.known.new_msg_id,
        conv_id=conversation.conv_id,
        status=conversation.status,
        score=arrival.score,
    )
