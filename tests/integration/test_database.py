"""The pool and the unit of work: which roles and schemas are refused, and what happens when the server goes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import asyncpg
import pytest

from databases import ask, new_database, url_of
from owner.db import migrate
from owner.db.database import Connection, Database, TransactionAborted
from owner.db.embedded import EmbeddedServer
from owner.db.revisions import Schema, head_revision, known_revisions
from owner.models.errors import DatabaseUnavailable, SchemaOutdated, UnsafeDatabaseRole
from owner.models.outage_errors import DatabaseBusy

MEND = "Put a plain LOGIN role into OWNER_DATABASE_URL and run `owner migrate`, which grants it owner_app."


@asynccontextmanager
async def connected(url: str, *, pool_size: int = 2) -> AsyncIterator[Database]:
    database = await Database.connect(url, pool_size=pool_size)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def unmigrated(server: EmbeddedServer) -> str:
    """A database that nobody has migrated: the one that the embedded server makes."""
    return server.url("owner_service")


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ("SUPERUSER", "is a superuser"),
        ("BYPASSRLS", "has BYPASSRLS"),
        ("IN ROLE owner_admin", "owns the tables, or is a member of their owner"),
        ("IN ROLE owner_directory", "is a member of owner_directory, owner_platform or owner_search"),
        (
            "NOINHERIT IN ROLE owner_platform",
            "is a member of owner_directory, owner_platform or owner_search",
        ),
    ],
)
async def test_a_role_that_row_level_security_does_not_bind_is_refused_with_what_to_do(
    server: EmbeddedServer, database_name: str, attributes: str, reason: str
) -> None:
    role = f"careless_{database_name}"
    admin = url_of(server, database_name, "postgres")
    ask(admin, f"CREATE ROLE {role} LOGIN {attributes}")
    try:
        async with connected(f"{admin}&role={role}") as database:
            with pytest.raises(UnsafeDatabaseRole) as refusal:
                await database.refuse_unsafe_role()
    finally:
        ask(admin, f"DROP ROLE {role}")

    assert (
        refusal.value.message
        == f"The database role {role} {reason}, so one owner could see another's rows. {MEND}"
    )


async def test_the_owner_of_the_tables_is_refused(server: EmbeddedServer, database_name: str) -> None:
    async with connected(url_of(server, database_name, "owner_admin")) as database:
        with pytest.raises(UnsafeDatabaseRole, match="owner_admin owns the tables"):
            await database.refuse_unsafe_role()


async def test_the_applications_role_is_fine(database: Database) -> None:
    await database.refuse_unsafe_role()
    await database.refuse_other_schema()


async def test_an_empty_database_is_told_to_be_migrated(unmigrated: str) -> None:
    async with connected(unmigrated) as database:
        with pytest.raises(SchemaOutdated) as refusal:
            await database.refuse_other_schema()

    head = head_revision()
    assert refusal.value.message == (
        f"The database is at revision none, this program needs {head}: run `owner migrate`."
    )


async def test_a_migration_tells_whom_the_schema_serves(database: Database) -> None:
    schema = await database.schema()

    assert schema.revision == head_revision()
    assert schema.serves in known_revisions()


async def test_an_old_schema_is_told_to_be_migrated(server: EmbeddedServer, template: str) -> None:
    with new_database(server, "old_schema", template=template) as name:
        migrate.downgrade(url_of(server, name, "owner_admin"), revision="-1")
        async with connected(url_of(server, name)) as database:
            with pytest.raises(SchemaOutdated, match=r"is at revision \d{4}, this program needs \d{4}"):
                await database.refuse_other_schema()


async def test_a_newer_schema_is_fine_while_it_serves_this_program(
    server: EmbeddedServer, template: str
) -> None:
    with new_database(server, "newer_schema", template=template) as name:
        admin = url_of(server, name, "owner_admin")
        ask(admin, "UPDATE alembic_version SET version_num = '9999'")
        async with connected(url_of(server, name)) as database:
            await _told(database, admin, head_revision())
            await database.refuse_other_schema()

            await _told(database, admin, "9998")
            with pytest.raises(SchemaOutdated, match=r"at revision 9999.*install the version that fits it"):
                await database.refuse_other_schema()


async def _told(database: Database, admin: str, serves: str) -> None:
    """As a migration of a later version leaves it."""
    ask(admin, f"COMMENT ON TABLE alembic_version IS 'serves programs since {serves}'")
    assert await database.schema() == Schema("9999", serves)


async def test_a_role_that_was_never_let_in_is_told_to_be_migrated(
    server: EmbeddedServer, database_name: str
) -> None:
    role = f"unknown_{database_name}"
    admin = url_of(server, database_name, "postgres")
    ask(admin, f"CREATE ROLE {role} LOGIN")
    try:
        async with connected(f"{admin}&role={role}") as database:
            with pytest.raises(SchemaOutdated, match="run `owner migrate`, which grants it owner_app"):
                await database.refuse_other_schema()
    finally:
        ask(admin, f"DROP ROLE {role}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://owner_service@127.0.0.1:{closed_port}/owner",
        "postgresql://owner_service@/owner?host=/nowhere",
        "postgresql://owner_service@nowhere.invalid/owner",
        "mysql://owner_service@127.0.0.1/owner",
        "nonsense",
    ],
)
async def test_a_database_that_can_not_be_reached_is_one_sentence_soon(url: str) -> None:
    started = monotonic()

    with pytest.raises(DatabaseUnavailable) as problem:
        await Database.connect(url.format(closed_port=closed_port()))

    assert monotonic() - started < 12
    assert problem.value.message.startswith("The database can't be reached (")
    assert problem.value.message.endswith("Is it running, and is OWNER_DATABASE_URL right?")


async def test_a_database_that_does_not_exist_is_one_sentence(server: EmbeddedServer) -> None:
    with pytest.raises(DatabaseUnavailable, match='database "nowhere" does not exist'):
        await Database.connect(url_of(server, "nowhere"))


async def test_a_password_is_not_part_of_the_sentence() -> None:
    with pytest.raises(DatabaseUnavailable) as problem:
        await Database.connect(f"postgresql://ana:tell-nobody@127.0.0.1:{closed_port()}/owner")

    assert "tell-nobody" not in str(problem.value)


async def test_a_swallowed_sql_error_can_not_be_committed(database: Database) -> None:
    with pytest.raises(TransactionAborted):  # noqa: PT012 - it rises at the block's end
        async with database.system() as connection:
            await connection.execute(
                "INSERT INTO jobs.pgqueuer_log (job_id, status, priority, entrypoint)"
                " VALUES (1, 'queued', 0, 'never_committed')"
            )
            with pytest.raises(asyncpg.DivisionByZeroError):
                await connection.execute("SELECT 1 / 0")

    async with database.system() as connection:
        assert await kept(connection, "never_committed") == 0


async def test_an_exception_undoes_the_block_and_a_clean_exit_keeps_it(database: Database) -> None:
    insert = (
        "INSERT INTO jobs.pgqueuer_log (job_id, status, priority, entrypoint) VALUES (1, 'queued', 0, $1)"
    )

    with pytest.raises(KeyError):  # noqa: PT012 - it rises at the block's end
        async with database.system() as connection:
            await connection.execute(insert, "undone")
            raise KeyError
    async with database.system() as connection:
        await connection.execute(insert, "kept")

    async with database.system() as connection:
        assert (await kept(connection, "undone"), await kept(connection, "kept")) == (0, 1)


async def test_it_recovers_after_the_server_ended_its_idle_connections(
    server: EmbeddedServer, database_name: str
) -> None:
    async with connected(url_of(server, database_name)) as database:
        async with database.system() as connection:
            victim = connection.get_server_pid()
        end_backend(server, victim)
        await asyncio.sleep(0.1)

        async with database.system() as connection:
            assert connection.get_server_pid() != victim


async def test_a_connection_that_ends_in_the_middle_is_an_unavailable_database_and_the_next_works(
    server: EmbeddedServer, database_name: str
) -> None:
    async with connected(url_of(server, database_name), pool_size=2) as database:
        with pytest.raises(DatabaseUnavailable):  # noqa: PT012 - it rises at the block's end
            async with database.system() as connection:
                end_backend(server, connection.get_server_pid())
                await connection.execute("SELECT pg_sleep(5)")
        with pytest.raises(DatabaseUnavailable):  # noqa: PT012 - it rises at the block's end
            async with database.system() as connection:
                waiting = asyncio.create_task(end_later(server, connection.get_server_pid()))
                await connection.execute("SELECT pg_sleep(5)")
        await waiting
        with pytest.raises(DatabaseUnavailable):  # noqa: PT012 - it rises at the block's end
            async with database.system() as connection:
                end_backend(server, connection.get_server_pid())
                await asyncio.sleep(0.1)

        async with database.system() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_a_database_without_free_connections_is_busy(server: EmbeddedServer, template: str) -> None:
    with new_database(server, "crowded", template=template) as name:
        ask(server.url("postgres"), f"ALTER DATABASE {name} CONNECTION LIMIT 1")
        async with connected(url_of(server, name)) as database, database.system():
            with pytest.raises(DatabaseBusy):
                async with database.system():
                    pass


async def kept(connection: Connection, entrypoint: str) -> int:
    count: int = await connection.fetchval(
        "SELECT count(*) FROM jobs.pgqueuer_log WHERE entrypoint = $1", entrypoint
    )
    return count


def end_backend(server: EmbeddedServer, pid: int) -> None:
    ask(server.url("postgres"), "SELECT pg_terminate_backend(%s, 5000)", pid)


async def end_later(server: EmbeddedServer, pid: int) -> None:
    await asyncio.sleep(0.2)
    await asyncio.to_thread(end_backend, server, pid)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
