"""Writes down, for each event, which endpoints have to be told of it."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from owner.db.database import Connection
from owner.models.event import Event
from owner.models.webhook_delivery import payload_of
from owner.models.webhook_endpoint import WebhookEndpoint
from owner.repositories.webhook_deliveries import NewDelivery, WebhookDeliveryRepository
from owner.repositories.webhook_endpoints import WebhookEndpointRepository
from owner.services.ports import Clock

TEST = "webhook.test"  # is stored by whoever tests, because it goes to one endpoint only


class WebhookFanOut:
    """Fulfils `event_feed.EventReader`: one delivery for each event and endpoint that wants it."""

    name = "webhooks"
    # From the beginning: endpoints say themselves from which event on they want to be told.
    starts_now = False

    def __init__(self, *, clock: Clock, wake: Callable[[], None]) -> None:
        self.clock = clock
        self.wake = wake

    async def read(self, connection: Connection, owner_id: int, events: Sequence[Event]) -> None:
        endpoints = await WebhookEndpointRepository(connection).list_kept()
        now = self.clock.now()
        wanted = [
            (endpoint, event)
            for event in events
            if event.type != TEST
            for endpoint in endpoints
            if endpoint.wants(event.type, event.event_id, now=now)
        ]
        if wanted:
            await store_deliveries(connection, owner_id, wanted, now=now)
            self.wake()


async def store_deliveries(
    connection: Connection,
    owner_id: int,
    wanted: Sequence[tuple[WebhookEndpoint, Event]],
    *,
    now: datetime,
) -> None:
    """Number them within their conversations, in the given order, and let workers know."""
    repository = WebhookEndpointRepository(connection)
    pairs = Counter(
        (endpoint.endpoint_id, event.conv_id) for endpoint, event in wanted if event.conv_id is not None
    )
    following = await repository.take_sequences(owner_id, pairs) if pairs else {}
    deliveries = []
    for endpoint, event in wanted:
        sequence = None
        if event.conv_id is not None:
            pair = (endpoint.endpoint_id, event.conv_id)
            sequence = following[pair]
            following[pair] += 1
        deliveries.append(_delivery(endpoint, event, sequence))
    await WebhookDeliveryRepository(connection).add_all(owner_id, deliveries, due_at=now)
    await repository.wake(sorted({endpoint.endpoint_id for endpoint, _ in wanted}), at=now)


def _delivery(endpoint: WebhookEndpoint, event: Event, sequence: int | None) -> NewDelivery:
    return NewDelivery(
        endpoint_id=endpoint.endpoint_id,
        event_id=event.event_id,
        event_type=event.type,
        conv_id=event.conv_id,
        sequence=sequence,
        payload=payload_of(event, sequence=sequence),
        created_at=event.created_at,
    )
