"""One owner can't see another: the catalogue says so for every table, and so does every statement on each."""

import asyncio
import gc
import re
from collections.abc import AsyncIterator

import asyncpg
import pytest

from databases import url_of
from factories import Tenant, make_tenant, some_number
from filling import TENANT_TABLES, fill, insert
from owner.db.database import Connection, Database
from owner.db.embedded import EmbeddedServer
from owner.models.enums import (
    DeliveryStatus,
    MessageDirection,
    MessageOwner,
    MessageType,
)
from owner.models.errors import AlreadyExists
from owner.models.twilio_account import TwilioAccountCreate
from owner.services.catalog import Services

WITHOUT_ROW_LEVEL_SECURITY = {
    "alembic_version": "holds the revision of the schema and nobody's data; `serve` reads it before it knows any owner"
}
# What nobody owns; only owner_platform's functions reach it.
NOT_A_TENANTS = {
    "inbound_quarantine": "webhooks of unknown senders",
    "platform_idempotency_keys": "answers to the operator's programs",
    "platform_keys": "the operator's own keys",
}
# The whole surface across owners: what runs with more rights than its caller, and as whom.
DEFINER_FUNCTIONS = {
    "advance_identities": "owner_admin",
    "directory_account_by_webhook_key": "owner_directory",
    "directory_accounts_by_sid": "owner_directory",
    "directory_api_key": "owner_directory",
    "directory_connected_accounts": "owner_directory",
    "directory_due_conversations": "owner_directory",
    "directory_due_sends": "owner_directory",
    "directory_due_webhook_endpoints": "owner_directory",
    "directory_one_time_link": "owner_directory",
    "directory_owners": "owner_directory",
    "directory_owners_behind": "owner_directory",
    "directory_owners_with_events": "owner_directory",
    "directory_pending_media": "owner_directory",
    "directory_send_lag": "owner_directory",
    "directory_session": "owner_directory",
    "directory_unsent_conversations": "owner_directory",
    "idempotency_keys_prune": "owner_admin",
    "directory_users_by_email": "owner_directory",
    "drop_oldest_partition": "owner_admin",
    "make_partitions_ahead": "owner_admin",
    "prune_strays": "owner_admin",
    "platform_answer_find": "owner_platform",
    "platform_answer_list": "owner_platform",
    "platform_answer_put": "owner_platform",
    "platform_answer_replace": "owner_platform",
    "platform_key_add": "owner_platform",
    "platform_key_list": "owner_platform",
    "platform_key_revoke": "owner_platform",
    "platform_key_use": "owner_platform",
    "platform_owner_list": "owner_platform",
    "quarantine_add": "owner_platform",
    "quarantine_get": "owner_platform",
    "quarantine_get_own": "owner_platform",
    "quarantine_count_own": "owner_platform",
    "quarantine_erase_own": "owner_platform",
    "quarantine_list": "owner_platform",
    "quarantine_list_own": "owner_platform",
    "quarantine_remove": "owner_platform",
    "search_conversations": "owner_search",
    "search_messages": "owner_search",
    "quarantine_remove_own": "owner_platform",
}
# What a stranger would do to a row, without a WHERE that could hide a missing policy.
STATEMENTS = {
    "select": "SELECT * FROM {table}",
    "update": "UPDATE {table} SET owner_id = owner_id",
    "delete": "DELETE FROM {table}",
}


@pytest.fixture
async def catalogue(server: EmbeddedServer, database_name: str) -> AsyncIterator[Connection]:
    """The same database as the superuser sees it."""
    connection = await asyncpg.connect(url_of(server, database_name, "postgres"))
    yield connection
    await connection.close()


@pytest.fixture
async def full(services: Services, acme: Tenant) -> Tenant:
    """The tenant acme with a row in every tenant table."""
    return await fill(services, acme)


async def test_the_list_of_tenant_tables_is_the_catalogue_s(catalogue: Connection) -> None:
    tables = await catalogue.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition"
    )

    expected = {*TENANT_TABLES, *WITHOUT_ROW_LEVEL_SECURITY, *NOT_A_TENANTS}
    assert {table["relname"] for table in tables} == expected


async def test_every_table_and_partition_forces_row_level_security_by_a_policy(catalogue: Connection) -> None:
    tables = await catalogue.fetch(
        """
        SELECT relname, relrowsecurity, relforcerowsecurity,
               EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid) AS has_policy
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'f', 'm')
        """
    )

    open_ones = {
        table["relname"]
        for table in tables
        if not (table["relrowsecurity"] and table["relforcerowsecurity"] and table["has_policy"])
    }
    assert open_ones == set(WITHOUT_ROW_LEVEL_SECURITY)
    assert len(tables) > len(TENANT_TABLES) + 8


