"""Keeps the places that an owner's integrators want to be told at."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from owner.db.database import Connection, Database
from owner.models.entity import Page
from owner.models.errors import TooManyWebhookEndpoints, WebhookEndpointNotFound
from owner.models.event import Actor, NewEvent
from owner.models.network import IPNetwork
from owner.models.webhook_delivery import WebhookDelivery
from owner.models.webhook_endpoint import (
    MAXIMUM_ENDPOINTS,
    DisabledReason,
    WebhookEndpoint,
    WebhookEndpointCreate,
    WebhookEndpointUpdate,
    new_secret,
    refuse_forbidden_url,
)
from owner.repositories.events import EventRepository
from owner.repositories.webhook_deliveries import WebhookDeliveryRepository
from owner.repositories.webhook_endpoints import WebhookEndpointRepository
from owner.services.ports import Clock, SecretBox
from owner.services.webhook_fan_out import store_deliveries

DELETED_AT_ONCE: Final = 5_000  # deliveries of one transaction


class WebhookEndpointService:
    """Endpoints of outbound webhooks: where, about what, signed with which secret."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        secrets_box: SecretBox,
        allowed_networks: Sequence[IPNetwork] = (),
    ) -> None:
        self.database = database
        self.clock = clock
        self.secrets_box = secrets_box
        self.allowed_networks = allowed_networks

    async def create(
        self, owner_id: int, create: WebhookEndpointCreate, *, by: Actor
    ) -> tuple[WebhookEndpoint, str]:
        """A new endpoint and its secret, which is told this once.

        Raises:
            WebhookUrlForbidden: the URL's host is inside somebody's network.
            TooManyWebhookEndpoints: the owner has as many as they can.
        """
        refuse_forbidden_url(create.url, allowed=self.allowed_networks)
        secret, now = new_secret(), self.clock.now()
        async with self.database.owner(owner_id) as connection:
            repository = WebhookEndpointRepository(connection)
            if await repository.count() >= MAXIMUM_ENDPOINTS:
                raise TooManyWebhookEndpoints(limit=MAXIMUM_ENDPOINTS)
            endpoint = await repository.add(
                {
                    "owner_id": owner_id,
                    "url": create.url,
                    "description": create.description,
                    "event_types": list(dict.fromkeys(create.event_types)),
                    "secret_encrypted": self.secrets_box.encrypt(secret),
                    "created_at": now,
                    "updated_at": now,
                }
            )
            await note(connection, endpoint, "webhook.created", by)
        return endpoint, secret

    async def list_page(
        self, owner_id: int, *, limit: int, cursor: str | None = None
    ) -> Page[WebhookEndpoint]:
        """Endpoints, newest first."""
        async with self.database.owner(owner_id) as connection:
            return await WebhookEndpointRepository(connection).list_page(limit=limit, cursor=cursor)

    async def get(self, owner_id: int, endpoint_id: int) -> WebhookEndpoint:
        async with self.database.owner(owner_id) as connection:
            return await WebhookEndpointRepository(connection).get(endpoint_id)

    async def update(
        self, owner_id: int, endpoint_id: int, update: WebhookEndpointUpdate, *, by: Actor
    ) -> WebhookEndpoint:
        """Change what was given. Enabling lets everything that waits be tried at once.

        Raises:
            WebhookUrlForbidden: the URL's host is inside somebody's network.
        """
        changes = update.changes()
        if "url" in changes:
            refuse_forbidden_url(update.url, allowed=self.allowed_networks)
        is_enabled = changes.pop("is_enabled", None)
        async with self.database.owner(owner_id) as connection:
            endpoint = await get_locked(connection, endpoint_id)
            if changes:
                _change(endpoint, changes)
                endpoint.updated_at = self.clock.now()
                await note(connection, endpoint, "webhook.updated", by, fields=sorted(changes))
            if is_enabled is not None and is_enabled != endpoint.is_enabled:
                await self._switch(connection, endpoint, by, on=is_enabled)
            await WebhookEndpointRepository(connection).save(endpoint)
        return endpoint

    async def delete(self, owner_id: int, endpoint_id: int, *, by: Actor) -> None:
        """Forget an endpoint and its log; a long log goes piece by piece, so that nobody waits for a lock."""
        async with self.database.owner(owner_id) as connection:
            endpoint = await get_locked(connection, endpoint_id)
            if endpoint.is_enabled:
                endpoint.disable(DisabledReason.BY_REQUEST, at=self.clock.now())
                await WebhookEndpointRepository(connection).save(endpoint)
        is_more = True
        while is_more:
            async with self.database.owner(owner_id) as connection:
                repository = WebhookDeliveryRepository(connection)
                is_more = await repository.delete_some(endpoint_id, limit=DELETED_AT_ONCE) == DELETED_AT_ONCE
        async with self.database.owner(owner_id) as connection:
            await WebhookEndpointRepository(connection).delete(endpoint_id)
            await note(connection, endpoint, "webhook.deleted", by)

    async def rotate_secret(
        self, owner_id: int, endpoint_id: int, *, former_signs_for: timedelta, by: Actor
    ) -> tuple[WebhookEndpoint, str]:
        """A new secret, told this once; for a while the former one signs too."""
        secret = new_secret()
        async with self.database.owner(owner_id) as connection:
            endpoint = await get_locked(connection, endpoint_id)
            encrypted = self.secrets_box.encrypt(secret)
            endpoint.replace_secret(encrypted, former_signs_for=former_signs_for, at=self.clock.now())
            await WebhookEndpointRepository(connection).save(endpoint)
            await note(connection, endpoint, "webhook.secret_rotated", by)
        return endpoint, secret

    async def test(self, owner_id: int, endpoint_id: int, *, by: Actor) -> WebhookDelivery:
        """Send an event `webhook.test`, whatever the endpoint's types.

        Raises:
            WebhookEndpointDisabled: it would not be sent.
        """
        now = self.clock.now()
        async with self.database.owner(owner_id) as connection:
            endpoint = await get_locked(connection, endpoint_id)
            endpoint.refuse_if_disabled()
            event = await EventRepository(connection).add(
                owner_id, NewEvent("webhook.test", by, data={"endpoint_id": endpoint_id})
            )
            await store_deliveries(connection, owner_id, [(endpoint, event)], now=now)
            return await WebhookDeliveryRepository(connection).get_of_event(endpoint_id, event.event_id)

    async def _switch(
        self, connection: Connection, endpoint: WebhookEndpoint, by: Actor, *, on: bool
    ) -> None:
        now = self.clock.now()
        if on:
            endpoint.enable(at=now)
            await WebhookDeliveryRepository(connection).hasten(endpoint.endpoint_id, now=now)
            await note(connection, endpoint, "webhook.enabled", by)
            return
        endpoint.disable(DisabledReason.BY_REQUEST, at=now)
        await note(connection, endpoint, "webhook.disabled", by, reason=DisabledReason.BY_REQUEST)


async def get_locked(connection: Connection, endpoint_id: int) -> WebhookEndpoint:
    """One endpoint, locked until the transaction ends; raises `WebhookEndpointNotFound`."""
    endpoint = await WebhookEndpointRepository(connection).find_locked(endpoint_id)
    if endpoint is None:
        raise WebhookEndpointNotFound(endpoint_id)
    return endpoint


async def note(
    connection: Connection, endpoint: WebhookEndpoint, event_type: str, by: Actor, **facts: object
) -> None:
    event = NewEvent(event_type, by, data={"endpoint_id": endpoint.endpoint_id, **facts})
    await EventRepository(connection).add_all(endpoint.owner_id, [event])


def _change(endpoint: WebhookEndpoint, changes: dict[str, object]) -> None:
    for name, value in changes.items():
        setattr(endpoint, name, list(dict.fromkeys(value)) if isinstance(value, list) else value)
