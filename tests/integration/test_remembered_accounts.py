"""Accounts that a process remembers: looked up once, forgotten at once when any process changes them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from conftest import TurnableClock, database_url
from factories import Tenant
from fakes import FakeGateway
from owner import bootstrap
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.models.event import SYSTEM
from owner.models.owner import OwnerUpdate
from owner.models.twilio_account import TwilioAccountUpdate
from owner.repositories.directory import Directory, Key
from owner.repositories.owners import OwnerRepository
from owner.services import twilio_accounts
from owner.services.catalog import Services
from owner.services.secrets_box import FernetBox
from owner.services.twilio_accounts import AccountAccess
from owner.settings import Settings
from reading import rows
from working import a_program

Change = Callable[[Services, Tenant], Awaitable[object]]


class Process:
    """Another process with the same keys over the same database, which listens."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.forgot = asyncio.Event()
        services.database.notices.forget_with(self.forgot.set)

    async def find(self, tenant: Tenant) -> list[AccountAccess]:
        return await self.services.twilio.find_by_webhook_key(tenant.account.webhook_key)

    async def forgets(self) -> None:
        async with asyncio.timeout(20):
            await self.forgot.wait()
        self.forgot.clear()

    async def hears(self) -> None:
        """Until notices get through; it forgets everything then, too."""
        async with asyncio.timeout(20):
            while not self.services.database.notices.hears_changes:  # noqa: ASYNC110 - it says so to nobody
                await asyncio.sleep(0.01)
        self.forgot.clear()


@pytest.fixture
def url(server: EmbeddedServer, database_name: str) -> str:
    return database_url(server, database_name)


@pytest.fixture
async def other(
    services: Services, url: str, clock: TurnableClock, gateway: FakeGateway
) -> AsyncIterator[Process]:
    database = await Database.connect(url, pool_size=3)
    box = services.twilio.secrets_box
    assert isinstance(box, FernetBox)
    process = Process(bootstrap.wire(Settings(), database, gateway, box, clock))
    async with database.notices.connected(url):
        await process.hears()
        yield process
    await database.close()


@pytest.fixture
def is_patient_when_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twilio_accounts, "REMEMBERED_UNHEARD", twilio_accounts.REMEMBERED_FOR)


async def rotate_and_promote(services: Services, tenant: Tenant) -> None:
    update = TwilioAccountUpdate(auth_token="0123456789abcdef0123456789abcdef")
    await services.twilio_settings.change(
        tenant.owner_id, tenant.account.twilio_account_id, update, by=SYSTEM
    )
    await services.twilio_settings.promote(tenant.owner_id, tenant.account.twilio_account_id, by=SYSTEM)


async def remove_a_number(services: Services, tenant: Tenant) -> None:
    update = TwilioAccountUpdate(remove_phone_numbers=[tenant.sms])
    await services.twilio_settings.change(
        tenant.owner_id, tenant.account.twilio_account_id, update, by=SYSTEM
    )


async def disconnect(services: Services, tenant: Tenant) -> None:
    await services.twilio_settings.disconnect(tenant.owner_id, tenant.account.twilio_account_id, by=SYSTEM)


async def suspend(services: Services, tenant: Tenant) -> None:
    await services.tenants.suspend(tenant.owner_id, by=SYSTEM)


async def change_settings(services: Services, tenant: Tenant) -> None:
    await services.owner_settings.change(
        tenant.owner_id, OwnerUpdate(name="Acme S. A."), caller=a_program(tenant)
    )


async def erase(services: Services, tenant: Tenant) -> None:
    await services.tenant_erasure.erase(tenant.owner_id, told=lambda _count: None)


@pytest.mark.parametrize(
    "change", [rotate_and_promote, remove_a_number, disconnect, suspend, change_settings, erase]
)
async def test_what_one_process_changes_the_other_forgets_at_once(
    services: Services, other: Process, acme: Tenant, change: Change
) -> None:
    before = await other.find(acme)

    await change(services, acme)
    await other.forgets()
    after = await other.find(acme)

    assert [access.tokens for access in before] == [(acme.auth_token,)]
    assert after == await services.twilio.find_by_webhook_key(acme.account.webhook_key, fresh=True)
    assert after != before


async def test_the_process_itself_forgets_when_the_change_has_committed(
    services: Services, acme: Tenant
) -> None:
    await services.twilio.find_by_webhook_key(acme.account.webhook_key)

    await disconnect(services, acme)

    assert await services.twilio.find_by_webhook_key(acme.account.webhook_key) == []


