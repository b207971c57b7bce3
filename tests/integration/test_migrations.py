"""The schema goes up, comes down without a trace and goes up again, as a role that is no superuser."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from databases import ask, new_database, url_of
from factories import make_inbound, make_tenant, some_number
from fakes import FakeGateway
from owner import bootstrap
from owner.db import migrate
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer, bin_dir
from owner.db.embedded_account import Account
from owner.db.revisions import VERSIONS, head_revision, known_revisions
from owner.models.conversation_query import ConversationQuery
from owner.models.errors import DatabaseUnavailable, InvalidInput, SchemaOutdated
from owner.services.clock import SteadyClock
from owner.services.secrets_box import FernetBox, new_secret_key
from owner.settings import Settings

SEEDS_INDEXES = {
    "idx_conversations_owner_conv": ("conversations", "(owner_id, conv_id)"),
    "idx_messages_conv_ts": ("messages", "(owner_id, conv_id, seq)"),
    "idx_conversations_expires": ("conversations", "(expires_at)"),
    "idx_conversations_updated": ("conversations", "(idle_at)"),
}
OTHER_SERVERS: list[Path | None] = [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]
WHAT_IS_THERE = """
SELECT 'relation ' || oid::regclass FROM pg_class WHERE relnamespace = ANY (ARRAY['public', 'jobs']::regnamespace[])
UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'type ' || oid::regtype FROM pg_type WHERE typnamespace = 'public'::regnamespace
"""
# Five owners with 2,000 conversations of four messages each; one in a hundred conversations is open.
MANY_ROWS = """
INSERT INTO owners (owner_id, name, email) SELECT o, 'acme', o || '@example.com' FROM generate_series(1, 5) AS o;
INSERT INTO twilio_accounts (owner_id, twilio_account_id, account_sid, auth_token_encrypted, webhook_key)
    SELECT o, 1, 'AC' || o, '', o FROM generate_series(1, 5) AS o;
INSERT INTO contacts (owner_id, contact_id) SELECT o, c FROM generate_series(1, 5) AS o, generate_series(1, 500) AS c;
INSERT INTO conversations (owner_id, conv_id, status, channel, contact_id, customer_address, our_address,
    twilio_account_id, started_at, last_activity_at, expires_at, idle_at, idle_after, reopen_grace, closed_at)
    SELECT o, o * 10000 + c, CASE WHEN c % 100 = 0 THEN 'PROGRESS' ELSE 'EXPIRED' END, 'SMS', 1 + c % 500, '+55' || c, '+1',
        1, now(), now(), now() + '1 day', CASE WHEN c % 100 = 0 THEN now() + '1 hour'::interval END, '1 hour', '10 min',
        CASE WHEN c % 100 > 0 THEN now() END
    FROM generate_series(1, 5) AS o, generate_series(1, 2000) AS c;
INSERT INTO messages (owner_id, msg_id, conv_id, seq, direction, message_owner, message_type, content, provider_sid,
    delivery_status)
    SELECT owner_id, conv_id * 10 + seq, conv_id, seq, 'OUTBOUND', 'AGENT', 'TEXT', 'Oi', 'SM' || conv_id * 10 + seq, 'SENT'
    FROM conversations, generate_series(1, 4) AS seq;
INSERT INTO media (owner_id, msg_id, position, provider_url, content_type, status)
    SELECT owner_id, msg_id, 0, 'https://', 'image/png', 'STORED' FROM messages;
