"""Conversations whose sends share commits: each message once and in order, no owner under another's setting."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import asyncpg
import pytest
from pydantic import ValidationError

from conftest import TurnableClock
from databases import url_of
from factories import Tenant
from fakes import FakeGateway
from outbox import Thread, open_thread
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.integrations.twilio.breaker import AccountBreakers
from owner.models.errors import DatabaseUnavailable, OutcomeUnknown, ProviderError, ProviderProblem
from owner.models.event import SYSTEM, NewEvent
from owner.repositories.outbox import Line, OutboxChanges, OutboxRepository, Sought
from owner.services.catalog import Services
from owner.services.deliveries import CLAIM, DeliveryService
from owner.services.ports import Credentials, OutboundMessage, SentMessage
from reading import event_types, rows

ROUNDS = 12  # more than after which Postgres settles on one plan for all
TEXTS = ["um", "dois", "três"]


class Unhurried:
    """Rates: everybody's turn is now."""

    def __init__(self) -> None:
        self.booked: list[str] = []

    def book(self, sender: str) -> float:
        self.booked.append(sender)
        return 0.0


@pytest.fixture
def rate(services: Services) -> Unhurried:
    rate = Unhurried()
    services.deliveries.rate = rate
    return rate


@pytest.fixture
async def threads(services: Services, acme: Tenant, globex: Tenant, rate: Unhurried) -> list[Thread]:
    """Conversations of two owners, with something to send in each."""
    del rate
    return [await open_thread(services, tenant, *TEXTS) for tenant in (acme, globex) * 3]


@pytest.fixture
async def another_process(
    services: Services, rate: Unhurried, server: EmbeddedServer, database_name: str
) -> AsyncIterator[DeliveryService]:
    """What sends elsewhere: groups and connections of its own."""
    database, ours = await Database.connect(url_of(server, database_name), pool_size=3), services.deliveries
    yield DeliveryService(
        database,
        clock=ours.clock,
        gateway=ours.gateway,
        twilio=ours.twilio,
        rate=rate,
        breaker=AccountBreakers(),
    )
    await database.close()


@pytest.fixture
async def superuser(server: EmbeddedServer, database_name: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url_of(server, database_name, "postgres"))
    yield connection
    await connection.close()


async def deliver(*threads: Thread) -> list[object]:
    return await asyncio.gather(*(thread.deliver() for thread in threads), return_exceptions=True)


async def spoil(thread: Thread) -> None:
    """Leave something in the first message that nobody can read."""
    await rows(
        thread.services,
        thread.tenant,
        """UPDATE messages SET content_variables = '{"1": [2]}' WHERE msg_id = """
        "(SELECT min(msg_id) FROM messages WHERE conv_id = $1 AND direction = 'OUTBOUND')",
        thread.conv_id,
    )


async def test_conversations_of_all_owners_share_transactions(
    threads: list[Thread], services: Services, gateway: FakeGateway
) -> None:
    assert await deliver(*threads) == [None] * len(threads)

    assert all(gateway.sent_to(thread.customer) == TEXTS for thread in threads)
    transactions = {
        row["transaction"]
        for thread in threads[:2]
        for row in await rows(
            services,
            thread.tenant,
            "SELECT xmin::text AS transaction FROM messages WHERE direction = 'OUTBOUND'",
        )
    }
    assert len(transactions) == len(TEXTS)


async def test_messages_go_once_and_in_order_however_many_processes_send(
    threads: list[Thread], another_process: DeliveryService, gateway: FakeGateway
) -> None:
    processes = (None, another_process) * 2

    await asyncio.gather(*(thread.deliver(process) for process in processes for thread in threads))

    assert [gateway.sent_to(thread.customer) for thread in threads] == [TEXTS] * len(threads)
    sent = [message for thread in threads for message in await thread.outbound()]
    assert {message.attempts for message in sent} == {1}
    assert len({message.provider_sid for message in sent}) == len(sent)


