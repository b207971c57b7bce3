"""A tenant as a file: all of it goes out, comes in again as it was or not at all, and leaves nothing behind."""

import io
import json
import re
import tracemalloc
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from databases import url_of
from factories import Tenant, make_inbound, make_tenant, some_number
from fakes import FakeGateway
from owner.db.database import Connection
from owner.db.embedded import EmbeddedServer
from owner.models.enums import ActorKind, MessageOwner
from owner.models.errors import AlreadyExists, BrokenTransferFile, OwnerError, OwnerNotFound
from owner.models.event import BEGINNING, Actor
from owner.models.message import Attachment, MessageCreate
from owner.models.quarantine import QuarantineCreate, QuarantineReason
from owner.models.transfer import EMPTIED, REPLACED, SECRET_ROWS, Transferred
from owner.repositories.quarantine import QuarantineRepository
from owner.repositories.tenant_tables import TenantTableRepository, in_order
from owner.services.catalog import Services
from owner.services.ports import FetchedMedia
from owner.services.tenant_erasure import TenantErasureService
from reading import messages_of, rows, settled

PERSON = Actor(ActorKind.USER)
PICTURE = bytes(range(256)) * 6000  # more than one line holds
URL = "https://api.twilio.com/media/1"


@pytest.fixture
async def catalogue(server: EmbeddedServer, database_name: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url_of(server, database_name, "postgres"))
    yield connection
    await connection.close()


async def receive(services: Services, tenant: Tenant, customer: str, content: str = "Oi", **more: Any) -> int:
    receipt = await services.inbound.receive(
        make_inbound(tenant, content, customer=customer, **more),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.conv_id


@pytest.fixture
async def lively(services: Services, acme: Tenant, gateway: FakeGateway) -> Tenant:
    """A tenant with conversations, a file, facts, a closing and what waits to be sent."""
    customer = some_number()
    gateway.media[URL] = FetchedMedia(PICTURE, "image/png")
    await receive(
        services,
        acme,
        customer,
        'Olá "\\ \n é 🙏',
        attachments=[Attachment(url=URL, content_type="image/png")],
    )
    [media] = await rows(services, acme, "SELECT media_id FROM media")
    await services.media.fetch(acme.owner_id, media["media_id"])
    conv_id = await receive(services, acme, some_number())
    await services.messages.send(acme.owner_id, conv_id, MessageCreate(content="Olá"), by=PERSON)
    await services.deliveries.deliver(acme.owner_id, conv_id)
    ended = await receive(services, acme, customer, "Pode encerrar, obrigado!")
    await rows(
        services,
        acme,
        "UPDATE conversations SET context = context || $2 WHERE conv_id = $1 RETURNING 1",
        ended,
        {"order": 12345678901234567890123, "price": 1.10, "note": None},
    )
    await services.messages.send(acme.owner_id, conv_id, MessageCreate(content="Espere"), by=PERSON)
    await settled(services.database)
    await services.event_feed.advance(acme.owner_id)
    return acme


async def export(services: Services, tenant: Tenant, **options: Any) -> bytes:
    out = io.BytesIO()
    await services.tenant_export.export(tenant.owner_id, out.write, told=lambda _rows: None, **options)
    return out.getvalue()


async def load(services: Services, file: bytes, **options: Any) -> Transferred:
    return await services.tenant_import.load(io.BytesIO(file), **options)


async def erase(services: Services, owner_id: int) -> None:
    await services.tenant_erasure.erase(owner_id, told=lambda _rows: None)


async def everything(catalogue: Connection, owner_id: int) -> dict[str, list[str]]:
    """Every row of an owner in every table that has owners, but for what an import decides itself."""
    tables = await catalogue.fetch(
        "SELECT attrelid::regclass::text AS name FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE attname = 'owner_id' AND relkind IN ('r', 'p') AND NOT relispartition"
    )
    found = {}
    for table in tables:
        name = table["name"]
        kept = await catalogue.fetch(
            f"SELECT (to_jsonb(kept) - 'xid' - CASE WHEN $2 THEN 'event_id' ELSE '' END)::text AS row"
            f" FROM {name} AS kept WHERE owner_id = $1 ORDER BY 1",
            owner_id,
            name == "event_cursors",
        )
        found[name] = [row["row"] for row in kept]
    return found


def files_of(folder: Path, tenant: Tenant) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.parent.name == str(tenant.owner_id)]