ANALYZE
"""
DEFAULT_ROWS = "SELECT count(*) FROM events_default"


@dataclass
class Fresh:
    """An empty database and what migrates it."""

    server: EmbeddedServer
    name: str

    @property
    def admin(self) -> str:
        return url_of(self.server, self.name, "owner_admin")

    @property
    def superuser(self) -> str:
        return url_of(self.server, self.name, "postgres")

    def up(self, revision: str = "head") -> str:
        return migrate.upgrade(self.admin, application_role="owner_service", revision=revision)

    def down(self, revision: str) -> str:
        return migrate.downgrade(self.admin, revision=revision)

    def schema(self) -> str:
        """Everything but the rows, as pg_dump writes it; its random line is left out."""
        dumped = subprocess.run(
            [bin_dir() / "pg_dump", "--schema-only", self.superuser],
            check=True,
            capture_output=True,
            text=True,
        )
        return re.sub(r"^\\(un)?restrict .*$", "", dumped.stdout, flags=re.MULTILINE)


@pytest.fixture
def fresh(server: EmbeddedServer, worker_id: str) -> Iterator[Fresh]:
    with new_database(server, f"fresh_{worker_id}") as name:
        yield Fresh(server, name)


def test_up_down_and_up_again_ends_where_it_began(fresh: Fresh) -> None:
    assert fresh.up() == head_revision()
    schema = fresh.schema()

    assert fresh.down("base") == "base"
    left = {what for (what,) in ask(fresh.superuser, WHAT_IS_THERE.replace(", 'jobs'", ""))}
    assert left == {"relation alembic_version", "relation alembic_version_pkc"} | {
        what for what in left if what.startswith("type alembic_version")
    }
    assert ask(fresh.superuser, "SELECT to_regnamespace('jobs')") == [(None,)]

    assert fresh.up() == head_revision()
    assert fresh.schema() == schema


def test_each_step_down_and_up_again_ends_where_it_began(fresh: Fresh) -> None:
    schemas = {}
    for revision in known_revisions():
        assert fresh.up(revision) == revision
        schemas[revision] = fresh.schema()

    for before, revision in reversed(list(pairwise(known_revisions()))):
        assert fresh.down("-1") == before
        assert fresh.schema() == schemas[before]
        assert fresh.up(revision) == revision
        assert fresh.schema() == schemas[revision]
        assert fresh.down(before) == before


def test_it_takes_no_superuser(fresh: Fresh) -> None:
    powers = "SELECT rolsuper, rolbypassrls, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = current_user"

    assert ask(fresh.admin, powers) == [(False, False, False, False)]
    assert fresh.up() == head_revision()


def test_down_works_with_rows_in_the_tables(fresh: Fresh) -> None:
    fresh.up()
    ask(fresh.admin, "INSERT INTO owners (name, email) VALUES ('acme', 'ana@example.com')")
    ask(fresh.admin, "INSERT INTO events (owner_id, type, actor_kind) VALUES (1, 'owner.created', 'SYSTEM')")

    assert fresh.down("base") == "base"
    assert fresh.up() == head_revision()


def test_migrations_at_the_same_time_wait_for_each_other(fresh: Fresh) -> None:
    assert migrate_at_once([fresh.admin] * 3) == [head_revision()] * 3


def test_a_migration_that_finds_nothing_to_do_changes_nothing(fresh: Fresh) -> None:
    fresh.up()
    schema = fresh.schema()

    assert fresh.up() == head_revision()
    assert fresh.schema() == schema


def test_every_revision_is_plain_sql_that_waits_five_seconds_for_a_lock_at_most() -> None:
    ups = sorted(VERSIONS.glob("*.up.sql"))

    assert [path.name.removesuffix(".up.sql") for path in ups] == sorted(
        path.stem for path in VERSIONS.glob("[0-9]*.py")
    )
    for path in ups:
        assert path.read_text().startswith("SET LOCAL lock_timeout = '5s';\n"), path.name
        assert path.with_name(path.name.replace(".up.", ".down.")).exists()


def test_a_failed_migration_changes_nothing_and_says_why_in_one_sentence(fresh: Fresh) -> None:
    ask(fresh.admin, "CREATE TABLE media (note text)")

    with pytest.raises(SchemaOutdated) as problem:
        fresh.up()

    assert problem.value.message.startswith('The migration failed: relation "media" already exists')
    assert problem.value.message.endswith("Mend that and run `owner migrate` again.")
    assert {what for (what,) in ask(fresh.superuser, WHAT_IS_THERE.replace(", 'jobs'", ""))} == {
        "relation media",
        "type media",
        "type media[]",
    }


def test_a_table_that_is_in_use_is_waited_for_and_then_named_as_locked(fresh: Fresh) -> None:
    fresh.up("0004")
    fresh.down("0003")
    with psycopg.connect(fresh.superuser) as busy:
        busy.execute("LOCK TABLE owners")

        with pytest.raises(SchemaOutdated, match="canceling statement due to lock timeout"):
            fresh.up("0004")


def test_an_unknown_revision_names_the_known_ones(fresh: Fresh) -> None:
    with pytest.raises(InvalidInput) as problem:
        fresh.up("9999")

    assert problem.value.message == (
        f"There is no revision 9999; there are {', '.join(known_revisions())} and head."
    )
    with pytest.raises(InvalidInput, match=r"There is no revision head; .* and -1, base\."):
        fresh.down("head")


def test_down_from_nothing_is_one_sentence(fresh: Fresh) -> None:
    with pytest.raises(InvalidInput, match="There is no way to that revision"):
        fresh.down("-1")


def test_a_database_of_a_newer_program_is_one_sentence(fresh: Fresh) -> None:
    fresh.up()
    ask(fresh.admin, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(InvalidInput, match=r"There is no way to that revision: Can't locate .* '9999'"):
        fresh.up()


def test_a_role_that_does_not_exist_can_not_be_let_in(fresh: Fresh) -> None:
    with pytest.raises(SchemaOutdated, match='The migration failed: role "nobody_here" does not exist'):
        migrate.upgrade(fresh.admin, application_role="nobody_here")


def test_a_database_that_can_not_be_reached_is_one_sentence(fresh: Fresh) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"^The database can't be reached: [^\n]+\.$"):
        migrate.upgrade("postgresql://owner_admin@127.0.0.1:1/owner", application_role="owner_service")
    with pytest.raises(DatabaseUnavailable, match="The database can't be reached"):
        migrate.upgrade("nonsense", application_role="owner_service")
    with pytest.raises(InvalidInput, match="no database URL"):
        migrate.role_of("nonsense")


def test_the_seeds_indexes_have_their_names_and_columns(server: EmbeddedServer, database_name: str) -> None:
    found = ask(
        url_of(server, database_name, "postgres"),
        "SELECT indexname, tablename, indexdef FROM pg_indexes WHERE indexname = ANY (%s)",
        list(SEEDS_INDEXES),
    )

    assert {name for name, _, _ in found} == set(SEEDS_INDEXES)
    for name, table, definition in found:
        assert (table, SEEDS_INDEXES[name][1] in definition) == (SEEDS_INDEXES[name][0], True), definition


def test_the_wide_roles_sign_in_nowhere_and_the_applications_group_has_the_service_only(
    server: EmbeddedServer, database_name: str
) -> None:
    url = url_of(server, database_name, "postgres")

    roles = ask(
        url,
        "SELECT rolname, rolcanlogin, rolsuper, rolbypassrls FROM pg_roles"
        " WHERE rolname IN ('owner_app', 'owner_directory', 'owner_platform', 'owner_search') ORDER BY 1",
    )
    assert roles == [
        (name, False, False, False)
        for name in ("owner_app", "owner_directory", "owner_platform", "owner_search")
    ]
    assert ask(url, "SELECT pg_has_role('owner_service', 'owner_app', 'USAGE')") == [(True,)]
    assert ask(
        url,
        "SELECT bool_or(pg_has_role('owner_service', wide, 'MEMBER'))"
        " FROM unnest(ARRAY['owner_admin', 'owner_directory', 'owner_platform', 'owner_search']) AS wide",
    ) == [(False,)]


def test_partitions_of_this_and_the_next_months_are_there_and_made_once(fresh: Fresh) -> None:
    fresh.up()

    for table in ("events", "inbound_quarantine"):
        assert len(partitions(fresh, table)) == 5  # this month, three more, the default
    ask(fresh.admin, "SELECT make_partitions_ahead(5)")
    ask(fresh.admin, "SELECT make_partitions_ahead(5)")
    for table in ("events", "inbound_quarantine"):
        assert len(partitions(fresh, table)) == 7


def test_the_application_makes_partitions_that_are_as_closed_as_the_first(fresh: Fresh) -> None:
    fresh.up()

    ask(url_of(fresh.server, fresh.name), "SELECT make_partitions_ahead(6)")

    closed = ask(
        fresh.superuser,
        """
        SELECT count(*), bool_and(relrowsecurity AND relforcerowsecurity), bool_and(relowner = 'owner_admin'::regrole)
        FROM pg_class WHERE relispartition AND relkind = 'r'
        """,
    )
    [(parents,)] = ask(fresh.superuser, "SELECT count(*) FROM pg_class WHERE relkind = 'p'")
    assert closed == [(parents * 8, True, True)]


def test_an_event_of_a_far_month_finds_a_place_and_moves_when_its_partition_is_made(fresh: Fresh) -> None:
    fresh.up()
    event = "INSERT INTO events (owner_id, type, actor_kind, created_at) VALUES (1, 'far', 'SYSTEM', now() + %s::interval)"
    for after in ("5 months", "5 months", "50 months"):
        ask(fresh.admin, event, after)
    assert ask(fresh.admin, DEFAULT_ROWS) == [(3,)]

    ask(fresh.admin, "SELECT make_partitions_ahead(6)")

    assert ask(fresh.admin, DEFAULT_ROWS) == [(1,)]
    assert ask(fresh.admin, "SELECT count(*), count(DISTINCT event_id) FROM events WHERE type = 'far'") == [
        (3, 3)
    ]
    ask(fresh.admin, event, "5 months")
    assert ask(fresh.admin, DEFAULT_ROWS) == [(1,)]


def test_an_event_of_the_past_finds_a_place(fresh: Fresh) -> None:
    fresh.up()

    ask(
        fresh.admin,
        "INSERT INTO events (owner_id, type, actor_kind, created_at) VALUES (1, 'old', 'SYSTEM', '2020-02-29')",
    )

    assert ask(fresh.admin, DEFAULT_ROWS) == [(1,)]


@pytest.fixture(scope="module")
def grown(server: EmbeddedServer, template: str, worker_id: str) -> Iterator[str]:
    """The superuser's URL of a database with enough rows for Postgres to care."""
    with new_database(server, f"grown_{worker_id}", template=template) as name:
        ask(url_of(server, name, "postgres"), MANY_ROWS)
        yield url_of(server, name, "postgres")


