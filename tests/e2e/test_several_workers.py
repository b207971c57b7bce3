"""Many workers share the work, and none of them minds when the database hangs up."""

import asyncio
from http import HTTPStatus

import aiohttp
import pytest

from e2e.stage import PATIENCE, Stage, eventually
from factories import Tenant, some_number
from owner.services.deliveries import CLAIM
from owner.services.delivery_notes import UNKNOWN_RETRY

CONVERSATIONS, EACH, CUTS = 20, 5, 4
# Where a connection ends between a claim and its outcome, the line waits for the claim and then for Twilio's list.
A_CUT_COSTS = CLAIM + UNKNOWN_RETRY


@pytest.fixture(scope="module")
async def serving(stage: Stage) -> Stage:
    await stage.serve()
    return stage


@pytest.fixture(scope="module")
async def acme(serving: Stage) -> Tenant:
    return await serving.tenant("acme")


async def test_two_workers_send_each_of_a_hundred_messages_once_and_in_order(
    serving: Stage, acme: Tenant
) -> None:
    customers = [f"whatsapp:{some_number()}" for _ in range(CONVERSATIONS)]
    texts = [f"Parte {part}" for part in range(EACH)]
    conversations = await asyncio.gather(*(serving.write(acme, customer) for customer in customers))

    async def send_all(conv_id: int) -> None:
        for text in texts:
            await serving.send(acme, conv_id, text)

    workers = [await serving.work(), await serving.work()]
    await asyncio.gather(*(send_all(conv_id) for conv_id in conversations))
    await _nothing_waits(serving, acme)
    exit_codes = [await worker.end() for worker in workers]

    assert {customer: await serving.phone(customer) for customer in customers} == dict.fromkeys(
        customers, texts
    )
    sent_by = [worker.output.count('"event":"message_sent"') for worker in workers]
    assert sum(sent_by) == CONVERSATIONS * EACH
    assert min(sent_by) > 0, "one of them did nothing"
    assert exit_codes == [0, 0]


async def test_a_worker_and_the_api_survive_that_the_database_ends_their_connections(
    serving: Stage, acme: Tenant
) -> None:
    ana = some_number()
    worker = await serving.work()
    conv_id = await serving.write(acme, ana)
    await serving.reaches(acme, await serving.send(acme, conv_id, "Antes"), "DELIVERED")

    cut = serving.cut_connections()
    # Nothing is promised for the requests that were under way, everything for those after a moment.
    await eventually(lambda: _answers(serving, acme), "the API answers again", within=10)
    msg_id = await serving.send(acme, conv_id, "Depois")
    await serving.reaches(acme, msg_id, "DELIVERED", within=30)

    assert cut >= 3
    assert worker.process.poll() is None
    assert await serving.phone(ana) == ["Antes", "Depois"]
    await worker.end()


@pytest.mark.timeout(300)
async def test_a_worker_whose_connections_are_ended_again_and_again_still_sends_once(
    serving: Stage, acme: Tenant
) -> None:
    ana = some_number()
    worker = await serving.work()
    conv_id = await serving.write(acme, ana)
    texts = [f"Parte {part}" for part in range(20)]
    for text in texts:
        await serving.send(acme, conv_id, text)
        if text in texts[4::4][:CUTS]:
            serving.cut_connections()
            await eventually(lambda: _answers(serving, acme), "the API answers again", within=10)

    await _nothing_waits(serving, acme, within=PATIENCE + CUTS * A_CUT_COSTS.total_seconds())

    assert await serving.phone(ana) == texts
    assert await worker.end() == 0


async def _answers(stage: Stage, tenant: Tenant) -> bool:
    try:
        status, _ = await stage.ask(tenant, "GET", "/v1/conversations?limit=1")
    except aiohttp.ClientError:
        return False
    return status == HTTPStatus.OK


async def _nothing_waits(stage: Stage, tenant: Tenant, *, within: float = PATIENCE) -> None:
    async def look() -> bool:
        [row] = await stage.rows(
            tenant,
            "SELECT count(*) AS n FROM messages WHERE direction = 'OUTBOUND' AND provider_sid IS NULL",
        )
        return bool(row["n"] == 0)

    await eventually(look, "the outbox is empty", within=within)
