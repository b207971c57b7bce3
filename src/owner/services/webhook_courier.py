"""Carries deliveries to their endpoints: many at once, few to each, so that nobody waits for a dead one of others."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Final

from standardwebhooks import Webhook

from owner.db.database import Connection, Database
from owner.logs import get_logger
from owner.models.errors import DatabaseUnavailable
from owner.models.event import SYSTEM
from owner.models.webhook_delivery import (
    AttemptError,
    WebhookAnswer,
    WebhookDelivery,
    WebhookDeliveryStatus,
    headers_of,
)
from owner.models.webhook_endpoint import AT_ONCE, DisabledReason, WebhookEndpoint
from owner.repositories.directory import Directory, Key
from owner.repositories.webhook_deliveries import WebhookDeliveryRepository
from owner.repositories.webhook_endpoints import WebhookEndpointRepository
from owner.services.ports import Clock, SecretBox, WebhookSender
from owner.services.webhook_endpoints import note
from owner.waiting import is_set_within

log = get_logger(__name__)

POLL: Final = 1.0  # seconds
COMMIT: Final = 0.05  # seconds until what woke us is committed; if it takes longer, the next poll finds it
CONNECTIONS: Final = 4  # of the pool at the same time: messages to customers need some too
OWNER_AT_ONCE: Final = 12  # requests of one owner, all processes together
LANES: Final = (
    400  # requests of one process; a lane holds no database connection while it waits for an answer
)
DUE_AT_ONCE: Final = 1_000  # endpoints that are looked at in a round


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery in hand, and what it takes to send it."""

    delivery: WebhookDelivery
    url: str
    secrets: list[str] = field(repr=False)
    at: datetime

    @property
    def headers(self) -> dict[str, str]:
        """One signature for each secret that signs, separated by spaces."""
        webhook_id = self.delivery.webhook_id
        signatures = [
            Webhook(secret).sign(webhook_id, self.at, self.delivery.payload) for secret in self.secrets
        ]
        return headers_of(webhook_id, at=self.at, signatures=" ".join(signatures))


