"""Messages that are stored together: no owner under another's setting, no message harmed by its neighbours."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from itertools import cycle

import asyncpg
import pytest

from databases import url_of
from factories import Tenant, make_inbound, some_number, some_sid
from owner.db.database import Database, seeing
from owner.db.embedded import EmbeddedServer
from owner.models.addresses import canonical, parse_address
from owner.models.message import Attachment, InboundMessage, Message
from owner.repositories.inbound import InboundChanges, InboundRepository, Known, Sought
from owner.services.arrival import Arrival
from owner.services.catalog import Services
from owner.services.clock import SteadyClock
from owner.services.closure_detector import ClosureDetector
from owner.services.customer_lock import customer_lock
from owner.services.inbound import InboundService, Receipt
from reading import conversations_of, event_types, messages_of, rows

ROUNDS = 12  # more than after which Postgres settles on one plan for all


async def receive(services: Services, tenant: Tenant, inbound: InboundMessage) -> Receipt:
    return await services.inbound.receive(
        inbound, owner=tenant.owner, twilio_account_id=tenant.account.twilio_account_id
    )


def sought(tenant: Tenant, inbound: InboundMessage) -> Sought:
    return Sought(tenant.owner_id, inbound, customer_lock(tenant.owner_id, inbound.customer_key))


async def load(repository: InboundRepository, *wanted: Sought) -> list[Known | None]:
    return await repository.load(wanted, now=SteadyClock().now())


def arrival(tenant: Tenant, inbound: InboundMessage, known: Known | None) -> Arrival:
    assert known is not None
    decided = Arrival(
        inbound,
        known,
        tenant.owner,
        tenant.account.twilio_account_id,
        SteadyClock().now(),
        ClosureDetector(),
    )
    decided.decide()
    return decided


@pytest.fixture
async def another_process(
    services: Services, server: EmbeddedServer, database_name: str
) -> AsyncIterator[InboundService]:
    """What takes messages in elsewhere: a queue and connections of its own."""
    database = await Database.connect(url_of(server, database_name), pool_size=2)
    yield InboundService(
        database,
        clock=services.inbound.clock,
        detector=ClosureDetector(),
        suppressions=services.inbound.suppressions,
    )
    await database.close()


async def test_messages_of_many_customers_share_transactions(services: Services, acme: Tenant) -> None:
    inbound = [make_inbound(acme, customer=some_number()) for _ in range(30)]

    receipts = await asyncio.gather(*(receive(services, acme, message) for message in inbound))

    assert len({receipt.conv_id for receipt in receipts}) == 30
    [stored] = await rows(
        services, acme, "SELECT count(*), count(DISTINCT xmin::text) AS transactions FROM messages"
    )
    assert stored == {"count": 30, "transactions": 1}


async def test_owners_with_the_same_customer_and_the_same_sids_get_what_is_their_own(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    """Again and again on one plan, so that a setting that was read once only would show."""
    customer, sids = some_number(), [some_sid() for _ in range(ROUNDS)]

    for sid in sids:
        receipts = await asyncio.gather(
            *(
                receive(
                    services,
                    tenant,
                    make_inbound(tenant, tenant.owner.name, customer=customer, provider_sid=sid),
                )
                for tenant in (acme, globex)
            )
        )
        assert not any(receipt.is_duplicate for receipt in receipts)

    for tenant in (acme, globex):
        [conversation] = await conversations_of(services, tenant)
        said = await messages_of(services, tenant, conversation.conv_id)
        assert [message.provider_sid for message in said] == sids
        assert {message.content for message in said} == {tenant.owner.name}
        assert [message.seq for message in said] == list(range(1, ROUNDS + 1))
        types = await event_types(services, tenant, conversation.conv_id)
        assert types == ["conversation.opened"] + ["message.received"] * ROUNDS
        assert len(await rows(services, tenant, "SELECT FROM contacts")) == 1


async def test_what_is_known_is_what_the_messages_own_owner_knows(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    """In one statement, whatever the order, acme's customer stays unknown to globex."""
    inbound = make_inbound(acme, "Segredo", customer=some_number())
    await receive(services, acme, inbound)
    again = make_inbound(acme, "Oi", customer=str(inbound.customer))
    theirs = make_inbound(globex, "Oi", customer=str(inbound.customer), to=acme.sms)

    for _ in range(ROUNDS):
        async with services.database.system() as connection:
            repository = InboundRepository(connection)
            for order in ((0, 1), (1, 0)):
                pair = [sought(acme, again), sought(globex, theirs)]
                known = await load(repository, *(pair[place] for place in order))
                ours, strangers = (known[order.index(place)] for place in (0, 1))
                assert ours is not None
                assert ours.conversation is not None
                assert ours.conversation.owner_id == acme.owner_id
                assert [said for _, said in ours.history] == ["Segredo"]
                assert strangers is not None
                assert (strangers.contact_id, strangers.conversation, strangers.history) == (None, None, [])
            [same_sid] = await load(repository, sought(globex, inbound))
            assert same_sid is not None
            assert same_sid.duplicate_of is None