def lines_of(file: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.splitlines()]


async def test_what_was_exported_and_erased_comes_back_as_it_was(
    services: Services, catalogue: Connection, lively: Tenant
) -> None:
    before = await everything(catalogue, lively.owner_id)
    file = await export(services, lively)
    await erase(services, lively.owner_id)

    done = await load(services, file)

    after = await everything(catalogue, lively.owner_id)
    assert after == before
    assert (done.owner_id, done.files, done.left_out) == (lively.owner_id, 1, {})
    assert done.total == sum(len(rows) for rows in before.values())
    [media] = await rows(services, lively, "SELECT media_id FROM media")
    assert (await services.media.open(lively.owner_id, media["media_id"])).content == PICTURE


async def test_what_came_back_goes_on(services: Services, lively: Tenant, gateway: FakeGateway) -> None:
    file = await export(services, lively)
    await erase(services, lively.owner_id)
    await load(services, file)
    [waiting] = await rows(
        services,
        lively,
        "SELECT conv_id FROM messages WHERE delivery_status = 'QUEUED' AND provider_sid IS NULL",
    )
    known = {row["conv_id"] for row in await rows(services, lively, "SELECT conv_id FROM conversations")}

    await services.deliveries.deliver(lively.owner_id, waiting["conv_id"])
    conv_id = await receive(services, lively, some_number(), "Bom dia")
    await services.messages.send(lively.owner_id, conv_id, MessageCreate(content="Bom dia!"), by=PERSON)
    principal = await services.access.authenticate(lively.api_key)

    assert gateway.taken[-1][0].body == "Espere"
    assert conv_id not in known
    assert [message.seq for message in await messages_of(services, lively, conv_id)] == [1, 2]
    assert principal.owner_id == lively.owner_id


async def test_readers_of_the_feed_go_on_where_they_were(
    services: Services, lively: Tenant, catalogue: Connection
) -> None:
    await rows(services, lively, "DELETE FROM fact_days WHERE true RETURNING 1")
    file = await export(services, lively)
    await erase(services, lively.owner_id)
    await load(services, file)

    conv_id = await receive(services, lively, some_number())
    await settled(services.database)
    await services.event_feed.advance(lively.owner_id)

    counted = await rows(
        services, lively, "SELECT sum(count)::int AS count FROM fact_days WHERE kind = 'OPENED'"
    )
    facts = await rows(services, lively, "SELECT conv_id FROM facts WHERE kind = 'OPENED'")
    assert counted == [{"count": 1}]  # the new one: what was read before is not read again
    assert conv_id in {row["conv_id"] for row in facts}


async def test_a_reader_that_had_read_nothing_reads_all_of_it(services: Services, lively: Tenant) -> None:
    await rows(
        services,
        lively,
        "UPDATE event_cursors SET xid = $1, event_id = $2 WHERE reader = 'facts' RETURNING 1",
        BEGINNING.xid,
        BEGINNING.event_id,
    )
    before = await rows(services, lively, "SELECT * FROM facts ORDER BY event_id, kind")
    await rows(services, lively, "DELETE FROM facts RETURNING 1")
    file = await export(services, lively)
    await erase(services, lively.owner_id)
    await load(services, file)

    await settled(services.database)
    await services.event_feed.advance(lively.owner_id)

    assert await rows(services, lively, "SELECT * FROM facts ORDER BY event_id, kind") == before