@pytest.mark.parametrize(
    ("function", "indexes"),
    [
        ("directory_due_conversations", {"idx_conversations_expires", "idx_conversations_updated"}),
        ("directory_unsent_conversations", {"idx_messages_unsent"}),
        ("directory_pending_media", {"idx_media_pending"}),
    ],
)
def test_the_sweeps_read_their_indexes(grown: str, function: str, indexes: set[str]) -> None:
    [(body,)] = ask(grown, "SELECT prosrc FROM pg_proc WHERE proname = %s", function)
    statement = body.replace("moment", "now()").replace("at_most", "100")

    plan = explain(grown, statement, role="owner_directory")

    assert set(re.findall(r"Scan (?:Backward )?using (\w+)", plan)) == indexes, plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (
            "SELECT * FROM messages WHERE conv_id = 10001 AND seq > 5 ORDER BY seq LIMIT 51",
            "idx_messages_conv_ts",
        ),
        ("SELECT * FROM conversations WHERE conv_id = 10001", "idx_conversations_owner_conv"),
        (
            "SELECT * FROM conversations WHERE conv_id < 10900 ORDER BY conv_id DESC LIMIT 51",
            "idx_conversations_owner_conv",
        ),
        (
            "SELECT * FROM conversations WHERE channel = 'SMS' AND customer_address = '+551'"  # noqa: ISC004 - a pair
            " AND our_address = '+1' AND status IN ('PENDING', 'PROGRESS')",
            "idx_conversations_one_open",
        ),
        ("SELECT msg_id FROM messages WHERE provider_sid = 'SM100011'", "messages_one_per_sid"),
    ],
)
def test_lists_and_look_ups_reach_their_indexes_under_row_level_security(
    grown: str, statement: str, index: str
) -> None:
    plan = explain(grown, statement, role="owner_app")

    assert f"using {index}" in plan, plan
    assert re.search(r"Index Cond: \(+owner_id = \(?.*InitPlan", plan), plan
    assert "Sort" not in plan


