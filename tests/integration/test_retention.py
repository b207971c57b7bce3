"""Old months of events, deliveries and quarantine go as whole partitions; nothing else does, and nobody waits."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import asyncpg
import psycopg
import pytest

from databases import ask, new_database, url_of
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.repositories.partitions import ForgettingTable, Outcome, PartitionRepository
from owner.services.housekeeping import HousekeepingService

READERS = ["facts", "search"]
YEAR = timedelta(days=365)
MONTH = "date_trunc('month', now(), 'UTC')"


MONTHS_AGO = (24, 21, 20, 14, 12, 1)  # of which there are partitions, besides those of every new database


@pytest.fixture(scope="module")
def aged(server: EmbeddedServer, template: str, worker_id: str) -> Iterator[str]:
    """A database with partitions of old months, and two owners of whom every reader has read everything."""
    with new_database(server, f"aged_{worker_id}", template=template) as name:
        ask(
            url_of(server, name, "owner_admin"),
            f"""
            DO $$ BEGIN
                PERFORM make_month_partition(parent::regclass, now() - make_interval(months => back))
                FROM unnest(ARRAY['events', 'webhook_deliveries', 'inbound_quarantine', 'facts']) AS parent,
                     unnest(ARRAY{[*MONTHS_AGO]}) AS back;
                INSERT INTO owners (owner_id, name, email) VALUES (1, 'acme', 'a'), (2, 'globex', 'g');
                INSERT INTO event_cursors (owner_id, reader, xid, event_id)
                    SELECT owner_id, reader, '1000000', 0 FROM owners, unnest(ARRAY['facts', 'search']) AS reader;
            END $$
            """,
        )
        yield name


@pytest.fixture
def admin(server: EmbeddedServer, aged: str, worker_id: str) -> Iterator[str]:
    """The migration role's URL of a copy of it."""
    with new_database(server, f"retention_{worker_id}", template=aged) as name:
        yield url_of(server, name, "owner_admin")


@pytest.fixture
async def own(admin: str) -> AsyncIterator[Database]:
    connected = await Database.connect(admin.replace("owner_admin", "owner_service"), pool_size=3)
    yield connected
    await connected.close()


def keeping(database: Database, *, kept_for: timedelta = YEAR) -> HousekeepingService:
    return HousekeepingService(
        database, kept_for=dict.fromkeys(ForgettingTable, kept_for), readers=READERS, pause=0.0
    )


def add_event(admin: str, months_ago: int, *, owner_id: int = 1, xid: int = 3) -> None:
    ask(
        admin,
        "INSERT INTO events (owner_id, xid, type, actor_kind, created_at)"
        f" VALUES (%s, %s::text::xid8, 'test', 'SYSTEM', {MONTH} - make_interval(months => %s) + interval '1 day')",
        owner_id,
        xid,
        months_ago,
    )


def months_of(admin: str, table: str) -> set[str]:
    found = ask(
        admin,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
        table,
    )
    return {name.removeprefix(f"{table}_") for (name,) in found}


def month(admin: str, *, ago: int) -> str:
    [(name,)] = ask(
        admin, f"SELECT to_char(({MONTH} - make_interval(months => %s)) AT TIME ZONE 'UTC', 'YYYY_MM')", ago
    )
    return str(name)


async def test_months_that_are_wholly_older_go_and_the_others_stay(own: Database, admin: str) -> None:
    for ago in (24, 14, 12, 1, 0):
        add_event(admin, ago)

    await keeping(own).tidy()

    for table in ForgettingTable:
        left = months_of(admin, table)
        assert month(admin, ago=14) not in left
        assert {month(admin, ago=ago) for ago in (12, 1, 0, -3)} | {"default"} <= left
    assert ask(admin, "SELECT count(*) FROM events") == [(3,)]
    assert len(months_of(admin, "facts")) == len(MONTHS_AGO) + 4 + 1


async def test_a_second_time_nothing_is_left_to_do(own: Database, admin: str) -> None:
    await keeping(own).tidy()
    before = {table: months_of(admin, table) for table in ForgettingTable}

    await keeping(own).tidy()

    assert {table: months_of(admin, table) for table in ForgettingTable} == before


async def test_events_that_a_reader_of_any_owner_has_not_read_stay_until_it_has(
    own: Database, admin: str
) -> None:
    add_event(admin, 20, owner_id=1)
    add_event(admin, 20, owner_id=2, xid=9)
    ask(admin, "UPDATE event_cursors SET xid = '8' WHERE owner_id = 2 AND reader = 'search'")

    await keeping(own).tidy()

    assert month(admin, ago=20) in months_of(admin, "events")
    assert month(admin, ago=21) not in months_of(admin, "events")
    assert month(admin, ago=20) not in months_of(admin, "inbound_quarantine")

    ask(admin, "UPDATE event_cursors SET xid = '10' WHERE owner_id = 2 AND reader = 'search'")
    await keeping(own).tidy()

    assert month(admin, ago=20) not in months_of(admin, "events")


