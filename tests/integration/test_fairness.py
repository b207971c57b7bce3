"""One owner among twenty whose Twilio account and whose webhook consumer hang: nobody else notices."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from filelock import FileLock

from conftest import TurnableClock
from consuming import Consumer, consuming
from databases import new_database, url_of
from factories import Tenant, make_inbound, make_tenant, some_number
from owner import bootstrap
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.integrations.simulator import SimulatorClient, create_simulator
from owner.integrations.twilio.breaker import AccountBreakers
from owner.integrations.twilio.client import TwilioGateway
from owner.models.enums import ActorKind
from owner.models.event import Actor
from owner.models.message import MessageCreate
from owner.services.catalog import Services
from owner.services.secrets_box import FernetBox, new_secret_key
from owner.settings import Settings
from reading import rows
from serving import serving
from telling import an_endpoint

PERSON = Actor(ActorKind.USER)
OTHERS, CONVERSATIONS, TEXTS = 19, 1, ["um", "dois"]
POISONED = 60  # conversations: more than one owner's lanes


@dataclass
class Crowd:
    """A database of its own, a worker's loops over it, and a simulated Twilio."""

    services: Services
    simulator: SimulatorClient
    clock: TurnableClock
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def tenant(self, name: str) -> Tenant:
        tenant = await make_tenant(self.services, name)
        numbers = [tenant.sms, tenant.whatsapp]
        await self.simulator.register_account(tenant.account.account_sid, tenant.auth_token, numbers=numbers)
        return tenant

    async def queue(self, tenant: Tenant, *texts: str) -> str:
        """Messages to a customer who has written; the customer."""
        customer = some_number()
        receipt = await self.services.inbound.receive(
            make_inbound(tenant, customer=customer),
            owner=tenant.owner,
            twilio_account_id=tenant.account.twilio_account_id,
        )
        for text in texts:
            create = MessageCreate(content=text)
            await self.services.messages.send(tenant.owner_id, receipt.conv_id or 0, create, by=PERSON)
        return customer

    async def work(self) -> None:
        """What a worker runs for messages and webhooks, until `stop`."""
        async with asyncio.TaskGroup() as group:
            for part in (
                self.services.message_courier,
                self.services.webhook_courier,
                self.services.event_follower,
            ):
                group.create_task(part.run(self.stop))

    async def taken(self) -> dict[str, list[str]]:
        """What Twilio has taken for each customer, in its order."""
        found: dict[str, list[str]] = {}
        for message in await self.simulator.messages():
            found.setdefault(message["to"], []).append(message["body"])
        return found

    async def channel_events(self, tenant: Tenant) -> list[str]:
        found = await rows(
            self.services, tenant, "SELECT type FROM events WHERE type LIKE 'channel.%' ORDER BY event_id"
        )
        return [row["type"] for row in found]


@pytest.fixture
async def crowd(
    server: EmbeddedServer, template: str, run_folder: Path, clock: TurnableClock, tmp_path: Path
) -> AsyncIterator[Crowd]:
    async with AsyncExitStack() as stack:
        with FileLock(run_folder / "template.lock"):
            name = stack.enter_context(
                new_database(server, f"owner_fair_{uuid4().hex[:8]}", template=template)
            )
        database = await Database.connect(url_of(server, name))
        stack.push_async_callback(database.close)
        url = await stack.enter_async_context(serving(create_simulator(callback_delay=0)))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        settings = Settings(
            home=tmp_path,
            twilio_api_url=url,
            webhook_allowed_networks="127.0.0.0/8",
            send_rate_sms=1_000,
        )
        gateway = TwilioGateway(url, timeout=5)  # also a busy machine answers in that time
        stack.push_async_callback(gateway.aclose)
        services = bootstrap.wire(settings, database, gateway, FernetBox([new_secret_key()]), clock)
        services.deliveries.breaker = AccountBreakers(first_rest=0.1)
        stack.push_async_callback(services.webhook_courier.aclose)
        crowd = Crowd(services, SimulatorClient(url, session), clock)
        worker = asyncio.create_task(crowd.work())
        yield crowd
        crowd.stop.set()
        await worker


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await is_so():  # noqa: ASYNC110 - only the simulator and the database know
            await asyncio.sleep(0.05)


async def test_nineteen_owners_are_served_while_the_twentieths_account_and_consumer_hang(
    crowd: Crowd,
) -> None:
    poisoned = await crowd.tenant("poisoned")
    others = [await crowd.tenant(f"company{number}") for number in range(OTHERS)]
    await crowd.simulator.fault(
        "timeout_before", count=None, delay=60, account_sid=poisoned.account.account_sid
    )
    async with consuming() as healthy, consuming() as dead:
        dead.lets_go.clear()
        await an_endpoint(crowd.services, poisoned, dead.url, "message.queued")
        await an_endpoint(crowd.services, others[0], healthy.url, "message.queued")
        theirs = [await crowd.queue(poisoned, *TEXTS) for _ in range(POISONED)]

        async def is_degraded() -> bool:
            return "channel.degraded" in await crowd.channel_events(poisoned)

        await until(is_degraded)
        waiting = [await crowd.queue(tenant, *TEXTS) for tenant in others for _ in range(CONVERSATIONS)]
        await until(lambda: _has_all(crowd, waiting))
        await until(lambda: _was_told(healthy, CONVERSATIONS * len(TEXTS)))

        assert not set(theirs) & set(await crowd.taken())
        shown = await crowd.services.twilio_settings.get(
            poisoned.owner_id, poisoned.account.twilio_account_id
        )
        assert shown.degraded_at is not None

        await crowd.simulator.clear_faults()
        dead.lets_go.set()
        crowd.clock.turn(minutes=6)
        await until(lambda: _has_all(crowd, theirs))

    assert await crowd.taken() == dict.fromkeys([*theirs, *waiting], TEXTS)
    assert (await crowd.channel_events(poisoned))[-2:] == ["channel.degraded", "channel.recovered"]
    assert await crowd.channel_events(others[0]) == ["channel.connected"]
    sids = await rows(
        crowd.services,
        poisoned,
        "SELECT count(DISTINCT provider_sid) AS n FROM messages WHERE direction = 'OUTBOUND'",
    )
    assert sids == [{"n": POISONED * len(TEXTS)}]


async def test_a_sender_who_waits_for_its_turns_holds_no_lane(crowd: Crowd) -> None:
    slow, acme = await crowd.tenant("slow"), await crowd.tenant("acme")
    crowd.services.deliveries.rate = _Rates({slow.sms: 3_600})
    for _ in range(POISONED):
        await crowd.queue(slow, "um")

    ana = await crowd.queue(acme, *TEXTS)
    await until(lambda: _has_all(crowd, [ana]))

    taken: dict[str, Any] = await crowd.taken()
    assert taken[ana] == TEXTS
    assert len(taken) <= 2


async def _has_all(crowd: Crowd, customers: list[str]) -> bool:
    taken = await crowd.taken()
    return all(len(taken.get(customer, [])) == len(TEXTS) for customer in customers)


async def _was_told(consumer: Consumer, times: int) -> bool:
    return len(consumer.received) == times


class _Rates:
    """Rates in seconds between two messages; who is not named has none."""

    def __init__(self, spacing: dict[str, float]) -> None:
        self.spacing = spacing
        self.booked: dict[str, int] = {}

    def book(self, sender: str) -> float:
        self.booked[sender] = self.booked.get(sender, 0) + 1
        return self.spacing.get(sender, 0.0) * (self.booked[sender] - 1)