@pytest.fixture(
    scope="module",
    params=OTHER_SERVERS or [None],
    ids=lambda path: path.parts[-3] if path else "none",
)
def other_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The superuser's URL of a Postgres of another version that was never migrated."""
    if request.param is None:
        pytest.skip("there is no other Postgres below /usr/lib/postgresql")
    with running_elsewhere(request.param.parent) as url:
        yield url


async def test_the_main_job_works_on_another_postgres(other_server: str, tmp_path: Path) -> None:
    ask(other_server, "CREATE ROLE owner_admin LOGIN CREATEROLE")
    ask(other_server, "CREATE ROLE owner_service LOGIN")
    names = ["first", "second"]
    with psycopg.connect(other_server, autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name} OWNER owner_admin".encode())
    [admins, services_urls] = [
        [other_server.replace("postgres@/postgres", f"{role}@/{name}") for name in names]
        for role in ("owner_admin", "owner_service")
    ]

    # The roles belong to both databases; neither migration minds the other.
    assert migrate_at_once(admins) == [head_revision()] * 2
    assert migrate.downgrade(admins[0], revision="base") == "base"
    assert migrate.upgrade(admins[0], application_role="owner_service") == head_revision()

    database = await Database.connect(services_urls[0])
    await database.refuse_unsafe_role()
    await database.refuse_other_schema()
    services = bootstrap.wire(
        Settings(home=tmp_path), database, FakeGateway(), FernetBox([new_secret_key()]), SteadyClock()
    )
    acme, globex = await make_tenant(services, "acme"), await make_tenant(services, "globex")
    inbound = make_inbound(acme, "Oi", customer=some_number())
    await services.inbound.receive(
        inbound, owner=acme.owner, twilio_account_id=acme.account.twilio_account_id
    )
    await services.housekeeping.tidy()
    assert (
        len((await services.conversations.list_page(acme.owner_id, ConversationQuery(limit=10))).items) == 1
    )
    assert (await services.conversations.list_page(globex.owner_id, ConversationQuery(limit=10))).items == []
    await database.close()


