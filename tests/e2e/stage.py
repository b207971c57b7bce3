"""The product as it runs in the field: processes of its own, real HTTP, real Postgres, the simulator as Twilio."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp
import psutil
import psycopg
from filelock import FileLock

from factories import Tenant, make_tenant
from owner import bootstrap
from owner.cli.local_server import serving
from owner.db.embedded import EmbeddedServer
from owner.integrations.simulator import SimulatorClient, create_simulator
from owner.services.catalog import Services
from owner.services.secrets_box import new_secret_key
from owner.settings import Settings

T = TypeVar("T")
HOST = "127.0.0.1"
PATIENCE = 60.0  # seconds; what takes longer is broken, also on a busy machine
CALLBACK_DELAY = 0.05  # seconds from one status of a message to the next
RETRIES = (
    "#rc=5&rp=all"  # the connection overrides that the README recommends: five more tries, whatever failed
)


# What systemd does for a unit with a socket: descriptor 3 is the socket, and the environment says for whom.
_HAND_DOWN = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "owner", *sys.argv[2:]])
"""


class Program:
    """One `owner …` process; `listener` is a socket that it is handed down."""

    def __init__(
        self, *arguments: str, env: dict[str, str], folder: Path, listener: socket.socket | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{arguments[0]}-{uuid4().hex[:8]}.log"
        outside = {name: value for name, value in os.environ.items() if not name.startswith("OWNER_")}
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "owner", *arguments]
                if listener is None
                else [sys.executable, "-c", _HAND_DOWN, str(listener.fileno()), *arguments],
                pass_fds=() if listener is None else (listener.fileno(),),
                env={**outside, "PYTHONUNBUFFERED": "1", "COLUMNS": "200", **env},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def kill(self) -> None:
        """As the kernel does it when memory runs out: no handler runs."""
        self.process.kill()
        self.process.wait()

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, as an operator does; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return await self.exit_code()

    async def exit_code(self) -> int:
        await until(lambda: self.process.poll() is not None, f"{self.log.name} ends")
        return self.process.returncode

    async def says(self, words: str) -> None:
        """Wait until it has printed something."""

        def said() -> bool:
            assert self.process.poll() is None or words in self.output, self.output
            return words in self.output

        await until(said, f"{self.log.name} says {words!r}")

    def destroy(self) -> None:
        """Leave nothing of it, whatever the test made of it."""
        if self.process.poll() is None:
            family = [*self.children(), psutil.Process(self.pid)]
            for member in family:
                if member.is_running():
                    member.kill()
        self.process.wait()


