"""One conversation and its outbox, as tests write to it and hand it to the provider."""

from dataclasses import dataclass
from datetime import timedelta

from factories import Tenant, make_inbound, some_number
from owner.models.enums import ActorKind, DeliveryStatus
from owner.models.event import Actor
from owner.models.message import Message, MessageCreate, StatusCallback
from owner.services.catalog import Services
from owner.services.deliveries import DeliveryService
from reading import messages_of

PERSON = Actor(ActorKind.USER)


@dataclass(frozen=True)
class Thread:
    """A conversation with one customer."""

    services: Services
    tenant: Tenant
    conv_id: int
    customer: str

    async def write(self, *contents: str) -> list[Message]:
        return [
            await self.services.messages.send(
                self.tenant.owner_id, self.conv_id, MessageCreate(content=content), by=PERSON
            )
            for content in contents
        ]

    async def deliver(self, process: DeliveryService | None = None) -> timedelta | None:
        deliveries = process or self.services.deliveries
        pause = await deliveries.deliver(self.tenant.owner_id, self.conv_id)
        return None if pause is None else pause.after

    async def outbound(self) -> list[Message]:
        found = await messages_of(self.services, self.tenant, self.conv_id)
        return [message for message in found if message.direction == "OUTBOUND"]

    async def callback(
        self, provider_sid: str, status: DeliveryStatus | None, msg_id: int | None = None, **changes: object
    ) -> bool:
        callback = StatusCallback.model_validate(
            {"provider_sid": provider_sid, "status": status, "msg_id": msg_id, **changes}
        )
        return await self.services.delivery_statuses.record(self.tenant.owner_id, callback)


async def open_thread(services: Services, tenant: Tenant, *written: str) -> Thread:
    """A customer has written, and these messages wait to be sent."""
    customer = some_number()
    receipt = await services.inbound.receive(
        make_inbound(tenant, customer=customer),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    thread = Thread(services, tenant, receipt.conv_id, customer)
    await thread.write(*written)
    return thread