async def test_afterwards_the_transaction_sees_what_it_saw_before(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    await receive(services, acme, make_inbound(acme, customer=some_number()))
    everything = "SELECT owner_id FROM conversations"

    async with services.database.system() as connection:
        repository = InboundRepository(connection)
        for tenant, owners in ((None, set()), (acme, {acme.owner_id})):
            async with seeing(connection, tenant.owner_id) if tenant else nullcontext():
                inbound = make_inbound(globex, customer=some_number())
                known = await load(repository, sought(globex, inbound))
                assert {row["owner_id"] for row in await connection.fetch(everything)} == owners
                decided = arrival(globex, inbound, known[0])
                await repository.store([decided.changes], now=decided.at)
                assert {row["owner_id"] for row in await connection.fetch(everything)} == owners


def forge_conversation(changes: InboundChanges, foreign: int) -> None:
    """Change the conversation of another owner."""
    changes.changed = [changes.opened.pop().model_copy(update={"conv_id": foreign})]
    changes.messages.clear()


def forge_message(changes: InboundChanges, foreign: int) -> None:
    """Put a message into another owner's conversation."""
    changes.messages = [
        Message.model_construct(**{**dict(message), "conv_id": foreign}) for message in changes.messages
    ]


def forge_identity(changes: InboundChanges, foreign: int) -> None:
    """Open a conversation after one of another owner's."""
    changes.opened = [each.model_copy(update={"previous_conv_id": foreign}) for each in changes.opened]


@pytest.mark.parametrize("forge", [forge_conversation, forge_message, forge_identity])
async def test_a_part_can_not_touch_another_owners_rows(
    services: Services, acme: Tenant, globex: Tenant, forge: Callable[[InboundChanges, int], None]
) -> None:
    victim = await receive(services, acme, make_inbound(acme, "Oi", customer=some_number()))
    before = await rows(services, acme, "SELECT * FROM conversations")
    inbound = make_inbound(globex, customer=some_number())

    with pytest.raises(asyncpg.PostgresError):  # noqa: PT012 - all of it is one transaction
        async with services.database.system() as connection:
            repository = InboundRepository(connection)
            [known] = await load(repository, sought(globex, inbound))
            changes = arrival(globex, inbound, known).changes
            forge(changes, victim.conv_id or 0)
            await repository.store([changes], now=SteadyClock().now())

    assert await rows(services, acme, "SELECT * FROM conversations") == before
    assert len(await messages_of(services, acme, victim.conv_id or 0)) == 1
    assert await conversations_of(services, globex) == []


async def test_rows_in_the_name_of_an_owner_whom_the_setting_does_not_name_are_refused_within_a_function(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    """The functions have no rights of their own: what they do is bound as if it were done outside."""
    async with services.database.system() as connection:
        functions = await connection.fetch(
            "SELECT prosecdef, proconfig FROM pg_proc WHERE proname IN ('load_inbound', 'store_arrivals')"
        )

    assert [(each["prosecdef"], each["proconfig"]) for each in functions] == [
        (False, ["plan_cache_mode=force_generic_plan"])
    ] * 2
    forged = (
        "DO $$ BEGIN PERFORM set_config('app.owner_id', '{}', true);"
        " INSERT INTO public.contacts (owner_id) VALUES ({}); END $$"
    )
    async with services.database.system() as connection:
        await connection.execute(forged.format(acme.owner_id, acme.owner_id))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security policy"):
        async with services.database.system() as connection:
            await connection.execute(forged.format(acme.owner_id, globex.owner_id))


async def test_one_statement_puts_each_row_in_under_its_own_owners_setting_or_not_at_all(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    """As `store_arrivals` does it: the setting follows from row to row, and each row is held against it."""
    put_in = (
        "INSERT INTO contacts (owner_id, name)"
        " SELECT owner_id, set_config('app.owner_id', setting::text, true)"
        " FROM unnest($1::bigint[], $2::bigint[]) AS wanted (owner_id, setting)"
    )
    ours, theirs = acme.owner_id, globex.owner_id

    async with services.database.system() as connection:
        await connection.execute(put_in, [ours, theirs, ours], [ours, theirs, ours])
    for settings in ([ours, ours], [theirs, ours], [theirs, theirs]):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security policy"):
            async with services.database.system() as connection:
                await connection.execute(put_in, [ours, theirs], settings)

    for tenant, count in ((acme, 2), (globex, 1)):
        names = await rows(services, tenant, "SELECT name FROM contacts")
        assert names == [{"name": str(tenant.owner_id)}] * count


async def test_a_message_that_can_not_be_stored_harms_none_of_its_neighbours(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    good = [(tenant, make_inbound(tenant, customer=some_number())) for tenant in (acme, globex) * 3]
    bad = (acme, make_inbound(acme, "NUL \x00", customer=some_number()))

    outcomes = await asyncio.gather(
        *(receive(services, *each) for each in [*good[:3], bad, *good[3:]]), return_exceptions=True
    )

    culprit = outcomes.pop(3)
    assert isinstance(culprit, asyncpg.DataError)
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    for tenant in (acme, globex):
        assert len(await conversations_of(services, tenant)) == 3


async def test_one_sid_of_two_customers_at_once_is_one_message(services: Services, acme: Tenant) -> None:
    """It never happens with a provider in its right mind; who comes second is told of the first."""
    sid = some_sid()

    receipts = await asyncio.gather(
        *(
            receive(services, acme, make_inbound(acme, customer=some_number(), provider_sid=sid))
            for _ in range(2)
        )
    )

    assert sorted(receipt.is_duplicate for receipt in receipts) == [False, True]
    assert len({receipt.msg_id for receipt in receipts}) == 1


async def test_fifty_messages_of_a_new_customer_over_two_processes_are_one_conversation(
    services: Services, acme: Tenant, another_process: InboundService
) -> None:
    customer = some_number()
    messages = [make_inbound(acme, f"{number}", customer=customer) for number in range(50)]

    receipts = await asyncio.gather(
        *(
            process.receive(message, owner=acme.owner, twilio_account_id=acme.account.twilio_account_id)
            for process, message in zip(cycle((services.inbound, another_process)), messages)
        )
    )

    assert len({receipt.msg_id for receipt in receipts}) == 50
    [conversation] = await conversations_of(services, acme)
    said = await messages_of(services, acme, conversation.conv_id)
    assert [message.seq for message in said] == list(range(1, 51))
    for process in (0, 1):
        order = [int(message.content) for message in said if int(message.content) % 2 == process]
        assert order == sorted(order)


@pytest.mark.parametrize("held", ["customer", "conversation"])
async def test_a_customer_whom_somebody_is_at_work_on_holds_up_nobody_else(
    services: Services, acme: Tenant, globex: Tenant, held: str
) -> None:
    ana = some_number()
    first = await receive(services, acme, make_inbound(acme, "Oi", customer=ana))
    async with services.database.owner(acme.owner_id) as connection:
        if held == "customer":
            lock = customer_lock(acme.owner_id, canonical(parse_address(ana)))
            await connection.execute("SELECT pg_advisory_xact_lock($1)", lock)
        else:
            await connection.execute("SELECT FROM conversations WHERE conv_id = $1 FOR UPDATE", first.conv_id)
        waiting = asyncio.create_task(receive(services, acme, make_inbound(acme, "Alô?", customer=ana)))
        neighbours = await asyncio.gather(
            receive(services, acme, make_inbound(acme, customer=some_number())),
            receive(services, globex, make_inbound(globex, customer=some_number())),
        )

        assert len(neighbours) == 2
        assert not waiting.done()

    assert (await waiting).conv_id == first.conv_id


async def test_files_of_messages_that_come_together_are_fetched_for_their_owners(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    files = [Attachment(url=f"https://a.example/{n}", content_type="image/png") for n in range(2)]

    receipts = await asyncio.gather(
        *(
            receive(services, tenant, make_inbound(tenant, "", customer=some_number(), attachments=files))
            for tenant in (acme, globex)
        )
    )

    for tenant, receipt in zip((acme, globex), receipts, strict=True):
        kept = await rows(services, tenant, "SELECT msg_id, position FROM media ORDER BY position")
        assert kept == [{"msg_id": receipt.msg_id, "position": place} for place in range(2)]
        jobs = await rows(
            services,
            tenant,
            "SELECT FROM jobs.pgqueuer WHERE entrypoint = 'media_arrived'"
            " AND (convert_from(payload, 'UTF8')::jsonb->>'owner_id')::bigint = $1",
            tenant.owner_id,
        )
        assert len(jobs) == 2


async def test_a_message_within_a_request_is_part_of_it(services: Services, acme: Tenant) -> None:
    inbound = make_inbound(acme, customer=some_number())

    with pytest.raises(KeyError):  # noqa: PT012 - the request fails after it
        async with services.database.request(acme.owner_id):
            assert not (await receive(services, acme, inbound)).is_duplicate
            raise KeyError

    assert await conversations_of(services, acme) == []