async def test_erasing_leaves_nothing_anywhere(
    services: Services, catalogue: Connection, lively: Tenant, globex: Tenant, tmp_path: Path
) -> None:
    async with services.database.system() as connection:
        await QuarantineRepository(connection).add(
            QuarantineCreate(
                owner_id=lively.owner_id,
                reason=QuarantineReason.BAD_SIGNATURE,
                path="/webhooks/twilio/inbound",
                params=[("Body", "Oi")],
                signature=None,
            ),
            per_hour=100_000,
        )
    theirs = await everything(catalogue, globex.owner_id)

    await erase(services, lively.owner_id)

    left = await everything(catalogue, lively.owner_id)
    jobs = await catalogue.fetch("SELECT convert_from(payload, 'UTF8') AS payload FROM jobs.pgqueuer")
    assert {name: found for name, found in left.items() if found} == {}
    assert [job for job in jobs if json.loads(job["payload"]).get("owner_id") == lively.owner_id] == []
    assert files_of(tmp_path, lively) == []
    assert await everything(catalogue, globex.owner_id) == theirs
    with pytest.raises(OwnerNotFound):
        await erase(services, lively.owner_id)


async def test_an_erasure_that_was_cut_off_is_finished_by_the_next(
    services: Services, catalogue: Connection, lively: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut_off(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(TenantErasureService, "_erase_beside", cut_off)
        with pytest.raises(ConnectionResetError):
            await erase(services, lively.owner_id)
    assert any((await everything(catalogue, lively.owner_id)).values())

    await erase(services, lively.owner_id)

    assert not any((await everything(catalogue, lively.owner_id)).values())


async def test_counting_says_what_an_erasure_would_remove_and_removes_nothing(
    services: Services, catalogue: Connection, lively: Tenant
) -> None:
    before = await everything(catalogue, lively.owner_id)

    inventory = await services.tenant_export.count(lively.owner_id)

    assert {name: count for name, count in inventory.rows.items() if count} == {
        name: len(found) for name, found in before.items() if found
    }
    assert inventory.other["jobs"] > 0
    assert await everything(catalogue, lively.owner_id) == before


async def test_every_tenant_table_is_taken_along_after_those_that_it_refers_to(
    services: Services, catalogue: Connection, lively: Tenant
) -> None:
    with_owners = await catalogue.fetch(
        "SELECT attrelid::regclass::text AS name FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE attname = 'owner_id' AND relkind IN ('r', 'p') AND NOT relispartition"
        " AND relnamespace = 'public'::regnamespace AND relname <> 'inbound_quarantine'"
    )
    async with services.database.owner(lively.owner_id) as connection:
        tables = await TenantTableRepository(connection).tables()

    names = [table.name for table in tables]
    [trailer] = [line for line in lines_of(await export(services, lively)) if "end" in line]
    assert sorted(names) == sorted(row["name"] for row in with_owners)
    assert set(trailer["rows"]) == set(names)
    assert names[0] == "owners"
    assert all(names.index(other) < names.index(table.name) for table in tables for other in table.refers_to)
    with pytest.raises(ValueError, match="in a circle"):
        in_order(tables[1:])


async def test_every_column_with_a_secret_is_known_as_one(catalogue: Connection) -> None:
    columns = await catalogue.fetch(
        """
        SELECT table_name, column_name FROM information_schema.columns
        JOIN pg_policy ON polrelid = ('public.' || table_name)::regclass AND polname = 'tenant'
        WHERE table_schema = 'public' AND column_name ~ '(_encrypted|token_hash|key_hash|code_hash|password_hash)$'
        """
    )

    unknown = [
        (table, column)
        for table, column in columns
        if table not in SECRET_ROWS and column not in EMPTIED.get(table, ()) and column != REPLACED.get(table)
    ]
    assert unknown == []
    assert len(columns) >= 4


async def test_without_secrets_no_secret_is_in_the_file_and_a_person_has_to_let_everybody_in_again(
    services: Services, lively: Tenant, catalogue: Connection
) -> None:
    [person] = await rows(services, lively, "SELECT password_hash FROM users")
    [account] = await rows(services, lively, "SELECT auth_token_encrypted FROM twilio_accounts")

    file = await export(services, lively, secrets=False)
    await erase(services, lively.owner_id)
    await load(services, file)

    assert person["password_hash"].encode() not in file
    assert account["auth_token_encrypted"].hex().encode() not in file
    assert not any(line.get("table") in SECRET_ROWS for line in lines_of(file))
    with pytest.raises(OwnerError):
        await services.access.authenticate(lively.api_key)
    [found] = await services.twilio.find_by_sid(lively.account.account_sid, fresh=True)
    assert found.account.owner_id == lively.owner_id
    assert services.twilio.credentials(found.account).auth_token != lively.auth_token


async def test_without_media_the_file_holds_no_bytes_of_files(services: Services, lively: Tenant) -> None:
    file = await export(services, lively, media=False)

    assert not any("media" in line for line in lines_of(file))
    assert len(file) < len(PICTURE)


async def test_a_copy_lives_beside_the_original_and_keeps_quiet(
    services: Services, lively: Tenant, catalogue: Connection, gateway: FakeGateway
) -> None:
    original = await everything(catalogue, lively.owner_id)
    file = await export(services, lively)

    done = await load(services, file, as_new=True, email="copy-of-acme@example.com")

    assert done.owner_id != lively.owner_id
    assert done.left_out == {"api_keys": 1, "channel_addresses": 2}
    assert await everything(catalogue, lively.owner_id) == original
    copied = await everything(catalogue, done.owner_id)
    same = {"contacts", "contact_addresses", "conversations", "events", "facts", "fact_days", "media"}
    for name in same:
        assert [row.replace(f'"owner_id": {done.owner_id}', "") for row in copied[name]] == [
            row.replace(f'"owner_id": {lively.owner_id}', "") for row in original[name]
        ]
    [waiting] = await catalogue.fetch(
        "SELECT delivery_status FROM messages WHERE owner_id = $1 AND direction = 'OUTBOUND' AND provider_sid IS NULL",
        done.owner_id,
    )
    assert waiting["delivery_status"] == "CANCELED"
    tokens = await services.twilio.find_by_sid(lively.account.account_sid, fresh=True)
    assert {
        account.account.owner_id: services.twilio.credentials(account.account).auth_token == lively.auth_token
        for account in tokens
    } == {lively.owner_id: True, done.owner_id: False}
    await erase(services, done.owner_id)
    assert await everything(catalogue, lively.owner_id) == original


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, r"There is an owner \d+ already: erase it first, or import with --as-new\."),
        (
            {"as_new": True},
            r"The e-mail acme-\w+@example\.com is another owner's: give another one with --email\.",
        ),
    ],
)
async def test_what_another_owner_has_is_named(
    services: Services, lively: Tenant, catalogue: Connection, options: dict[str, Any], sentence: str
) -> None:
    before = await everything(catalogue, lively.owner_id)
    file = await export(services, lively)

    with pytest.raises(AlreadyExists, match=sentence):
        await load(services, file, **options)

    assert await everything(catalogue, lively.owner_id) == before