async def test_no_view_looks_through_row_level_security(catalogue: Connection) -> None:
    views = await catalogue.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')"
    )

    assert views == []


async def test_the_policies_name_their_roles_and_the_applications_binds_reads_and_writes_to_the_setting(
    catalogue: Connection,
) -> None:
    policies = await catalogue.fetch("SELECT * FROM pg_policies WHERE schemaname = 'public'")

    assert [policy["tablename"] for policy in policies if "public" in policy["roles"]] == []
    ours = {policy["tablename"]: policy for policy in policies if "owner_app" in policy["roles"]}
    assert set(ours) == set(TENANT_TABLES)
    for policy in ours.values():
        assert policy["roles"] == ["owner_app"]
        assert (policy["permissive"], policy["cmd"]) == ("PERMISSIVE", "ALL")
        # What is seen is settled once for a statement; whose a new row may be, for each row.
        setting = "(NULLIF(current_setting('app.owner_id'::text, true), ''::text))::bigint"
        seen = f'(owner_id = ( SELECT {setting} AS "nullif"))'
        assert re.sub(r"\s+", " ", policy["qual"]) == seen
        assert policy["with_check"] == f"(owner_id = {setting})"


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_the_owner_comes_first_in_the_primary_key_and_in_every_foreign_key(
    catalogue: Connection, table: str
) -> None:
    keys = await catalogue.fetch(
        """
        SELECT contype::text, conname, attname FROM pg_constraint
        JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
        WHERE conrelid = $1::text::regclass AND contype IN ('p', 'f')
        """,
        table,
    )

    assert {key["attname"] for key in keys} == {"owner_id"}
    assert "p" in {key["contype"] for key in keys}


async def test_another_owners_rows_can_be_referred_to_by_no_foreign_key_without_the_owner(
    catalogue: Connection,
) -> None:
    narrow = await catalogue.fetch(
        """
        SELECT conrelid::regclass::text AS name FROM pg_constraint
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace
          AND cardinality(conkey) < 2 AND confrelid <> 'owners'::regclass
        """
    )

    assert narrow == []


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_with_the_owners_setting_their_rows_are_there(
    database: Database, full: Tenant, table: str
) -> None:
    async with database.owner(full.owner_id) as connection:
        owners = await connection.fetch(f"SELECT DISTINCT owner_id FROM {table}")

    assert [row["owner_id"] for row in owners] == [full.owner_id]


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_with_another_owners_setting_nothing_is_seen_or_touched(
    database: Database, catalogue: Connection, full: Tenant, table: str, statement: str
) -> None:
    stranger = 9_000_000_000  # has no row at all, so whatever a statement finds is somebody else's
    before = await rows_of(catalogue, table, full.owner_id)

    async with database.owner(stranger) as connection:
        tag = await connection.execute(STATEMENTS[statement].format(table=table))

    assert tag.split()[-1] == "0"
    assert before
    assert await rows_of(catalogue, table, full.owner_id) == before


@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_a_row_in_another_owners_name_is_refused(
    database: Database, catalogue: Connection, full: Tenant, globex: Tenant, table: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security policy"):
        await insert_copy(database, catalogue, table, full.owner_id, setting=str(globex.owner_id))


@pytest.mark.parametrize("setting", [None, ""], ids=["unset", "empty"])
@pytest.mark.parametrize("table", TENANT_TABLES)
async def test_without_an_owner_nothing_is_seen_touched_or_stored(
    database: Database, catalogue: Connection, full: Tenant, table: str, setting: str | None
) -> None:
    before = await rows_of(catalogue, table, full.owner_id)

    for statement in STATEMENTS.values():
        async with database.system() as connection:
            await apply(connection, setting)
            assert (await connection.execute(statement.format(table=table))).split()[-1] == "0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security policy"):
        await insert_copy(database, catalogue, table, full.owner_id, setting=setting)

    assert await rows_of(catalogue, table, full.owner_id) == before


@pytest.mark.parametrize("table", [table for table in TENANT_TABLES if table != "owners"])
async def test_a_row_can_not_be_given_to_another_owner(
    database: Database, full: Tenant, globex: Tenant, table: str
) -> None:
    with pytest.raises(
        asyncpg.InsufficientPrivilegeError, match=r"row-level security policy|permission denied"
    ):
        async with database.owner(full.owner_id) as connection:
            await connection.execute(f"UPDATE {table} SET owner_id = $1", globex.owner_id)