def migrate_at_once(admins: list[str]) -> list[str]:
    """The revisions that several processes report; Alembic itself is no matter of threads."""
    program = "import sys; from owner.db.migrate import upgrade; print(upgrade(sys.argv[1], application_role='owner_service'))"
    running = [
        subprocess.Popen([sys.executable, "-c", program, admin], stdout=subprocess.PIPE, text=True)
        for admin in admins
    ]
    return [process.communicate(timeout=60)[0].strip() for process in running]


def test_events_that_a_dump_brought_from_another_server_are_read_on(fresh: Fresh) -> None:
    fresh.up()
    ask(fresh.superuser, "INSERT INTO owners (owner_id, name, email) VALUES (1, 'acme', 'ana@example.com')")
    for event_id, xid in ((1, 9_000_000_007), (2, 9_000_000_005), (3, 9_000_000_009)):
        ask(
            fresh.superuser,
            "INSERT INTO events (owner_id, event_id, xid, type, actor_kind) VALUES (1, %s, %s::text::xid8, 'x', 'SYSTEM')",
            event_id,
            xid,
        )
    for reader, xid, event_id in (("done", 9_000_000_009, 3), ("behind", 9_000_000_005, 2)):
        ask(
            fresh.superuser,
            "INSERT INTO event_cursors (owner_id, reader, xid, event_id) VALUES (1, %s, %s::text::xid8, %s)",
            reader,
            xid,
            event_id,
        )

    fresh.up()
    after_once = restored(fresh)
    ask(fresh.superuser, "INSERT INTO events (owner_id, type, actor_kind) VALUES (1, 'new', 'SYSTEM')")
    fresh.up()

    assert after_once == (["1"] * 3, [("behind", "1", 0), ("done", "1", 3)])
    xids, cursors = restored(fresh)
    assert (xids[:3], cursors) == after_once
    assert int(xids[3]) > 1


def restored(fresh: Fresh) -> tuple[list[str], list[tuple[str, str, int]]]:
    """The events' transaction numbers, and how far their readers are."""
    events = ask(fresh.superuser, "SELECT xid::text FROM events ORDER BY xid, event_id")
    cursors = ask(fresh.superuser, "SELECT reader, xid::text, event_id FROM event_cursors ORDER BY 1")
    return [xid for (xid,) in events], [(reader, xid, event_id) for reader, xid, event_id in cursors]


@contextmanager
def running_elsewhere(binaries: Path) -> Iterator[str]:
    account = Account.for_data(None)
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    data = folder / "data"
    try:
        account.give(folder)
        if not account.run(
            binaries / "initdb",
            f"--pgdata={data}",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-sync",
        ):
            pytest.skip(f"{binaries}/initdb does not work here")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        assert account.run(
            binaries / "pg_ctl", "start", "--wait", "--silent", f"--pgdata={data}", f"--options={options}"
        )
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        account.run(binaries / "pg_ctl", "stop", "--mode=immediate", "--silent", f"--pgdata={data}")
        shutil.rmtree(folder, ignore_errors=True)


def partitions(fresh: Fresh, table: str) -> list[str]:
    return [
        name
        for (name,) in ask(
            fresh.superuser,
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
            table,
        )
    ]


def explain(url: str, statement: str, *, role: str) -> str:
    with psycopg.connect(url) as connection:
        connection.execute(f"SET LOCAL ROLE {role}".encode())
        connection.execute("SET LOCAL app.owner_id = '1'")
        return "\n".join(line for (line,) in connection.execute(f"EXPLAIN {statement}".encode()))