async def test_a_number_that_another_owner_has_meanwhile_is_named_and_nothing_is_imported(
    services: Services, lively: Tenant, globex: Tenant, catalogue: Connection, tmp_path: Path
) -> None:
    file = await export(services, lively)
    await erase(services, lively.owner_id)
    await rows(
        services,
        globex,
        "UPDATE channel_addresses SET address = $1 WHERE channel = 'SMS' RETURNING 1",
        lively.sms,
    )

    with pytest.raises(AlreadyExists, match=re.escape(f"SMS {lively.sms} is connected to another owner")):
        await load(services, file)

    assert not any((await everything(catalogue, lively.owner_id)).values())


def replace_line(number: int, change: Callable[[bytes], bytes]) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [*lines[: number - 1], change(lines[number - 1]), *lines[number:]]


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda lines: [b"", *lines], "Line 1: this is no file"),
        (lambda lines: [], "Line 1: this is no file"),
        (replace_line(1, lambda line: line.replace(b'"version":1', b'"version":2')), "format version 2"),
        (
            replace_line(1, lambda line: line.replace(b'"schema_revision":"00', b'"schema_revision":"99')),
            "revision 99",
        ),
        (replace_line(2, lambda line: line[:-20]), "Line 2: it is no JSON"),
        (replace_line(3, lambda _line: b"[]"), "Line 3: it is no JSON object"),
        (replace_line(3, lambda _line: b'{"table":"wishes","row":{}}'), "Line 3: there is no table 'wishes'"),
        (replace_line(3, lambda _line: b'{"row":{}}'), 'Line 3: it needs a "table"'),
        (
            replace_line(2, lambda line: line.replace(b'"name"', b'"nom"')),
            "Line 2: owners has no column 'nom'",
        ),
        (
            replace_line(2, lambda line: line.replace(b'"name":"acme"', b'"name":null')),
            "Line 2: owners: null value",
        ),
        (
            replace_line(2, lambda line: line.replace(b"acme", b"ac\\u0000me")),
            "Line 2: owners: unsupported Unicode",
        ),
        (replace_line(2, lambda line: line.replace(b"acme", b"ac\xffme")), "Line 2: it is no JSON"),
        (
            replace_line(2, lambda line: re.sub(rb'"owner_id":\d+', b'"owner_id":7', line)),
            "another owner than the file",
        ),
        (replace_line(4, lambda line: re.sub(rb'_id":\d+', b'_id":9007199254740993', line)), "Line 4: "),
        (lambda lines: lines[:-1], "The file ends early, after line"),
        (lambda lines: [*lines, b'{"table":"users","row":{}}'], "something comes after the end"),
        (lambda lines: [line for line in lines if b'{"table":"contacts"' not in line], "Line "),
        (lambda lines: [line for line in lines if b'{"table":"facts"' not in line], "Lines are missing"),
        (lambda lines: [line for line in lines if b'"left":0' not in line], "is not complete"),
        (
            lambda lines: [line.replace(b'"base64":"AAEC', b'"base64":"BAEC') for line in lines],
            "is not the one",
        ),
        (lambda lines: [line.replace(b'"base64":"AA', b'"base64":"!!') for line in lines], "base64"),
    ],
)
async def test_a_file_that_is_not_whole_and_right_changes_nothing(
    services: Services,
    lively: Tenant,
    catalogue: Connection,
    tmp_path: Path,
    *,
    break_it: Callable[[list[bytes]], list[bytes]],
    sentence: str,
) -> None:
    file = await export(services, lively)
    await erase(services, lively.owner_id)
    broken = b"\n".join(break_it(file.splitlines())) + b"\n"
    assert broken != file

    with pytest.raises(BrokenTransferFile, match=sentence):
        await load(services, broken)

    assert not any((await everything(catalogue, lively.owner_id)).values())
    assert files_of(tmp_path, lively) == []


