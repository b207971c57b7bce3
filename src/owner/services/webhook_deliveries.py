"""Shows what was delivered to whom, and sends it again."""

from owner.db.database import Database
from owner.models.entity import Page
from owner.models.event import Actor
from owner.models.webhook_delivery import WebhookDelivery, WebhookReplay, WebhookReplayResponse
from owner.repositories.webhook_deliveries import DeliveryFilter, WebhookDeliveryRepository
from owner.repositories.webhook_endpoints import WebhookEndpointRepository
from owner.services.ports import Clock
from owner.services.webhook_endpoints import get_locked, note


class WebhookDeliveryService:
    """The delivery log."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def list_page(
        self, owner_id: int, wanted: DeliveryFilter, *, limit: int, cursor: str | None = None
    ) -> Page[WebhookDelivery]:
        """Deliveries of the newest events first."""
        async with self.database.owner(owner_id) as connection:
            return await WebhookDeliveryRepository(connection).list_filtered(
                wanted, limit=limit, cursor=cursor
            )

    async def get(self, owner_id: int, delivery_id: int) -> WebhookDelivery:
        async with self.database.owner(owner_id) as connection:
            return await WebhookDeliveryRepository(connection).get(delivery_id)

    async def replay(self, owner_id: int, delivery_id: int, *, by: Actor) -> WebhookDelivery:
        """Send one again, with the id that it had.

        Raises:
            WebhookEndpointDisabled: it would not be sent.
        """
        now = self.clock.now()
        async with self.database.owner(owner_id) as connection:
            deliveries = WebhookDeliveryRepository(connection)
            seen = await deliveries.get(delivery_id)
            # The endpoint comes first: whoever writes down an answer locks in this order too.
            endpoint = await get_locked(connection, seen.endpoint_id)
            endpoint.refuse_if_disabled()
            delivery = await deliveries.find_again(seen)
            if delivery is None:
                raise deliveries.missing(delivery_id)
            delivery.replay(at=now)
            await deliveries.save(delivery)
            await WebhookEndpointRepository(connection).wake([endpoint.endpoint_id], at=now)
            await note(connection, endpoint, "webhook.replayed", by, delivery_id=delivery_id)
        return delivery

    async def replay_range(
        self, owner_id: int, endpoint_id: int, replay: WebhookReplay, *, cursor: str | None = None, by: Actor
    ) -> WebhookReplayResponse:
        """Send an endpoint again what happened in a time, each with the id that it had.

        Raises:
            WebhookEndpointDisabled: it would not be sent.
        """
        now = self.clock.now()
        async with self.database.owner(owner_id) as connection:
            endpoint = await get_locked(connection, endpoint_id)
            endpoint.refuse_if_disabled()
            count, next_cursor = await WebhookDeliveryRepository(connection).replay(
                endpoint_id,
                DeliveryFilter(since=replay.since, until=replay.until or now),
                only_failed=replay.only_failed,
                cursor=cursor,
                now=now,
            )
            if count:
                await WebhookEndpointRepository(connection).wake([endpoint_id], at=now)
                await note(connection, endpoint, "webhook.replayed", by, deliveries=count)
        return WebhookReplayResponse(replayed=count, next_cursor=next_cursor)
