"""Webhooks that belong to nobody: kept within bounds, shown to the operator, gone after a while."""

from collections.abc import AsyncIterator, Iterator

import pytest

from databases import ask, new_database, url_of
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.models.errors import NotFound
from owner.models.quarantine import QuarantineCreate, QuarantinedRequest, QuarantineReason
from owner.repositories.quarantine import QuarantineRepository


@pytest.fixture
def admin(server: EmbeddedServer, template: str, worker_id: str) -> Iterator[str]:
    """The migration role's URL of a database without a webhook: what is tested here counts all of them."""
    with new_database(server, f"quarantine_{worker_id}", template=template) as name:
        yield url_of(server, name, "owner_admin")


@pytest.fixture
async def empty(admin: str) -> AsyncIterator[Database]:
    database = await Database.connect(admin.replace("owner_admin", "owner_service"), pool_size=2)
    yield database
    await database.close()


def make_request(
    path: str = "/webhooks/twilio/inbound", reason: QuarantineReason = QuarantineReason.BAD_SIGNATURE
) -> QuarantineCreate:
    return QuarantineCreate(
        owner_id=None, reason=reason, path=path, params=[("Body", "Olá"), ("Body", "again")], signature="c2ln"
    )


async def keep(database: Database, *requests: QuarantineCreate, per_hour: int = 1_000) -> list[bool]:
    async with database.system() as connection:
        repository = QuarantineRepository(connection)
        return [await repository.add(request, per_hour=per_hour) for request in requests]


async def list_kept(
    database: Database, *, limit: int = 100, before_id: int | None = None
) -> list[QuarantinedRequest]:
    async with database.system() as connection:
        return await QuarantineRepository(connection).list_latest(limit=limit, before_id=before_id)


def grow_older(admin: str, by: str) -> None:
    ask(admin, "UPDATE inbound_quarantine SET created_at = created_at - %s::interval", by)


async def test_a_webhook_is_kept_as_it_came(empty: Database) -> None:
    assert await keep(empty, make_request("/webhooks/twilio/status")) == [True]

    [kept] = await list_kept(empty)
    assert (kept.path, kept.reason, kept.signature) == (
        "/webhooks/twilio/status",
        QuarantineReason.BAD_SIGNATURE,
        "c2ln",
    )
    assert kept.params == [["Body", "Olá"], ["Body", "again"]]


async def test_the_latest_come_first_and_go_on_where_the_last_page_ended(empty: Database) -> None:
    await keep(empty, *(make_request(f"/{number}") for number in range(5)))

    first = await list_kept(empty, limit=2)
    second = await list_kept(empty, limit=2, before_id=first[-1].quarantine_id)
    third = await list_kept(empty, limit=2, before_id=second[-1].quarantine_id)

    assert [[kept.path for kept in page] for page in (first, second, third)] == [
        ["/4", "/3"],
        ["/2", "/1"],
        ["/0"],
    ]


async def test_no_more_than_so_many_are_kept_in_an_hour(empty: Database) -> None:
    kept = await keep(empty, *(make_request() for _ in range(5)), per_hour=3)

    assert kept == [True, True, True, False, False]
    assert len(await list_kept(empty)) == 3


async def test_each_reason_has_its_own_bound(empty: Database) -> None:
    await keep(empty, *(make_request() for _ in range(5)), per_hour=3)

    signed_well = make_request(reason=QuarantineReason.UNKNOWN_NUMBER)
    assert await keep(empty, signed_well, per_hour=3) == [True]


async def test_an_hour_later_there_is_room_again(empty: Database, admin: str) -> None:
    await keep(empty, *(make_request() for _ in range(3)), per_hour=3)
    grow_older(admin, "61 minutes")

    assert await keep(empty, make_request(), per_hour=3) == [True]


async def test_a_bound_of_nought_keeps_nothing(empty: Database) -> None:
    assert await keep(empty, make_request(), per_hour=0) == [False]


async def test_one_can_be_taken_out_and_is_not_there_any_more(empty: Database) -> None:
    await keep(empty, make_request("/first"), make_request("/second"))
    second, first = await list_kept(empty)

    async with empty.system() as connection:
        repository = QuarantineRepository(connection)
        assert (await repository.get(first.quarantine_id)).path == "/first"
        await repository.remove(first.quarantine_id)
        with pytest.raises(NotFound, match=f"There is no webhook {first.quarantine_id} in quarantine"):
            await repository.get(first.quarantine_id)

    assert [kept.path for kept in await list_kept(empty)] == ["/second"]
    assert second.path == "/second"