async def test_the_line_of_a_row_that_postgres_refuses_is_found_among_many(
    services: Services, acme: Tenant
) -> None:
    customer = some_number()
    for _ in range(30):
        await receive(services, acme, customer)
    file = await export(services, acme)
    await erase(services, acme.owner_id)
    lines = file.splitlines()
    number = next(n for n, line in enumerate(lines, 1) if b'"messages"' in line and b'"seq":17' in line)
    lines[number - 1] = lines[number - 1].replace(b'"INBOUND"', b'"SIDEWAYS"')

    with pytest.raises(BrokenTransferFile, match=f"Line {number}: messages: .*direction"):
        await load(services, b"\n".join(lines) + b"\n")


async def test_references_within_a_table_may_point_forward(services: Services, acme: Tenant) -> None:
    first, second = [await receive(services, acme, some_number()) for _ in range(2)]
    sql = "UPDATE conversations SET previous_conv_id = $2 WHERE conv_id = $1 RETURNING 1"
    await rows(services, acme, sql, first, second)
    file = await export(services, acme)
    await erase(services, acme.owner_id)

    await load(services, file)

    found = await rows(services, acme, "SELECT conv_id, previous_conv_id FROM conversations ORDER BY conv_id")
    assert [(row["conv_id"], row["previous_conv_id"]) for row in found] == [(first, second), (second, None)]