@dataclass
class Stage:
    """A database of its own, the simulator, and the processes that a test starts, kills and starts again."""

    database_name: str
    superuser_url: str
    settings: Settings
    services: Services
    session: aiohttp.ClientSession
    simulator: SimulatorClient
    folder: Path
    env: dict[str, str]
    programs: list[Program] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.services.public_url

    def start(self, *arguments: str, listener: socket.socket | None = None, **env: str) -> Program:
        program = Program(*arguments, env=self.env | env, folder=self.folder, listener=listener)
        self.programs.append(program)
        return program

    async def serve(self, *options: str) -> Program:
        """The API, once it answers."""
        port = self.url.rpartition(":")[2]
        program = self.start("serve", "--port", port, *options)
        await eventually(lambda: self._is_healthy(program), "the API answers")
        return program

    async def work(self) -> Program:
        program = self.start("work")
        await program.says("Owner works")
        return program

    async def json_of(self, *arguments: str) -> Any:
        """What a command answers to a program."""
        program = self.start(*arguments)
        assert await program.exit_code() == 0, program.output
        return json.loads(program.output.splitlines()[-1])

    async def tenant(self, name: str = "acme", *, connection: str = "", **changes: Any) -> Tenant:
        """A company whose numbers the simulator knows; `connection` is the fragment of its webhook URL."""
        tenant = await make_tenant(self.services, name, **changes)
        inbound_url = self.services.twilio.inbound_url(tenant.account) + connection
        await self.simulator.register_account(
            tenant.account.account_sid,
            tenant.auth_token,
            numbers=[tenant.sms, tenant.whatsapp],
            inbound_url=inbound_url,
            templates={"HX" + 32 * "a": "Seu pedido {{1}} saiu."},
        )
        return tenant

    async def ask(
        self, tenant: Tenant, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, Any]:
        """A REST call with the tenant's key: status and JSON."""
        headers = {"Authorization": f"Bearer {tenant.api_key}"}
        async with self.session.request(method, self.url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, tenant: Tenant, path: str) -> Any:
        status, answer = await self.ask(tenant, "GET", path)
        assert status == HTTPStatus.OK, answer
        return answer

    async def write(self, tenant: Tenant, customer: str, text: str = "Oi", **content: Any) -> int:
        """The customer writes; the conversation that it went to."""
        to = tenant.whatsapp if customer.startswith("whatsapp:") else tenant.sms
        answer = await self.simulator.write(customer, to, text, **content)
        assert answer["status_code"] == HTTPStatus.OK, answer
        return await self.conversation_of(tenant, customer)

    async def conversation_of(self, tenant: Tenant, customer: str) -> int:
        rows = await self.rows(
            tenant,
            "SELECT conv_id FROM conversations WHERE customer_address = $1 ORDER BY conv_id DESC LIMIT 1",
            customer.removeprefix("whatsapp:"),
        )
        return int(rows[0]["conv_id"])

    async def send(self, tenant: Tenant, conv_id: int, content: str, **more: Any) -> int:
        """The agent answers; the message's id."""
        path = f"/v1/conversations/{conv_id}/messages"
        status, answer = await self.ask(tenant, "POST", path, {"content": content, **more})
        assert status == HTTPStatus.ACCEPTED, answer
        return int(answer["msg_id"])

    async def message(self, tenant: Tenant, msg_id: int) -> dict[str, Any]:
        return (await self.rows(tenant, "SELECT * FROM messages WHERE msg_id = $1", msg_id))[0]

    async def reaches(
        self, tenant: Tenant, msg_id: int, status: str, *, within: float = PATIENCE
    ) -> dict[str, Any]:
        """The message, once it has the status."""

        async def look() -> dict[str, Any] | None:
            found = await self.message(tenant, msg_id)
            return found if found["delivery_status"] == status else None

        return await eventually(look, f"message {msg_id} is {status}", within=within)

    async def rows(self, tenant: Tenant, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """What the database shows to the tenant, through the role that row level security binds."""
        async with self.services.database.owner(tenant.owner_id) as connection:
            return [dict(row) for row in await connection.fetch(query, *arguments)]

    async def phone(self, customer: str) -> list[str]:
        """The messages of ours that the provider took for a customer, in its order, whatever became of them."""
        return [message["body"] for message in await self.taken(customer)]

    async def taken(self, customer: str) -> list[dict[str, Any]]:
        messages = await self.simulator.messages()
        return [one for one in messages if one["direction"] == "outbound-api" and one["to"] == customer]

    def cut_connections(self) -> int:
        """End every connection of the application's role to this database, as a failover does."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            return connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = %s",
                [self.database_name, "owner_service"],
            ).rowcount

    def destroy(self) -> None:
        for program in self.programs:
            program.destroy()

    async def _is_healthy(self, program: Program) -> bool:
        assert program.process.poll() is None, program.output
        try:
            async with self.session.get(f"{self.url}/health") as answer:
                return answer.status == HTTPStatus.OK
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def open_stage(
    server: EmbeddedServer, template: str, folder: Path, *, lock: FileLock
) -> AsyncIterator[Stage]:
    """Nothing of it is left after the block. A template is copied by one process at a time: `lock`."""
    name = f"owner_e2e_{uuid4().hex[:8]}"
    superuser_url = server.url("postgres")
    with lock:
        _copy_database(superuser_url, template, name)
    async with AsyncExitStack() as stack:
        stack.callback(_drop_database, superuser_url, name)
        simulator_socket = listening()
        simulator_url = address_of(simulator_socket)
        await stack.enter_async_context(
            serving(create_simulator(callback_delay=CALLBACK_DELAY), simulator_socket)
        )
        settings = Settings(
            home=folder / "home",
            database_url=server.url("owner_service").replace("/owner?", f"/{name}?"),
            admin_database_url=server.url("owner_admin").replace("/owner?", f"/{name}?"),
            secret_key=new_secret_key(),
            public_url=f"http://{HOST}:{free_port()}",
            twilio_api_url=simulator_url,
        )
        services = await stack.enter_async_context(bootstrap.open_services(settings))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        stage = Stage(
            name,
            superuser_url,
            settings,
            services,
            session,
            SimulatorClient(simulator_url, session),
            folder,
            env=_environment(settings),
        )
        stack.callback(stage.destroy)
        yield stage


async def eventually(look: Callable[[], Awaitable[T | None]], what: str, *, within: float = PATIENCE) -> T:
    """Look again until it is there."""
    give_up_at = time.monotonic() + within
    while time.monotonic() < give_up_at:
        if found := await look():
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"not within {within:g} s: {what}")


async def until(is_so: Callable[[], bool], what: str, *, within: float = PATIENCE) -> None:
    async def look() -> bool:
        return is_so()

    await eventually(look, what, within=within)


def listening() -> socket.socket:
    """A listening socket on a free port."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.bind((HOST, 0))
    found.listen(2048)
    return found


def reserved() -> socket.socket:
    """A socket whose port nobody else is given, also while no server is there that listens on it."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind((HOST, 0))
    return found


def address_of(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


def free_port() -> int:
    with listening() as listener:
        return int(listener.getsockname()[1])


def _environment(settings: Settings) -> dict[str, str]:
    assert settings.database_url is not None
    assert settings.admin_database_url is not None
    assert settings.secret_key is not None
    return {
        "OWNER_HOME": str(settings.home),
        "OWNER_DATABASE_URL": settings.database_url.get_secret_value(),
        "OWNER_ADMIN_DATABASE_URL": settings.admin_database_url.get_secret_value(),
        "OWNER_SECRET_KEY": settings.secret_key.get_secret_value(),
        "OWNER_PUBLIC_URL": settings.public_url or "",
        "OWNER_TWILIO_API_URL": settings.twilio_api_url,
        "OWNER_LOG_FORMAT": "json",
        "OWNER_RATE_LIMIT_SIGN_IN_PER_IP": "0",  # everybody in these tests comes from one address
    }


def _copy_database(superuser_url: str, template: str, name: str) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" OWNER owner_admin TEMPLATE "{template}"'.encode())


def _drop_database(superuser_url: str, name: str) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


__all__ = (
    "HOST",
    "PATIENCE",
    "RETRIES",
    "Program",
    "Stage",
    "Tenant",
    "address_of",
    "eventually",
    "free_port",
    "listening",
    "open_stage",
    "reserved",
    "until",
)
