"""The database is away, stands still, is full or busy: what becomes of those who wait, and how it comes back."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from conftest import TurnableClock
from databases import ask, new_database, url_of
from factories import Tenant, make_inbound, some_number, some_sid
from fakes import FakeGateway
from owner.db import connections
from owner.db.connections import as_guest
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.integrations.disk import DiskMediaStore
from owner.models.errors import DatabaseUnavailable, Unavailable
from owner.models.media import QUICK_ATTEMPTS
from owner.models.message import Attachment
from owner.models.outage_errors import (
    Collision,
    DatabaseBusy,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseRefused,
    DatabaseTooSlow,
    MediaStoreUnavailable,
)
from owner.services.catalog import Services
from owner.services.ports import FetchedMedia
from proxying import connected, through_a_proxy
from reading import rows


async def answers(database: Database) -> bool:
    async with database.system() as connection:
        return bool(await connection.fetchval("SELECT true"))


async def until_back(database: Database) -> None:
    async with asyncio.timeout(20):
        await database.connections.pulse.until_back()


async def test_nobody_waits_for_a_server_that_says_nothing_and_it_is_used_again_once_it_does(
    server: EmbeddedServer, database_name: str
) -> None:
    async with through_a_proxy(server, database_name) as (proxy, database):
        with capture_logs() as logs:
            async with asyncio.TaskGroup() as group:  # four connections that nobody uses, and one in use
                for _ in range(4):
                    group.create_task(answers(database))
            proxy.mood.swallows = True
            async with asyncio.timeout(20):
                outcomes = await asyncio.gather(
                    *(answers(database) for _ in range(12)), return_exceptions=True
                )
                while not database.connections.pulse.is_away:  # noqa: ASYNC110 - it says so to nobody
                    await asyncio.sleep(0.05)
            for _ in range(50):  # nobody waits any more
                with pytest.raises(DatabaseUnavailable):
                    await answers(database)
            proxy.mood.swallows = False
            await until_back(database)

            assert all([await answers(database) for _ in range(8)])

    assert {type(outcome).__name__ for outcome in outcomes} <= {"DatabaseUnavailable", "DatabaseBusy"}
    assert [log["event"] for log in logs] == ["database_away", "database_back"]
    assert logs[1]["refused"] >= 50


async def test_a_server_that_is_gone_is_noticed_at_once_and_one_that_is_back_without_a_failure(
    server: EmbeddedServer, database_name: str
) -> None:
    async with through_a_proxy(server, database_name) as (proxy, database):
        assert await answers(database)
        proxy.mood.refuses = True
        proxy.cut()
        with pytest.raises(DatabaseUnavailable):
            await answers(database)
        assert database.connections.pulse.is_away

        proxy.mood.refuses = False
        await until_back(database)

        assert all([await answers(database) for _ in range(8)])


async def test_a_connection_whose_end_is_announced_fails_nobody(
    server: EmbeddedServer, database_name: str
) -> None:
    """A server that ends, or whose neighbour crashed, says so; under load its connections close a moment later."""
    fields = b"SFATAL\0VFATAL\0C57P02\0Mterminating connection because of a crash\0\0"
    async with through_a_proxy(server, database_name) as (proxy, database):
        assert await answers(database)
        proxy.say(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        await asyncio.sleep(0.1)  # it may be read before something is asked, or with the answer

        assert all([await answers(database) for _ in range(4)])


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("08006", DatabaseUnavailable),
        ("57P03", DatabaseUnavailable),
        ("28P01", DatabaseRefused),
        ("25006", DatabaseReadOnly),
        ("53100", DatabaseFull),
        ("53300", DatabaseBusy),
        ("53200", DatabaseBusy),
        ("55P03", DatabaseBusy),
        ("40001", Collision),
        ("40P01", Collision),
        ("57014", DatabaseTooSlow),
    ],
)
async def test_what_the_database_has_of_itself_is_an_error_of_ours_and_nothing_is_kept(
    database: Database, sqlstate: str, kind: type[Unavailable]
) -> None:
    insert = (
        "INSERT INTO jobs.pgqueuer_log (job_id, status, priority, entrypoint) VALUES (1, 'queued', 0, $1)"
    )

    with pytest.raises(Unavailable) as problem:  # noqa: PT012 - it rises at the block's end
        async with database.system() as connection:
            await connection.execute(insert, f"undone by {sqlstate}")
            await connection.execute(
                f"DO $$BEGIN RAISE 'as it may happen' USING ERRCODE = '{sqlstate}'; END$$"
            )

    assert type(problem.value) is kind
    async with database.system() as connection:
        left = "SELECT count(*) FROM jobs.pgqueuer_log WHERE entrypoint = $1"
        assert await connection.fetchval(left, f"undone by {sqlstate}") == 0


async def test_a_mistake_of_ours_stays_what_it_is(database: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        async with database.system() as connection:
            await connection.execute("SELECT * FROM nowhere")
    with pytest.raises(FileNotFoundError):
        async with database.system():
            raise FileNotFoundError


async def test_statements_locks_and_silence_have_their_limits(database: Database, acme: Tenant) -> None:
    async with database.system() as connection:
        limits = {
            name: await connection.fetchval(f"SHOW {name}")
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        }
    assert limits == {
        "statement_timeout": "15s",
        "lock_timeout": "8s",
        "idle_in_transaction_session_timeout": "15s",
    }

    with pytest.raises(DatabaseTooSlow):  # noqa: PT012 - it rises at the block's end
        async with database.system() as connection:
            await connection.execute("SET LOCAL statement_timeout = '50ms'")
            await connection.execute("SELECT pg_sleep(5)")
    async with database.owner(acme.owner_id, lock=7):
        with pytest.raises(DatabaseBusy):  # noqa: PT012 - it rises at the block's end
            async with database.owner(acme.owner_id) as connection:
                await connection.execute("SET LOCAL lock_timeout = '50ms'")
                await connection.execute("SELECT pg_advisory_xact_lock(7)")
    with pytest.raises(DatabaseUnavailable):  # noqa: PT012 - it rises at the block's end
        async with database.system() as connection:
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
            await asyncio.sleep(0.5)
            await connection.execute("SELECT")
    assert await answers(database)


async def test_requests_that_use_up_their_connections_leave_some_to_webhooks(
    server: EmbeddedServer, database_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.2)
    async with through_a_proxy(server, database_name, pool_size=4) as (_, database), AsyncExitStack() as held:
        with as_guest():
            for _ in range(3):
                await held.enter_async_context(database.system())
            with pytest.raises(DatabaseBusy):
                await answers(database)

        assert await answers(database)

        await held.enter_async_context(database.system())
        with pytest.raises(DatabaseBusy):
            await answers(database)
    assert not database.connections.pulse.is_away


async def test_a_connection_that_died_unnoticed_fails_nobody(
    server: EmbeddedServer, database_name: str
) -> None:
    async with connected(url_of(server, database_name)) as database:
        async with database.system() as connection:
            pid = connection.get_server_pid()
        # Nothing of the program runs between the end of the connection and its next use.
        ask(server.url("postgres"), "SELECT pg_terminate_backend(%s, 5000)", pid)

        assert await answers(database)


async def test_a_database_that_lets_us_in_no_more_is_told_apart_from_one_that_is_away(
    server: EmbeddedServer, template: str
) -> None:
    with new_database(server, "closed_to_us", template=template) as name:
        async with connected(url_of(server, name)) as database:
            ask(server.url("postgres"), f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
            async with database.system() as connection:
                with pytest.raises(DatabaseRefused):
                    await answers(database)

                assert await connection.fetchval("SELECT true")  # who is connected goes on
            assert not database.connections.pulse.is_away


async def test_a_file_that_can_not_be_kept_waits_for_the_disk(
    services: Services, acme: Tenant, gateway: FakeGateway, clock: TurnableClock
) -> None:
    url = f"https://api.twilio.com/{some_sid('ME')}"
    gateway.media[url] = FetchedMedia(b"\x89PNG\r\n\x1a\n", "image/png")
    await services.inbound.receive(
        make_inbound(
            acme, customer=some_number(), attachments=[Attachment(url=url, content_type="image/png")]
        ),
        owner=acme.owner,
        twilio_account_id=acme.account.twilio_account_id,
    )
    [file] = await rows(services, acme, "SELECT media_id, updated_at FROM media")
    store = services.media.store
    services.media.store = DiskMediaStore(
        Path("/dev/full")
    )  # where nothing can be written, as on a full disk
    clock.turn(minutes=5)

    for _ in range(QUICK_ATTEMPTS + 1):
        with pytest.raises(MediaStoreUnavailable):
            await services.media.fetch(acme.owner_id, file["media_id"])
    [waiting] = await rows(services, acme, "SELECT status, attempts, updated_at FROM media")
    services.media.store = store
    await services.media.fetch(acme.owner_id, file["media_id"])
    [kept] = await rows(services, acme, "SELECT status FROM media")

    assert (waiting["status"], waiting["attempts"]) == ("PENDING", 0)
    assert waiting["updated_at"] > file["updated_at"]  # so that the sweep does not come again at once
    assert kept["status"] == "STORED"