async def test_what_happens_during_an_export_is_not_in_it(services: Services, acme: Tenant) -> None:
    await receive(services, acme, some_number())
    out = io.BytesIO()
    customer = some_number()

    async def export_slowly() -> None:
        written = 0

        def told(count: int) -> None:
            nonlocal written
            written += count

        await services.tenant_export.export(acme.owner_id, out.write, told=told)

    async with services.database.owner(acme.owner_id) as connection:
        repository = TenantTableRepository(connection)
        await repository.read_only_snapshot()
        before = await repository.count("messages")
        await receive(services, acme, customer)
        assert await repository.count("messages") == before
    await export_slowly()
    assert sum(line.get("table") == "messages" for line in lines_of(out.getvalue())) == before + 1


async def test_ids_of_others_go_on_beyond_those_that_were_imported(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    await receive(services, acme, some_number())
    file = await export(services, acme)
    await erase(services, acme.owner_id)
    far = 5_000_000
    lines = [
        re.sub(
            rb'"(msg_id|conv_id|previous_conv_id)":(\d+)',
            lambda m: b'"%s":%d' % (m[1], int(m[2]) + far),
            line,
        )
        if b'"facts"' not in line
        else line
        for line in file.splitlines()
    ]
    await load(services, b"\n".join(lines) + b"\n")

    conv_id = await receive(services, globex, some_number())
    again = await receive(services, acme, some_number())

    assert far < conv_id < again


async def many_messages(services: Services, tenant: Tenant, count: int) -> None:
    conv_id = await receive(services, tenant, some_number())
    await rows(
        services,
        tenant,
        """
        INSERT INTO messages (owner_id, conv_id, seq, direction, message_owner, message_type, content, delivery_status,
                              created_at)
        SELECT $1, $2, seq, 'INBOUND', $4, 'TEXT', repeat('Olá, tudo bem? ', 30), 'RECEIVED', $5
        FROM generate_series(2, $3::bigint) AS seq RETURNING msg_id
        """,
        tenant.owner_id,
        conv_id,
        count,
        MessageOwner.USER,
        datetime(2026, 5, 1, tzinfo=UTC),
    )


async def test_a_large_tenant_takes_little_memory(services: Services, acme: Tenant, tmp_path: Path) -> None:
    await many_messages(services, acme, 20_000)
    path = tmp_path / "large.jsonl"
    tracemalloc.start()
    try:
        with path.open("wb") as file:
            await services.tenant_export.export(acme.owner_id, file.write, told=lambda _rows: None)
        _, peak_of_export = tracemalloc.get_traced_memory()
        await erase(services, acme.owner_id)
        tracemalloc.reset_peak()
        with path.open("rb") as file:
            done = await services.tenant_import.load(file)
        _, peak_of_import = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert done.rows["messages"] == 20_000
    assert path.stat().st_size > 15_000_000
    assert peak_of_export < 6_000_000
    assert peak_of_import < 12_000_000


async def test_a_copy_needs_no_other_mail_where_the_original_is_not(services: Services) -> None:
    tenant = await make_tenant(services)
    file = await export(services, tenant)
    await erase(services, tenant.owner_id)

    done = await load(services, file, as_new=True)

    assert done.owner_id > tenant.owner_id
    assert done.left_out == {}
    assert (await services.access.authenticate(tenant.api_key)).owner_id == done.owner_id