async def test_a_reader_that_has_yet_to_begin_has_read_nothing(own: Database, admin: str) -> None:
    add_event(admin, 20)

    async with own.system() as connection:
        partitions = PartitionRepository(connection)
        while found := await partitions.drop_oldest(
            ForgettingTable.EVENTS, older_than=YEAR, readers=[*READERS, "new"]
        ):
            if found.outcome is not Outcome.DROPPED:
                break

    assert found is not None
    assert found == (f"events_{month(admin, ago=20)}", Outcome.UNREAD)


@pytest.mark.parametrize("asked", [timedelta(0), timedelta(days=-1000), timedelta(days=29)])
async def test_nothing_of_the_last_thirty_days_goes_whatever_is_asked_for(
    own: Database, admin: str, asked: timedelta
) -> None:
    add_event(admin, 0)

    await keeping(own, kept_for=asked).tidy()

    for table in ForgettingTable:
        assert {month(admin, ago=0), month(admin, ago=-1)} <= months_of(admin, table)
    assert ask(admin, "SELECT count(*) FROM events") == [(1,)]


@pytest.mark.parametrize("table", ["facts", "messages", "owners", "events; DROP TABLE owners", ""])
@pytest.mark.parametrize("function", ["drop_oldest_partition", "prune_strays"])
async def test_no_other_table_forgets(database: Database, function: str, table: str) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match="forgets nothing"):
        async with database.system() as connection:
            await connection.fetch(f"SELECT * FROM {function}($1, '1 year', '{{}}')", table)


async def test_the_application_can_not_drop_a_partition_itself(database: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.system() as connection:
            await connection.execute("DROP TABLE events_default")


async def test_strays_go_when_they_are_old_and_read(own: Database, admin: str) -> None:
    for ago in (40, 41):
        add_event(admin, ago)
    add_event(admin, 40, xid=2_000_000)  # nobody has got there
    add_event(admin, -20)
    assert ask(admin, "SELECT count(*) FROM events_default") == [(4,)]

    await keeping(own).tidy()

    assert ask(admin, "SELECT count(*) FROM events_default WHERE created_at < now()") == [(1,)]
    assert ask(admin, "SELECT count(*) FROM events_default WHERE created_at > now()") == [(1,)]


async def test_a_quarantined_webhook_leaves_with_its_month(own: Database, admin: str) -> None:
    for ago in (0, 20, 40):
        ask(
            admin,
            "INSERT INTO inbound_quarantine (reason, path, params, created_at)"
            f" VALUES ('BAD_SIGNATURE', '/', '[]', {MONTH} - make_interval(months => %s))",
            ago,
        )

    await keeping(own).tidy()

    assert ask(admin, "SELECT count(*) FROM inbound_quarantine") == [(1,)]


@pytest.mark.parametrize(
    "statement", ["SELECT count(*) FROM events", "DELETE FROM events WHERE owner_id = 3"]
)
async def test_whoever_is_at_work_in_a_table_is_not_disturbed_and_the_others_are_tidied(
    own: Database, admin: str, statement: str
) -> None:
    with psycopg.connect(admin) as somebody:
        somebody.execute(statement.encode())

        await keeping(own).tidy()

        assert len(months_of(admin, "events")) == len(MONTHS_AGO) + 4 + 1
        assert month(admin, ago=20) not in months_of(admin, "webhook_deliveries")
        assert ask(admin, "SELECT count(*) FROM events") == [(0,)]

    await keeping(own).tidy()
    assert month(admin, ago=20) not in months_of(admin, "events")


async def test_partitions_are_made_for_the_tables_that_nobody_reads_right_now(
    own: Database, admin: str
) -> None:
    with psycopg.connect(admin) as somebody:
        somebody.execute("SELECT count(*) FROM events_default")

        async with own.system() as connection:
            assert await PartitionRepository(connection).make_ahead(months=5) is False

        assert month(admin, ago=-5) not in months_of(admin, "events")
        assert month(admin, ago=-5) in months_of(admin, "facts")

    async with own.system() as connection:
        assert await PartitionRepository(connection).make_ahead(months=5) is True
    assert month(admin, ago=-5) in months_of(admin, "events")


async def test_the_owners_rows_elsewhere_are_as_they_were(own: Database, admin: str) -> None:
    add_event(admin, 20)
    before = rows_of_everything_else(admin)

    await keeping(own).tidy()

    assert rows_of_everything_else(admin) == before


def rows_of_everything_else(admin: str) -> dict[str, Any]:
    tables = ask(
        admin,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        " AND NOT relispartition AND relname <> 'alembic_version' ORDER BY 1",
    )
    return {table: ask(admin, f"SELECT * FROM {table}") for (table,) in tables}
