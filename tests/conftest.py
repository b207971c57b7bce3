"""A real Postgres for every test: one server per run, one database per process, migrated once."""

import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from argon2 import PasswordHasher
from filelock import FileLock

from factories import Tenant, make_tenant
from fakes import FakeGateway
from owner import bootstrap
from owner.db import migrate
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.services import passwords
from owner.services.catalog import Services
from owner.services.secrets_box import FernetBox, new_secret_key
from owner.settings import Settings, get_settings

TEMPLATE = "owner_template"


@pytest.fixture(scope="session", autouse=True)
def _no_outside_settings() -> Iterator[None]:
    """Tests see no `.env` and no OWNER_ variable of the person who runs them."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("OWNER_")}
    get_settings.cache_clear()
    yield
    os.environ.update(kept)


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Each of the thousands of tenants has a person with a password, and a slow hash takes a fifth of a second."""
    passwords.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield
    passwords.hasher = passwords.SLOW


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """One folder for all processes of this run."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def server(run_folder: Path) -> Iterator[EmbeddedServer]:
    """The run's Postgres; it stops with the last process that holds it."""
    embedded = EmbeddedServer(run_folder / "postgres-home")
    with embedded.hold():
        yield embedded


@pytest.fixture(scope="session")
def template(server: EmbeddedServer, run_folder: Path) -> str:
    """A migrated database to copy from, made by the first process that needs it."""
    with FileLock(run_folder / "template.lock"):
        done = run_folder / "template.done"
        if not done.exists():
            _create_database(server, TEMPLATE)
            migrate.upgrade(database_url(server, TEMPLATE, admin=True), application_role="owner_service")
            done.touch()
    return TEMPLATE


@pytest.fixture(scope="session")
def database_name(server: EmbeddedServer, template: str, worker_id: str, run_folder: Path) -> str:
    """This process's own migrated database."""
    name = f"owner_{worker_id}"
    with FileLock(run_folder / "template.lock"):
        _create_database(server, name, template=template)
    return name


@pytest.fixture(scope="session")
async def database(server: EmbeddedServer, database_name: str) -> AsyncIterator[Database]:
    """The pool of the application's role, which row level security binds."""
    connected = await Database.connect(database_url(server, database_name), pool_size=20)
    yield connected
    await connected.close()


@pytest.fixture
def clock() -> "TurnableClock":
    return TurnableClock()


@pytest.fixture
def gateway() -> FakeGateway:
    """The provider's side, in memory."""
    return FakeGateway()


@pytest.fixture
def services(database: Database, clock: "TurnableClock", gateway: FakeGateway, tmp_path: Path) -> Services:
    """All use cases over the real database, a clock that can be turned and a provider in memory."""
    settings = Settings(
        home=tmp_path,
        public_url="https://owner.example",
        quarantine_per_hour=100_000,
        rate_limit_key_per_minute=0,
        rate_limit_owner_per_minute=0,
        rate_limit_sign_in_per_ip=0,
        rate_limit_sign_in_per_email=0,
        rate_limit_password_reset=0,
    )
    return bootstrap.wire(settings, database, gateway, FernetBox([new_secret_key()]), clock)


@pytest.fixture
async def acme(services: Services) -> Tenant:
    return await make_tenant(services, "acme")


@pytest.fixture
async def globex(services: Services) -> Tenant:
    return await make_tenant(services, "globex")


class TurnableClock:
    """The time, which a test can turn on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.frozen_at: datetime | None = None

    def now(self) -> datetime:
        return (self.frozen_at or datetime.now(UTC)) + self.ahead

    def turn(self, **by: float) -> None:
        self.ahead += timedelta(**by)


def database_url(server: EmbeddedServer, name: str, *, admin: bool = False) -> str:
    """The URL of a database of the run's server."""
    return server.url("owner_admin" if admin else "owner_service").replace("/owner?", f"/{name}?")


def _create_database(server: EmbeddedServer, name: str, *, template: str = "template1") -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" OWNER owner_admin TEMPLATE "{template}"'.encode())