async def test_a_conversation_in_another_owners_name_is_nobodys(
    services: Services, acme: Tenant, globex: Tenant, rate: Unhurried, gateway: FakeGateway
) -> None:
    """Before, between and after conversations of who does own it, and on plans that were made for them."""
    theirs, kept = await open_thread(services, acme), await open_thread(services, acme, "Segredo")
    strangers = Thread(services, globex, kept.conv_id, kept.customer)
    own = await open_thread(services, globex)

    for number in range(ROUNDS):
        await theirs.write(f"{number}")
        await own.write(f"{number}")
        await deliver(strangers, theirs, strangers, own)

    assert gateway.sent_to(theirs.customer) == [f"{number}" for number in range(ROUNDS)]
    assert gateway.sent_to(own.customer) == gateway.sent_to(theirs.customer)
    assert gateway.sent_to(kept.customer) == []
    [untouched] = await kept.outbound()
    assert (untouched.attempts, untouched.claimed_until) == (0, None)
    assert set(rate.booked) == {acme.sms, globex.sms}


async def test_the_functions_find_and_change_nothing_in_another_owners_name(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    """They have no rights of their own, and leave no owner set behind them."""
    theirs, own = [await open_thread(services, tenant, "Segredo") for tenant in (acme, globex)]
    [message], [other] = await theirs.outbound(), await own.outbound()
    in_their_name = Sought(acme.owner_id, theirs.conv_id, message.msg_id)
    in_ours = [
        Sought(globex.owner_id, theirs.conv_id),
        Sought(globex.owner_id, theirs.conv_id, message.msg_id),
        Sought(globex.owner_id, own.conv_id, message.msg_id),
    ]

    for _ in range(ROUNDS):
        async with services.database.system() as connection:
            found = await OutboxRepository(connection).load([in_ours[0], in_their_name, *in_ours[1:]])
            assert await connection.fetchval("SELECT current_setting('app.owner_id', true)") == ""
            assert await connection.fetchval("SELECT count(*) FROM messages") == 0
        assert found[0] == Line(None, None)
        assert found[1] is not None
        assert found[1].attempted == message
        assert found[2:] == [None, None]

    other.attempts = message.attempts = 9
    changes = [
        (globex.owner_id, OutboxChanges([other])),
        (globex.owner_id, OutboxChanges([message], [NewEvent("message.failed", SYSTEM)])),
    ]
    with pytest.raises(asyncpg.RaiseError, match=f"not there for owner {globex.owner_id}"):
        async with services.database.system() as connection:
            await OutboxRepository(connection).store(changes)
    assert [one.attempts for one in (*await theirs.outbound(), *await own.outbound())] == [0, 0]

    async with services.database.system() as connection:
        await OutboxRepository(connection).store(changes[:1])
        assert await connection.fetchval("SELECT current_setting('app.owner_id', true)") == ""
        functions = await connection.fetch(
            "SELECT prosecdef, proconfig FROM pg_proc WHERE proname IN ('load_outbox', 'store_outbox')"
        )
    assert [one.attempts for one in (*await theirs.outbound(), *await own.outbound())] == [0, 9]
    assert [(each["prosecdef"], each["proconfig"]) for each in functions] == [
        (False, ["plan_cache_mode=force_generic_plan"])
    ] * 2


async def test_what_an_owners_message_became_can_not_be_noted_in_another_owners_name(
    services: Services, acme: Tenant, globex: Tenant, rate: Unhurried, gateway: FakeGateway
) -> None:
    """Every outcome is stored and told under the setting of whose message it is, whatever came before it."""
    refusal = ProviderError("No.", kind=ProviderProblem.PERMANENT, provider_code=21614)
    pairs = [await open_thread(services, tenant, "um") for tenant in (acme, globex, acme, globex)]
    gateway.answers = [refusal, refusal]

    await deliver(*pairs)

    for tenant in (acme, globex):
        told = await rows(
            services, tenant, "SELECT owner_id, msg_id, type FROM events WHERE type ~ 'accepted|failed'"
        )
        own = {
            message.msg_id
            for thread in pairs
            if thread.tenant is tenant
            for message in await thread.outbound()
        }
        assert {event["msg_id"] for event in told} == own
        assert {event["owner_id"] for event in told} == {tenant.owner_id}


async def test_a_message_that_can_not_be_read_harms_none_of_its_neighbours(
    threads: list[Thread], gateway: FakeGateway
) -> None:
    culprit = threads.pop(2)
    await spoil(culprit)

    outcomes = await deliver(*threads[:2], culprit, *threads[2:])

    assert isinstance(outcomes.pop(2), ValidationError)
    assert outcomes == [None] * len(threads)
    assert all(gateway.sent_to(thread.customer) == TEXTS for thread in threads)
    assert gateway.sent_to(culprit.customer) == []


async def test_an_outcome_that_can_not_be_stored_harms_none_of_its_neighbours(
    threads: list[Thread], gateway: FakeGateway, clock: TurnableClock
) -> None:
    """The culprit is in doubt then: it is looked up, and goes once more, when its claim has ended."""
    gateway.answers = [ProviderError("NUL \x00", kind=ProviderProblem.PERMANENT, provider_code=21614)]

    outcomes = await deliver(*threads)

    [culprit] = [place for place, outcome in enumerate(outcomes) if outcome is not None]
    assert isinstance(outcomes[culprit], asyncpg.DataError)
    assert gateway.sent_to(threads[culprit].customer) == []
    clock.turn(minutes=1)
    await deliver(*threads)
    assert all(gateway.sent_to(thread.customer) == TEXTS for thread in threads)


async def test_a_neighbour_that_fails_costs_nobody_a_turn_or_a_silent_accounts_only_trial(
    services: Services, threads: list[Thread], rate: Unhurried, gateway: FakeGateway
) -> None:
    trial, culprit = threads[0], threads[1]  # in the order in which they are taken
    await spoil(culprit)
    now = [0.0]
    services.deliveries.breaker = AccountBreakers(opens_after=1, first_rest=5, now=lambda: now[0])
    services.deliveries.breaker.note_silence(trial.tenant.account.twilio_account_id)
    now[0] = 6.0

    pause, _ = await deliver(trial, culprit)

    assert pause is None
    assert gateway.sent_to(trial.customer) == TEXTS
    assert rate.booked.count(trial.tenant.sms) == len(TEXTS)


async def test_a_message_that_somebody_has_locked_holds_up_nobody_else(
    services: Services, threads: list[Thread], gateway: FakeGateway
) -> None:
    held, *others = threads
    [first, *_] = await held.outbound()

    async with services.database.owner(held.tenant.owner_id) as connection:
        await connection.execute("SELECT FROM messages WHERE msg_id = $1 FOR UPDATE", first.msg_id)
        await deliver(held, *others)
        assert all(gateway.sent_to(thread.customer) == TEXTS for thread in others)
        assert gateway.sent_to(held.customer) == []

    await deliver(held)
    assert gateway.sent_to(held.customer) == TEXTS


async def test_an_outcome_waits_for_who_has_its_message_locked(
    services: Services, acme: Tenant, rate: Unhurried, gateway: FakeGateway
) -> None:
    thread, other = [await open_thread(services, acme, "um") for _ in range(2)]
    [message] = await thread.outbound()
    waits = Waits(gateway, for_calls=2)
    services.deliveries.gateway = waits  # type: ignore[assignment]  # sending is all that is asked of it
    sends = [asyncio.create_task(one.deliver()) for one in (thread, other)]
    await waits.all_called.wait()

    async with services.database.owner(acme.owner_id) as connection:
        await connection.execute("SELECT FROM messages WHERE msg_id = $1 FOR UPDATE", message.msg_id)
        waits.answers.set()
        await sends[1]
        assert not sends[0].done()
    await sends[0]

    assert [one.provider_sid is not None for one in await thread.outbound()] == [True]
    assert rate.booked == [acme.sms] * 2


async def test_no_transaction_is_open_while_the_provider_is_called(
    services: Services, threads: list[Thread], gateway: FakeGateway, another_process: DeliveryService
) -> None:
    """All claims are committed by then, and a pool that is smaller than the number of calls is free."""
    waits = Waits(gateway, for_calls=len(threads))
    another_process.gateway = waits  # type: ignore[assignment]  # sending is all that is asked of it
    sends = [asyncio.create_task(thread.deliver(another_process)) for thread in threads]

    await waits.all_called.wait()

    pool = another_process.database.pool
    assert pool.get_idle_size() == pool.get_size()
    for thread in threads:
        first, *_ = await thread.outbound()
        assert first.claimed_until is not None
    waits.answers.set()
    await asyncio.gather(*sends)
    assert all(gateway.sent_to(thread.customer) == TEXTS for thread in threads)


@pytest.mark.parametrize("moment", ["before the provider has it", "after the provider has it"])
async def test_workers_that_die_within_their_calls_send_each_message_once(
    threads: list[Thread],
    gateway: FakeGateway,
    clock: TurnableClock,
    another_process: DeliveryService,
    moment: str,
) -> None:
    deaths: list[BaseException] = [asyncio.CancelledError() for _ in threads]
    (gateway.answers if moment.startswith("before") else gateway.lost_answers).extend(deaths)
    await deliver(*threads)

    clock.turn(seconds=CLAIM.total_seconds() + 1)
    await asyncio.gather(*(thread.deliver(another_process) for thread in threads))

    assert [gateway.sent_to(thread.customer) for thread in threads] == [TEXTS] * len(threads)


@pytest.mark.parametrize("at", ["the claim", "the outcome"])
async def test_a_transaction_that_is_lost_sends_each_message_once(
    threads: list[Thread],
    gateway: FakeGateway,
    clock: TurnableClock,
    another_process: DeliveryService,
    superuser: asyncpg.Connection,
    *,
    at: str,
) -> None:
    """The database ends the connection while a claim, or an outcome, is being stored."""
    async with superuser.transaction():
        await superuser.execute(f"LOCK TABLE {'messages' if at == 'the claim' else 'events'} IN SHARE MODE")
        sends = [asyncio.create_task(thread.deliver(another_process)) for thread in threads]
        await _end_who_waits(superuser)
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {DatabaseUnavailable}

    clock.turn(seconds=CLAIM.total_seconds() + 1)
    await deliver(*threads)

    assert [gateway.sent_to(thread.customer) for thread in threads] == [TEXTS] * len(threads)
    for thread in threads:
        types = await event_types(thread.services, thread.tenant, thread.conv_id)
        assert types.count("message.accepted") == len(TEXTS)


async def test_what_touches_an_account_holds_up_nobody_who_does_not(
    services: Services, threads: list[Thread], acme: Tenant, gateway: FakeGateway
) -> None:
    """Who waits for an account's row does so in a transaction of its own."""
    gateway.answers = [ProviderError("Wrong token.", kind=ProviderProblem.CREDENTIALS, provider_code=20003)]
    waits = Waits(gateway, for_calls=len(threads))
    services.deliveries.gateway = waits  # type: ignore[assignment]  # sending is all that is asked of it
    async with services.database.owner(acme.owner_id) as connection:
        await connection.execute("SELECT FROM twilio_accounts FOR UPDATE")
        culprit, *others = [asyncio.create_task(thread.deliver()) for thread in threads]
        await waits.all_called.wait()
        waits.answers.set()
        assert await asyncio.gather(*others) == [None] * len(others)
        assert not culprit.done()

    assert await culprit is not None
    paused = await rows(services, acme, "SELECT paused_at IS NOT NULL AS is_paused FROM twilio_accounts")
    assert paused == [{"is_paused": True}]


async def test_silence_and_answers_are_counted_once_each_though_outcomes_share_a_commit(
    services: Services, threads: list[Thread], gateway: FakeGateway, clock: TurnableClock
) -> None:
    theirs, now = [thread for thread in threads if thread.tenant is threads[0].tenant], [0.0]
    services.deliveries.breaker = AccountBreakers(opens_after=len(theirs), now=lambda: now[0])
    gateway.answers = [OutcomeUnknown() for _ in theirs]

    await deliver(*theirs)
    now[0] = 60.0
    clock.turn(minutes=1)
    for _ in range(2):  # of the first round one is the trial
        await deliver(*theirs)

    events = await rows(
        services,
        theirs[0].tenant,
        "SELECT type FROM events WHERE type ~ 'degraded|recovered' ORDER BY event_id",
    )
    assert [event["type"] for event in events] == ["channel.degraded", "channel.recovered"]
    assert all(gateway.sent_to(thread.customer) == TEXTS for thread in theirs)


class Waits:
    """A provider that answers when it is told to, after so many have called."""

    def __init__(self, gateway: FakeGateway, *, for_calls: int) -> None:
        self.gateway, self.missing = gateway, for_calls
        self.all_called, self.answers = asyncio.Event(), asyncio.Event()

    async def send(self, message: OutboundMessage, credentials: Credentials) -> SentMessage:
        self.missing -= 1
        if self.missing <= 0:
            self.all_called.set()
        await self.answers.wait()
        return await self.gateway.send(message, credentials)

    def provider_time(self, moment: datetime) -> datetime:
        return moment


async def _end_who_waits(connection: asyncpg.Connection) -> None:
    """End each connection that waits for a lock of ours."""
    ended = 0
    while not ended:
        ended = await connection.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