async def test_tables_can_not_be_emptied_around_the_policies(database: Database) -> None:
    for table in TENANT_TABLES:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.system() as connection:
                await connection.execute(f"TRUNCATE {table} CASCADE")


async def test_partitions_can_not_be_read_around_their_parent(
    database: Database, catalogue: Connection, full: Tenant
) -> None:
    partitions = await catalogue.fetch(
        "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )

    assert len(partitions) >= 10
    for partition in partitions:
        for statement in ("SELECT FROM {table}", "DELETE FROM {table}", "INSERT INTO {table} DEFAULT VALUES"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                async with database.owner(full.owner_id) as connection:
                    await connection.execute(statement.format(table=partition["relname"]))


@pytest.mark.parametrize("table", NOT_A_TENANTS)
async def test_what_nobody_owns_can_not_be_read_or_changed_directly(database: Database, table: str) -> None:
    for statement in (
        "SELECT FROM {table}",
        "UPDATE {table} SET created_at = now()",
        "DELETE FROM {table}",
        "INSERT INTO {table} DEFAULT VALUES",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
            async with database.system() as connection:
                await connection.execute(statement.format(table=table))


async def test_the_revision_can_be_read_and_not_changed(database: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):  # noqa: PT012 - it rises at the block's end
        async with database.system() as connection:
            assert await connection.fetchval("SELECT count(*) FROM alembic_version") == 1
            await connection.execute("DELETE FROM alembic_version")


@pytest.mark.parametrize(
    "role", ["owner_directory", "owner_platform", "owner_search", "owner_admin", "postgres"]
)
async def test_the_application_can_not_become_a_role_that_sees_more(database: Database, role: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied to set role"):
        async with database.system() as connection:
            await connection.execute(f"SET LOCAL ROLE {role}")


async def test_the_application_makes_no_tables_functions_or_schemas(database: Database) -> None:
    for statement in (
        "CREATE TABLE public.mine (note text)",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA mine",
        "ALTER TABLE owners DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON owners",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.system() as connection:
                await connection.execute(statement)


async def test_only_the_listed_functions_run_with_more_rights_than_their_caller(
    catalogue: Connection,
) -> None:
    functions = await definer_functions(catalogue)

    assert {function["proname"]: function["belongs_to"] for function in functions} == DEFINER_FUNCTIONS


async def test_what_runs_with_more_rights_has_a_fixed_search_path_and_is_not_everybodys(
    catalogue: Connection,
) -> None:
    for function in await definer_functions(catalogue):
        assert "search_path=pg_catalog, public" in function["proconfig"], function["proname"]
        assert not function["is_for_everybody"], function["proname"]
        assert function["is_for_application"], function["proname"]


async def test_no_function_or_procedure_of_ours_is_everybodys(catalogue: Connection) -> None:
    functions = await catalogue.fetch(
        """
        SELECT proname FROM pg_proc, aclexplode(COALESCE(proacl, acldefault('f', proowner))) AS granted
        WHERE pronamespace = 'public'::regnamespace AND granted.grantee = 0
        """
    )

    assert functions == []


async def test_nobody_can_plant_what_a_fixed_search_path_would_find(catalogue: Connection) -> None:
    # Other tests make superusers and members of owner_admin meanwhile; those may do anything.
    may_create = await catalogue.fetch(
        """
        SELECT rolname FROM pg_roles
        WHERE has_schema_privilege(oid, 'public', 'CREATE') AND NOT rolsuper
          AND NOT pg_has_role(oid, 'owner_admin', 'MEMBER') AND rolname <> 'pg_database_owner'
        """
    )

    assert may_create == []


async def test_look_ups_across_owners_return_ids_and_nothing_else(catalogue: Connection) -> None:
    columns = await catalogue.fetch(
        """
        SELECT proname, name, type::regtype::text AS type FROM pg_proc,
               unnest(proargmodes, proargnames, proallargtypes) AS argument (mode, name, type)
        WHERE proname LIKE 'directory\\_%' AND mode = 't'
        """
    )

    names = {(column["name"], column["type"]) for column in columns}
    # One tells no row at all: how much waits, of all owners together, and since when.
    directory = {name for name in DEFINER_FUNCTIONS if name.startswith("directory_")} - {"directory_send_lag"}
    assert {column["proname"] for column in columns} == directory
    assert names == {
        (name, "bigint")
        for name in (
            "owner_id",
            "twilio_account_id",
            "conv_id",
            "media_id",
            "endpoint_id",
            "api_key_id",
            "session_id",
            "link_id",
            "user_id",
        )
    }


async def test_the_directorys_role_reads_no_content_names_or_secrets(catalogue: Connection) -> None:
    readable = await catalogue.fetch(
        """
        SELECT table_name || '.' || column_name AS name FROM information_schema.columns
        WHERE table_schema = 'public'
          AND has_column_privilege('owner_directory', 'public.' || table_name, column_name, 'SELECT')
        """
    )
    writable = await catalogue.fetch(
        """
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
          AND has_table_privilege('owner_directory', oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
        """
    )

    # A hash of a random token tells nothing, and that of an e-mail only who knows the e-mail already.
    secret = re.compile(
        r"content|token(?!_hash)|password|email(?!_hash)|name$|metadata|context|data|customer|auth|attributes"
    )
    assert [column["name"] for column in readable if secret.search(column["name"])] == []
    assert writable == []


@pytest.mark.parametrize("borrowed", ["conversation", "contact", "account", "assignee", "previous"])
async def test_a_conversation_that_points_to_another_owners_row_is_refused(
    services: Services, full: Tenant, globex: Tenant, borrowed: str
) -> None:
    await fill(services, globex)
    theirs = await a_conversation(services.database, full)
    ours = await a_conversation(services.database, globex)
    column, value = {
        "conversation": ("conv_id", theirs["conv_id"]),
        "contact": ("contact_id", theirs["contact_id"]),
        "account": ("twilio_account_id", theirs["twilio_account_id"]),
        "assignee": ("assignee_id", full.user_id),
        "previous": ("previous_conv_id", theirs["conv_id"]),
    }[borrowed]
    table = "messages" if borrowed == "conversation" else "conversations"

    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with services.database.owner(globex.owner_id) as connection:
            await connection.execute(
                f"UPDATE {table} SET {column} = $1 WHERE conv_id = $2", value, ours["conv_id"]
            )


async def test_a_new_message_in_another_owners_conversation_is_refused(
    database: Database, full: Tenant, globex: Tenant
) -> None:
    theirs = await a_conversation(database, full)
    values = {
        "owner_id": globex.owner_id,
        "conv_id": theirs["conv_id"],
        "seq": 100,
        "direction": MessageDirection.INBOUND,
        "message_owner": MessageOwner.USER,
        "message_type": MessageType.TEXT,
        "content": "Oi",
        "delivery_status": DeliveryStatus.RECEIVED,
    }

    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with database.owner(globex.owner_id) as connection:
            await insert(connection, "messages", values)


async def test_two_owners_can_not_claim_one_number(services: Services, acme: Tenant, globex: Tenant) -> None:
    wanted = TwilioAccountCreate(
        account_sid="AC" + "0" * 32, auth_token="secret", phone_numbers=[some_number(), acme.sms]
    )

    with pytest.raises(AlreadyExists, match="is connected already"):
        await services.twilio.connect(globex.owner_id, wanted)

    async with services.database.owner(globex.owner_id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM twilio_accounts") == 1


async def test_two_owners_may_use_one_twilio_account_with_numbers_of_their_own(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    wanted = TwilioAccountCreate(
        account_sid=acme.account.account_sid, auth_token="secret", phone_numbers=[some_number()]
    )

    account = await services.twilio.connect(globex.owner_id, wanted)

    found = await services.twilio.find_by_sid(acme.account.account_sid, fresh=True)
    assert {access.account.owner_id for access in found} == {acme.owner_id, account.owner_id}


async def test_the_setting_ends_with_the_transaction(lone: Database, acme: Tenant) -> None:
    async with lone.owner(acme.owner_id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM owners") == 1

    assert await seen_by_the_next(lone) == ("", 0)


async def test_the_setting_does_not_outlive_an_error(lone: Database, acme: Tenant) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with lone.owner(acme.owner_id) as connection:
            await connection.execute("SELECT 1 / 0")
    with pytest.raises(KeyError):
        async with lone.owner(acme.owner_id):
            raise KeyError

    assert await seen_by_the_next(lone) == ("", 0)


@pytest.mark.parametrize("wait", ["statement", "lock", "python"])
async def test_the_setting_does_not_outlive_a_cancelled_task(
    lone: Database, database: Database, acme: Tenant, caplog: pytest.LogCaptureFixture, wait: str
) -> None:
    started = asyncio.Event()

    async def work() -> None:
        if wait == "lock":
            started.set()
        async with lone.owner(acme.owner_id, lock=77 if wait == "lock" else None) as connection:
            started.set()
            if wait == "python":
                await asyncio.sleep(30)
            await connection.execute("SELECT pg_sleep(30)")

    async with database.owner(acme.owner_id, lock=77):
        task = asyncio.create_task(work())
        await started.wait()
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert await seen_by_the_next(lone) == ("", 0)
    assert caplog.messages == []  # asyncpg complains about transactions that it has to end itself


async def test_a_task_that_is_cancelled_again_and_again_leaves_nothing_behind(
    lone: Database, acme: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    started = asyncio.Event()

    async def work() -> None:
        async with lone.owner(acme.owner_id) as connection:
            started.set()
            await connection.execute("SELECT pg_sleep(30)")

    task = asyncio.create_task(work())
    await started.wait()
    while not task.done():  # as a streamed answer is whose client hangs up
        task.cancel()
        await asyncio.sleep(0)

    assert await seen_by_the_next(lone) == ("", 0)
    del task
    gc.collect()  # what nobody took note of is complained about now
    assert caplog.messages == []


async def test_concurrent_owners_on_few_connections_see_their_own_rows_only(
    server: EmbeddedServer, database_name: str, services: Services
) -> None:
    tenants = [await make_tenant(services) for _ in range(3)]
    crowded = await Database.connect(url_of(server, database_name), pool_size=2)

    async def look(tenant: Tenant) -> tuple[int, list[int]]:
        async with crowded.owner(tenant.owner_id) as connection:
            rows = await connection.fetch("SELECT owner_id FROM users")
        return tenant.owner_id, [row["owner_id"] for row in rows]

    seen = await asyncio.gather(*(look(tenant) for tenant in tenants * 20))

    await crowded.close()
    assert all(rows == [owner_id] for owner_id, rows in seen)


@pytest.fixture
async def lone(server: EmbeddedServer, database_name: str, acme: Tenant) -> AsyncIterator[Database]:
    """A pool that gives everybody the same connection."""
    pool = await Database.connect(url_of(server, database_name), pool_size=1)
    yield pool
    await pool.close()


async def seen_by_the_next(pool: Database) -> tuple[str, int]:
    """What the next user of the connection finds: the setting, and how many owners it shows."""
    async with pool.system() as connection:
        setting = await connection.fetchval("SELECT current_setting('app.owner_id', true)")
        return setting or "", await connection.fetchval("SELECT count(*) FROM owners")


async def apply(connection: Connection, setting: str | None) -> None:
    if setting is not None:
        await connection.execute("SELECT set_config('app.owner_id', $1, true)", setting)


async def rows_of(catalogue: Connection, table: str, owner_id: int) -> list[str]:
    """All rows of an owner with their versions: an update that changes no value shows too."""
    rows = await catalogue.fetch(
        f"SELECT row.ctid::text || row.xmin::text || row::text AS row FROM {table} AS row WHERE owner_id = $1 ORDER BY 1",
        owner_id,
    )
    return [row["row"] for row in rows]


async def insert_copy(
    database: Database, catalogue: Connection, table: str, owner_id: int, *, setting: str | None
) -> None:
    """Insert a row of an owner once more: whatever else is wrong with it, the policy comes first."""
    row = await catalogue.fetchrow(f"SELECT * FROM {table} WHERE owner_id = $1 LIMIT 1", owner_id)
    assert row is not None
    async with database.system() as connection:
        await apply(connection, setting)
        columns = {name: value for name, value in row.items() if name != "xid"}
        await connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)})"
            f" VALUES ({', '.join(f'${place}' for place in range(1, len(columns) + 1))})",
            *columns.values(),
        )


async def a_conversation(database: Database, tenant: Tenant) -> asyncpg.Record:
    async with database.owner(tenant.owner_id) as connection:
        row = await connection.fetchrow("SELECT * FROM conversations LIMIT 1")
    assert row is not None
    return row


async def definer_functions(catalogue: Connection) -> list[asyncpg.Record]:
    return await catalogue.fetch(
        """
        SELECT proname, proowner::regrole::text AS belongs_to, proconfig,
               EXISTS (SELECT FROM aclexplode(COALESCE(proacl, acldefault('f', proowner))) AS granted
                       WHERE granted.grantee = 0) AS is_for_everybody,
               has_function_privilege('owner_app', oid, 'EXECUTE') AS is_for_application
        FROM pg_proc WHERE prosecdef AND pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        """
    )
