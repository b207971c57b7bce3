"""Endpoints, events and what is told of them, as the tests of outbound webhooks need them."""

import asyncio

from conftest import TurnableClock
from factories import Tenant
from fakes import FakeGateway
from owner import bootstrap
from owner.db.database import Database
from owner.models.event import SYSTEM, NewEvent
from owner.models.webhook_delivery import WebhookDelivery
from owner.models.webhook_endpoint import WebhookEndpoint, WebhookEndpointCreate
from owner.repositories.events import EventRepository
from owner.services.catalog import Services
from owner.services.secrets_box import FernetBox, new_secret_key
from owner.settings import Settings
from reading import rows

SETTINGS = Settings(
    webhook_allowed_networks="127.0.0.0/8", rate_limit_key_per_minute=0, rate_limit_owner_per_minute=0
)


def wired_for_consumers(
    database: Database, clock: TurnableClock, gateway: FakeGateway, box: FernetBox | None = None
) -> Services:
    """Use cases that may call consumers on this machine; who makes them closes `webhook_courier`."""
    return bootstrap.wire(SETTINGS, database, gateway, box or FernetBox([new_secret_key()]), clock)


async def an_endpoint(
    services: Services, tenant: Tenant, url: str, *event_types: str
) -> tuple[WebhookEndpoint, str]:
    """An endpoint, for messages and conversations unless it says something else, and its secret."""
    create = WebhookEndpointCreate(url=url, event_types=list(event_types or ("message.*", "conversation.*")))
    return await services.webhook_endpoints.create(tenant.owner_id, create, by=SYSTEM)


async def happens(services: Services, tenant: Tenant, *types: str, conv_id: int | None = None) -> None:
    async with services.database.owner(tenant.owner_id) as connection:
        events = [
            NewEvent(type_, SYSTEM, conv_id=conv_id, data={"place": place})
            for place, type_ in enumerate(types)
        ]
        await EventRepository(connection).add_all(tenant.owner_id, events)


async def fan_out(services: Services, tenant: Tenant) -> None:
    """Let the feed read everything: it waits for transactions of other tests that still run."""
    [newest] = await rows(services, tenant, "SELECT max(event_id) AS id FROM events")
    while True:
        await services.event_feed.advance(tenant.owner_id)
        read = await rows(services, tenant, "SELECT event_id FROM event_cursors WHERE reader = 'webhooks'")
        if read and read[0]["event_id"] >= newest["id"]:
            return
        await asyncio.sleep(0.02)


async def deliver(services: Services, endpoint: WebhookEndpoint) -> None:
    await services.webhook_courier.deliver(endpoint.owner_id, endpoint.endpoint_id)


async def tell(services: Services, tenant: Tenant, endpoint: WebhookEndpoint) -> None:
    """Everything that happened, as far as it can be told now."""
    await fan_out(services, tenant)
    await deliver(services, endpoint)


async def deliveries_of(services: Services, tenant: Tenant) -> list[WebhookDelivery]:
    """Oldest first, with their attempts."""
    found = await rows(services, tenant, "SELECT * FROM webhook_deliveries ORDER BY delivery_id")
    return [WebhookDelivery.model_validate(row) for row in found]
