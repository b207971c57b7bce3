"""Whatever is encrypted is encrypted anew when the key is rotated, and still means the same."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from databases import url_of
from factories import Tenant
from fakes import FakeGateway
from owner import bootstrap
from owner.db.database import Connection, Database
from owner.db.embedded import EmbeddedServer
from owner.repositories.encrypted import BATCH, ENCRYPTED
from owner.repositories.platform import PlatformRepository
from owner.services.catalog import Services
from owner.services.clock import SteadyClock
from owner.services.idempotency import Answer, RequestIdentity
from owner.services.secrets_box import FernetBox, new_secret_key
from owner.settings import Settings
from reading import rows

FORMER, NEWEST = new_secret_key(), new_secret_key()


@pytest.fixture
async def catalogue(server: EmbeddedServer, database_name: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url_of(server, database_name, "postgres"))
    yield connection
    await connection.close()


def with_keys(database: Database, home: Path, *keys: str) -> Services:
    settings = Settings(home=home, public_url="https://owner.example")
    return bootstrap.wire(settings, database, FakeGateway(), FernetBox(keys), SteadyClock())


async def keep(services: Services, owner_id: int, key: str) -> Answer:
    identity = RequestIdentity.of(key=key, method="POST", path="/", query="", body=b"{}")

    async def produce() -> Answer:
        return Answer(201, b'{"api_key":"ok_x"}', "application/json")

    return await services.idempotency.run(owner_id, identity, produce)


async def test_every_encrypted_column_is_in_the_list(catalogue: Connection) -> None:
    columns = await catalogue.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name LIKE '%\\_encrypted'"
    )

    listed = {(of.table, of.column) for of in ENCRYPTED if of.column.endswith("_encrypted")}
    assert listed == {(column["table_name"], column["column_name"]) for column in columns}


async def test_after_a_rotation_the_newest_key_alone_reads_everything(
    database: Database, tmp_path: Path, acme: Tenant
) -> None:
    before = with_keys(database, tmp_path, FORMER)
    secret = before.second_factor.secrets_box.encrypt("JBSWY3DPEHPK3PXP")
    await rows(before, acme, "UPDATE users SET totp_secret_encrypted = $1 RETURNING 1", secret)
    token = before.twilio.secrets_box.encrypt("token")
    await rows(before, acme, "UPDATE twilio_accounts SET auth_token_encrypted = $1 RETURNING 1", token)
    many = BATCH + 3
    for number in range(many):
        await keep(before, acme.owner_id, f"key-{number}")

    both = with_keys(database, tmp_path, NEWEST, FORMER)
    count = await both.secret_rotation.rotate_of(acme.owner_id)

    box = FernetBox([NEWEST])
    [user] = await rows(before, acme, "SELECT * FROM users")
    [account] = await rows(before, acme, "SELECT * FROM twilio_accounts")
    after = with_keys(database, tmp_path, NEWEST)
    replayed = [await keep(after, acme.owner_id, f"key-{number}") for number in range(many)]
    assert count == many + 2
    assert box.decrypt(user["totp_secret_encrypted"]) == "JBSWY3DPEHPK3PXP"
    assert box.decrypt(account["auth_token_encrypted"]) == "token"
    assert all(answer.is_replayed and answer.body == b'{"api_key":"ok_x"}' for answer in replayed)


async def test_the_platforms_answers_are_rotated_too(database: Database, tmp_path: Path) -> None:
    before = with_keys(database, tmp_path, FORMER)
    async with database.system() as connection:  # other tests' answers have other keys
        kept = await PlatformRepository(connection).list_answers()
    await keep(before, 0, "platform-rotation")

    both = with_keys(database, tmp_path, NEWEST, FORMER)
    async with database.system() as connection:
        platform = PlatformRepository(connection)
        for key, body in await platform.list_answers():
            if (key, body) not in kept:
                renewed = both.secret_rotation.secrets_box.rotate(body)
                await platform.replace_answer(key, former=body, renewed=renewed)

    replayed = await keep(with_keys(database, tmp_path, NEWEST), 0, "platform-rotation")
    assert replayed.is_replayed
