"""Everything that a run consists of: the product's processes, what is between and around them, and the clients."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
from pydantic import SecretStr

from chaos.agents import Agents
from chaos.customers import Customers
from chaos.ledger import Ledger
from chaos.listeners import Consumer, Listener
from chaos.postgres import Postgres
from chaos.processes import Supervised
from chaos.proxy import Proxy
from e2e.stage import HOST, eventually, free_port
from factories import Tenant, make_tenant, some_number
from owner import bootstrap
from owner.integrations.simulator import SimulatorClient
from owner.integrations.simulator.webhooks import Webhooks
from owner.models.event import SYSTEM
from owner.models.webhook_endpoint import WebhookEndpointCreate
from owner.services.secrets_box import new_secret_key
from owner.settings import Settings

SERVER_WORKERS: Final = 2
JOB_WORKERS: Final = 2
CUSTOMERS: Final = 400  # of each tenant
STARTS_WITHIN: Final = 120.0  # on a busy machine
LOOPBACK: Final = "127.0.0.0/8"


@dataclass
class World:
    """What faults strike and books are made of."""

    folder: Path
    seed: int
    postgres: Postgres
    front: Proxy  # the load balancer: what Twilio and the clients call
    database_link: Proxy
    provider_link: Proxy
    session: aiohttp.ClientSession
    simulator: SimulatorClient
    ledger: Ledger = field(default_factory=Ledger)
    secret_key: str = field(default_factory=new_secret_key)
    servers: list[Supervised] = field(default_factory=list)
    workers: list[Supervised] = field(default_factory=list)
    provider: Supervised | None = None
    tenants: list[Tenant] = field(default_factory=list)
    customers: list[Customers] = field(default_factory=list)
    agents: list[Agents] = field(default_factory=list)
    listeners: list[Listener] = field(default_factory=list)
    consumers: list[Consumer] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.front.port}"

    @property
    def processes(self) -> list[Supervised]:
        """The product's."""
        return [*self.servers, *self.workers]

    @property
    def secrets(self) -> dict[str, str]:
        """What no log may hold."""
        kept = {self.secret_key: "the encryption key"}
        for tenant in self.tenants:
            kept[tenant.api_key] = "an API key"
            kept[tenant.auth_token] = "an auth token"
        kept |= {consumer.secret: "a webhook secret" for consumer in self.consumers}
        return kept

    def dice(self, what: str) -> random.Random:
        """Chance of its own for each part, so that one part's luck does not change another's."""
        return random.Random(f"{self.seed} {what}")

    @property
    def settings(self) -> Settings:
        """For commands of ours, which no fault touches."""
        return Settings(
            home=self.folder / "home",
            database_url=SecretStr(self.postgres.server.url("owner_service")),
            secret_key=SecretStr(self.secret_key),
            public_url=self.url,
            webhook_allowed_networks=LOOPBACK,
        )

    @property
    def admin_url(self) -> str:
        """The migration role's, past the proxy."""
        return self.postgres.server.url("owner_admin")

    @property
    def env(self) -> dict[str, str]:
        """What the product's processes are told; their database and their provider are behind proxies."""
        return {
            "OWNER_HOME": str(self.folder / "home"),
            "OWNER_DATABASE_URL": f"postgresql://owner_service@{HOST}:{self.database_link.port}/owner?sslmode=disable",
            "OWNER_SECRET_KEY": self.secret_key,
            "OWNER_PUBLIC_URL": self.url,
            "OWNER_TWILIO_API_URL": f"http://{HOST}:{self.provider_link.port}",
            "OWNER_WEBHOOK_ALLOWED_NETWORKS": LOOPBACK,
            "OWNER_SEND_RATE_SMS": "1000",
            "OWNER_SEND_RATE_WHATSAPP": "1000",
            "OWNER_RATE_LIMIT_KEY_PER_MINUTE": "0",
            "OWNER_RATE_LIMIT_OWNER_PER_MINUTE": "0",
            "OWNER_LOG_FORMAT": "json",
        }


