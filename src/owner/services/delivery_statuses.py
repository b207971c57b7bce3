"""Follows a message's way by the provider's callbacks: forward only, in whatever order they come."""

from owner.db.database import Connection, Database
from owner.logs import get_logger
from owner.models.delivery import FAILURES
from owner.models.enums import DeliveryStatus
from owner.models.event import PROVIDER, NewEvent
from owner.models.message import Message, StatusCallback
from owner.repositories.events import EventRepository
from owner.repositories.messages import MessageRepository
from owner.services.delivery_notes import note_opt_out
from owner.services.ports import Clock

log = get_logger(__name__)

OPTED_OUT = 21610
TOLD = FAILURES | {DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ}


class DeliveryStatusService:
    """What happened to messages after the provider took them."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def record(self, owner_id: int, callback: StatusCallback) -> bool:
        """Note a callback; say whether it was about a message of this owner."""
        async with self.database.owner(owner_id) as connection:
            message = await self._find(connection, callback)
            if message is None:
                log.info("status_of_unknown_message", owner_id=owner_id, status=callback.status)
                return False
            await self._advance(connection, message, callback)
        log.info(
            "message_status",
            owner_id=owner_id,
            conv_id=message.conv_id,
            msg_id=message.msg_id,
            status=message.delivery_status,
            error_code=callback.error_code,
        )
        return True

    async def _find(self, connection: Connection, callback: StatusCallback) -> Message | None:
        """By the provider's SID, or by our own id where the callback overtook the provider's answer."""
        messages = MessageRepository(connection)
        message = await messages.find_by_sid(callback.provider_sid, for_update=True)
        if message is None and callback.msg_id is not None:
            message = await messages.find(callback.msg_id, for_update=True)
        if message is None or message.provider_sid not in {None, callback.provider_sid}:
            return None
        return message

    async def _advance(self, connection: Connection, message: Message, callback: StatusCallback) -> None:
        now = self.clock.now()
        is_proof_of_acceptance = message.provider_sid is None
        if is_proof_of_acceptance:
            message.confirm(callback.provider_sid, message.delivery_status, at=now)
        changed = callback.status is not None and message.advance(
            callback.status, at=now, error_code=callback.error_code, error_message=callback.error_message
        )
        if not (changed or is_proof_of_acceptance):
            return
        await MessageRepository(connection).save(message)
        if changed and message.delivery_status in TOLD:
            await self._tell(connection, message)
        if message.error_code == OPTED_OUT:
            await note_opt_out(connection, message, at=now, error_code=OPTED_OUT)

    async def _tell(self, connection: Connection, message: Message) -> None:
        event = NewEvent(
            f"message.{message.delivery_status.lower()}",
            PROVIDER,
            conv_id=message.conv_id,
            msg_id=message.msg_id,
            data={"error_code": message.error_code, "is_conflicted": message.is_conflicted},
        )
        await EventRepository(connection).add_all(message.owner_id, [event])