async def test_what_is_remembered_costs_no_look_at_the_database(other: Process, acme: Tenant) -> None:
    before = await other.find(acme)
    async with asyncio.TaskGroup() as group:
        at_once = [group.create_task(other.find(acme)) for _ in range(20)]

    # The same list, not one like it: nobody has looked again.
    assert all(task.result() is before for task in at_once)


async def test_many_who_ask_at_once_look_once(other: Process, acme: Tenant) -> None:
    found = await asyncio.gather(*(other.find(acme) for _ in range(20)))

    assert all(accounts is found[0] for accounts in found)
    assert [access.owner.owner_id for access in found[0]] == [acme.owner_id]


async def test_a_change_that_is_rolled_back_is_told_to_nobody(
    services: Services, other: Process, acme: Tenant, globex: Tenant
) -> None:
    before = await other.find(acme)
    with pytest.raises(KeyError):  # noqa: PT012 - it rises at the block's end
        async with services.database.owner(acme.owner_id) as connection:
            repository = OwnerRepository(connection)
            owner = await repository.get(acme.owner_id)
            owner.name = "never"
            await repository.save(owner)
            raise KeyError
    is_remembered = await other.find(acme) is before

    await suspend(services, globex)
    await other.forgets()

    assert is_remembered
    assert [access.owner.name for access in await other.find(acme)] == [acme.owner.name]


async def test_what_was_looked_up_before_a_change_is_not_remembered_after_it(
    services: Services, other: Process, acme: Tenant
) -> None:
    has_looked, may_go_on = asyncio.Event(), asyncio.Event()

    async def slow(directory: Directory) -> list[Key]:
        keys = await directory.account_by_webhook_key(acme.account.webhook_key)
        has_looked.set()
        await may_go_on.wait()
        return keys

    name = f"key:{acme.account.webhook_key}"
    looking = asyncio.create_task(other.services.twilio._remember(name, slow, fresh=False))
    await has_looked.wait()
    await disconnect(services, acme)
    await other.forgets()
    may_go_on.set()
    await looking

    assert await other.find(acme) == []


async def test_who_does_not_hear_of_changes_looks_again_after_seconds(
    services: Services, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not services.database.notices.hears_changes
    before = await services.twilio.find_by_webhook_key(acme.account.webhook_key)
    await rows(services, acme, "UPDATE owners SET suspended_at = now() RETURNING 1")
    still = await services.twilio.find_by_webhook_key(acme.account.webhook_key)

    monkeypatch.setattr(twilio_accounts, "REMEMBERED_UNHEARD", 0.0)
    [after] = await services.twilio.find_by_webhook_key(acme.account.webhook_key)

    assert still is before
    assert after.owner.suspended_at is not None


@pytest.mark.usefixtures("is_patient_when_deaf")
async def test_who_hears_again_forgets_what_changed_meanwhile(
    server: EmbeddedServer,
    database_name: str,
    services: Services,
    other: Process,
    acme: Tenant,
) -> None:
    before = await other.find(acme)
    await silence(server, database_name)
    async with asyncio.timeout(20):
        while other.services.database.notices.hears_changes:  # noqa: ASYNC110 - it says so to nobody
            await asyncio.sleep(0.01)
    await suspend(services, acme)
    meanwhile = await other.find(acme)

    await other.forgets()
    [after] = await other.find(acme)

    assert meanwhile is before
    assert after.owner.suspended_at is not None


async def test_an_address_that_moves_to_another_owner_moves_in_every_process(
    services: Services, other: Process, acme: Tenant, globex: Tenant
) -> None:
    [before] = await other.find(acme)
    await remove_a_number(services, acme)
    await services.twilio_settings.change(
        globex.owner_id,
        globex.account.twilio_account_id,
        TwilioAccountUpdate(add_phone_numbers=[acme.sms]),
        by=SYSTEM,
    )
    await other.forgets()

    [ours], [theirs] = await other.find(acme), await other.find(globex)
    moved = before.addresses - ours.addresses

    assert [address.value for address in moved] == [acme.sms]
    assert moved <= theirs.addresses


async def silence(server: EmbeddedServer, database_name: str) -> None:
    """End the connections on which this database's notices are heard."""
    connection = await asyncpg.connect(
        database_url(server, database_name).replace("owner_service", "postgres")
    )
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'owner notices' AND datname = current_database()"
    )
    await connection.close()