class WebhookCourier:
    """A lane takes one delivery of an endpoint after the other, until nothing is due there."""

    def __init__(
        self, database: Database, *, clock: Clock, secrets_box: SecretBox, sender: WebhookSender
    ) -> None:
        self.database = database
        self.clock = clock
        self.secrets_box = secrets_box
        self.sender = sender
        self._lanes: dict[asyncio.Task[None], Key] = {}
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self._news = asyncio.Event()
        self._is_stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; what is on its way then is waited for."""
        watcher = asyncio.create_task(self._wake_on(stop))
        while not stop.is_set():
            try:
                await self.start_due()
            except DatabaseUnavailable:  # which it says itself, once
                self._news.clear()
            except Exception as problem:  # noqa: BLE001 - whatever it is, deliveries must not stand still for good
                log.warning("webhooks_wait", problem=type(problem).__name__)
            await self._rest()
        self._is_stopping = True
        await asyncio.gather(watcher, *self._lanes, return_exceptions=True)

    def wake(self) -> None:
        """Look soon: something is about to be due."""
        self._news.set()

    async def start_due(self) -> None:
        """Open a lane for each endpoint that something is due for."""
        async with self.database.system() as connection:
            due = await Directory(connection).due_webhook_endpoints(now=self.clock.now(), limit=DUE_AT_ONCE)
        for key in due:
            self._open_lane(key)

    async def deliver(self, owner_id: int, endpoint_id: int) -> None:
        """Deliver what is due for one endpoint, and return when nothing more can be tried now."""
        key = Key(owner_id, endpoint_id)
        self._open_lane(key)
        while lanes := [lane for lane, of in self._lanes.items() if of == key]:
            await asyncio.gather(*lanes)

    async def aclose(self) -> None:
        """Drop what is on its way; it is due again when its claim runs out."""
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        await self.sender.aclose()

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._news.set()

    async def _rest(self) -> None:
        if await is_set_within(self._news, POLL):
            self._news.clear()
            await asyncio.sleep(COMMIT)

    def _open_lane(self, key: Key) -> None:
        open_lanes = Counter(self._lanes.values())[key]
        if self._is_stopping or open_lanes >= AT_ONCE or len(self._lanes) >= LANES:
            return
        lane = asyncio.create_task(self._run_lane(key))
        self._lanes[lane] = key
        lane.add_done_callback(self._close_lane)

    def _close_lane(self, lane: asyncio.Task[None]) -> None:
        key = self._lanes.pop(lane)
        problem = None if lane.cancelled() else lane.exception()
        if problem is not None and type(problem) is not DatabaseUnavailable:
            log.warning(
                "webhook_lane_failed",
                owner_id=key.owner_id,
                endpoint_id=key.id,
                problem=type(problem).__name__,
            )

    async def _run_lane(self, key: Key) -> None:
        while not self._is_stopping:
            claim = await self._claim(key)
            if claim is None:
                return
            self._open_lane(key)  # there may be more that can go at the same time
            answer = await self.sender.send(
                claim.url, headers=claim.headers, body=claim.delivery.payload.encode()
            )
            await self._record(claim, answer)

    async def _claim(self, key: Key) -> Claim | None:
        """Take the next delivery in hand: committed before the endpoint hears of it."""
        async with (
            self._connections,
            self.database.owner(key.owner_id, lock=_lock(key.owner_id)) as connection,
        ):
            endpoints, deliveries = (
                WebhookEndpointRepository(connection),
                WebhookDeliveryRepository(connection),
            )
            now = self.clock.now()
            endpoint = await endpoints.find_locked(key.id)
            if endpoint is None or not endpoint.is_enabled:
                return None
            claimed = await deliveries.count_claimed(key.id, now=now)
            if claimed.of_endpoint >= endpoint.at_once or claimed.of_owner >= OWNER_AT_ONCE:
                return None
            delivery = await deliveries.find_next_due(key.id, now=now)
            if delivery is not None:
                delivery.claim(at=now)
                await deliveries.save(delivery)
            await endpoints.plan_next(key.id, now=now)
            secrets = [self.secrets_box.decrypt(token) for token in endpoint.encrypted_secrets(now=now)]
        return Claim(delivery, endpoint.url, secrets, now) if delivery else None

    async def _record(self, claim: Claim, answer: WebhookAnswer) -> None:
        """Write down what came back, unless the claim ran out and another worker has it."""
        owner_id, endpoint_id = claim.delivery.owner_id, claim.delivery.endpoint_id
        async with self._connections, self.database.owner(owner_id) as connection:
            endpoints, deliveries = (
                WebhookEndpointRepository(connection),
                WebhookDeliveryRepository(connection),
            )
            endpoint = await endpoints.find_locked(endpoint_id)
            delivery = await deliveries.find_again(claim.delivery)
            if endpoint is None or delivery is None:
                return
            if delivery.claimed_until != claim.delivery.claimed_until:
                return
            now = self.clock.now()
            delivery.note_answer(answer, sent_at=claim.at, at=now)
            await deliveries.save(delivery)
            await _judge(connection, endpoint, answer, at=now)
            await endpoints.plan_next(endpoint_id, now=now)
        _log(delivery)


async def _judge(
    connection: Connection, endpoint: WebhookEndpoint, answer: WebhookAnswer, *, at: datetime
) -> None:
    """What an answer means for the endpoint: well again, failing, too long failing, or gone."""
    failing_since, was_enabled = endpoint.failing_since, endpoint.is_enabled
    if answer.failure is None:
        endpoint.note_success()
    elif answer.failure is AttemptError.GONE and endpoint.is_enabled:
        endpoint.disable(DisabledReason.GONE, at=at)
    else:
        endpoint.note_failure(at=at)
    if endpoint.failing_since == failing_since and endpoint.is_enabled == was_enabled:
        return
    await WebhookEndpointRepository(connection).save(endpoint)
    if was_enabled and not endpoint.is_enabled:
        await note(connection, endpoint, "webhook.disabled", SYSTEM, reason=endpoint.disabled_reason)
        log.warning(
            "webhook_endpoint_disabled",
            owner_id=endpoint.owner_id,
            endpoint_id=endpoint.endpoint_id,
            reason=endpoint.disabled_reason,
        )


def _log(delivery: WebhookDelivery) -> None:
    event = {
        WebhookDeliveryStatus.DELIVERED: "webhook_delivered",
        WebhookDeliveryStatus.PENDING: "webhook_delayed",
        WebhookDeliveryStatus.FAILED: "webhook_failed",
    }[delivery.status]
    log.info(
        event,
        owner_id=delivery.owner_id,
        delivery_id=delivery.delivery_id,
        endpoint_id=delivery.endpoint_id,
        attempts=delivery.attempts,
        status=delivery.last_status,
        error=delivery.last_error,
    )


def _lock(owner_id: int) -> int:
    """Claims of one owner are made in turn, so that none is over the limit."""
    digest = blake2b(f"webhooks:{owner_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