@asynccontextmanager
async def open_world(folder: Path, seed: int, *, servers: int, tenants: int) -> AsyncIterator[World]:
    """All of it, started and answering; nothing is left running after the block, whatever happened in it."""
    rng = random.Random(f"{seed} world")
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(Postgres(folder / "postgres-home").running())
        provider_port, ports = free_port(), [free_port() for _ in range(servers)]
        front = Proxy(lambda: [(HOST, port) for port in ports], rng)
        database_link = Proxy(lambda: [postgres.socket], rng)
        provider_link = Proxy(lambda: [(HOST, provider_port)], rng)
        for proxy in (front, database_link, provider_link):
            await stack.enter_async_context(proxy.listening())
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=2))
        )
        simulator = SimulatorClient(f"http://{HOST}:{provider_port}", session)
        world = World(folder, seed, postgres, front, database_link, provider_link, session, simulator)
        await _start_processes(world, stack, ports, provider_port)
        await _found_tenants(world, stack, tenants)
        yield world


async def _start_processes(world: World, stack: AsyncExitStack, ports: list[int], provider_port: int) -> None:
    logs = world.folder / "logs"
    logs.mkdir()
    arguments = ("simulator", f"--port={provider_port}", "--callback-delay=0.05")
    world.provider = Supervised("simulator", *arguments, env={}, folder=logs)
    for number, port in enumerate(ports, 1):
        options = ("serve", f"--port={port}", f"--workers={SERVER_WORKERS}")
        world.servers.append(Supervised(f"serve-{number}", *options, env=world.env, folder=logs, port=port))
    world.workers = [
        Supervised(f"work-{number}", "work", env=world.env, folder=logs)
        for number in range(1, JOB_WORKERS + 1)
    ]
    for process in (world.provider, *world.processes):
        stack.callback(process.destroy)
        running = asyncio.create_task(process.run())
        stack.callback(running.cancel)
    await eventually(lambda: _answers(world, f"{world.url}/health"), "the API answers", within=STARTS_WITHIN)
    await eventually(
        lambda: _answers(world, f"{world.simulator.base_url}/simulator/faults"),
        "the simulator answers",
        within=STARTS_WITHIN,
    )


async def _answers(world: World, url: str) -> bool:
    try:
        async with world.session.get(url) as response:
            return response.ok
    except aiohttp.ClientError:
        return False


async def _found_tenants(world: World, stack: AsyncExitStack, count: int) -> None:
    """Each with an account, customers and agents; the first has an endpoint for webhooks, all have a listener."""
    webhooks = Webhooks()
    await webhooks.open()
    stack.push_async_callback(webhooks.close)
    async with bootstrap.open_services(world.settings) as services:
        for number in range(count):
            tenant = await make_tenant(services, f"tenant{number}")
            world.tenants.append(tenant)
            await world.simulator.register_account(
                tenant.account.account_sid, tenant.auth_token, numbers=[tenant.sms, tenant.whatsapp]
            )
            numbers = [some_number() for _ in range(CUSTOMERS)]
            world.customers.append(
                Customers(
                    tenant,
                    services.twilio.inbound_url(tenant.account).partition("#")[0],
                    world.ledger,
                    webhooks,
                    world.dice(f"customers {number}"),
                    numbers,
                    world.simulator,
                )
            )
            world.agents.append(
                Agents(tenant, world.url, world.ledger, world.session, world.dice(f"agents {number}"))
            )
            world.listeners.append(Listener(tenant, world.url, world.ledger, world.session))
        consumer = Consumer(world.tenants[0], world.ledger)
        create = WebhookEndpointCreate(url=consumer.url, event_types=[])
        endpoint, consumer.secret = await services.webhook_endpoints.create(
            consumer.tenant.owner_id, create, by=SYSTEM
        )
        consumer.endpoint_id = endpoint.endpoint_id
        world.consumers.append(await stack.enter_async_context(consumer.running()))
