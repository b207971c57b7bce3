"""Whatever is killed with `kill -9`, and whenever: no message is lost, none is sent twice."""

import asyncio
import secrets
from collections import Counter
from http import HTTPStatus

import psutil
import pytest

from e2e.stage import RETRIES, Program, Stage, eventually, until
from factories import Tenant, some_number
from owner.integrations.simulator.client import WebhookAnswer

RECOVERY = 45.0  # seconds until nothing shows any more that a worker was killed
WEBHOOKS, WAVE = 200, 40


@pytest.fixture(scope="module")
async def serving(stage: Stage) -> Stage:
    await stage.serve("--workers", "2")
    return stage


@pytest.fixture(scope="module")
async def acme(serving: Stage) -> Tenant:
    return await serving.tenant("acme", connection=RETRIES)


async def test_a_message_queued_while_no_worker_runs_is_sent_once_by_the_next(
    serving: Stage, acme: Tenant
) -> None:
    ana = some_number()
    (await serving.work()).kill()

    msg_id = await serving.send(acme, await serving.write(acme, ana), "Já vai!")
    worker = await serving.work()
    await serving.reaches(acme, msg_id, "DELIVERED", within=RECOVERY)
    await worker.end()

    assert await serving.phone(ana) == ["Já vai!"]


async def test_a_worker_killed_while_the_provider_has_the_message_sends_it_once(
    serving: Stage, acme: Tenant
) -> None:
    """In every state that the provider can be in: it took the message, it will, it never did."""
    faults: dict[str, list[dict[str, object]]] = {
        "took it and says so by callbacks": [{"kind": "timeout_after"}],
        "took it and says nothing": [
            {"kind": "timeout_after"},
            {"kind": "callbacks_late", "delay": RECOVERY},
        ],
        "takes it after the worker's death": [
            {"kind": "latency", "delay": 4.0},
            {"kind": "callbacks_late", "delay": RECOVERY},
        ],
        "never took it": [{"kind": "timeout_before"}],
    }
    worker = await serving.work()
    customers = {case: some_number() for case in faults}
    messages: dict[str, list[int]] = {}

    for case, armed in faults.items():
        conv_id = await serving.write(acme, customers[case])
        for fault in armed:
            await serving.simulator.fault(to=customers[case], **fault)  # type: ignore[arg-type]
        messages[case] = [await serving.send(acme, conv_id, text) for text in ("Um", "Dois")]
    await _are_in_hand(serving, acme, [first for first, _ in messages.values()])
    worker.kill()
    worker = await serving.work()

    for case, (first, second) in messages.items():
        sids = [await _sid_of(serving, acme, msg_id) for msg_id in (first, second)]
        taken = await serving.taken(customers[case])
        assert [one["body"] for one in taken] == ["Um", "Dois"], case
        assert [one["message_sid"] for one in taken] == sids, case
    await worker.end()


async def test_what_the_api_answered_202_is_sent_though_it_was_killed_right_after(
    serving: Stage, acme: Tenant
) -> None:
    ana = some_number()
    worker = await serving.work()
    conv_id = await serving.write(acme, ana)

    msg_id = await serving.send(acme, conv_id, "Prometido")
    for process in _api_workers(serving):
        process.kill()
    await serving.reaches(acme, msg_id, "DELIVERED", within=RECOVERY)
    await worker.end()

    assert await serving.phone(ana) == ["Prometido"]


async def test_api_workers_killed_under_webhooks_lose_and_double_nothing(
    serving: Stage, acme: Tenant
) -> None:
    sids = [f"SM{secrets.token_hex(16)}" for _ in range(WEBHOOKS)]
    customers = [some_number() for _ in range(WEBHOOKS // 4)]
    given: list[WebhookAnswer] = []

    for start in range(0, WEBHOOKS, WAVE):
        await until(lambda: len(_api_workers(serving)) == 2, "the supervisor replaced the killed one")
        wave = asyncio.gather(
            *(
                serving.simulator.write(
                    customers[at % len(customers)], acme.sms, f"{at}", message_sid=sids[at]
                )
                for at in range(start, start + WAVE)
            )
        )
        await asyncio.sleep(0.1)
        _api_workers(serving)[0].kill()
        given += await wave

    acknowledged = {one["message_sid"] for one in given if one["status_code"] == HTTPStatus.OK}
    rows = await serving.rows(acme, "SELECT provider_sid FROM messages WHERE provider_sid = ANY ($1)", sids)
    stored = Counter(row["provider_sid"] for row in rows)
    opened = await serving.rows(
        acme,
        "SELECT customer_address, count(*) AS n FROM conversations WHERE customer_address = ANY ($1) GROUP BY 1",
        customers,
    )
    assert any(one["attempts"] > 1 for one in given), "no webhook met a killed process"
    assert len(acknowledged) >= WEBHOOKS // 2  # how many it are depends on how busy the machine is
    assert acknowledged <= stored.keys()
    assert set(stored.values()) == {1}
    assert {row["n"] for row in opened} == {1}


async def test_a_killed_serve_leaves_nobody_on_its_port(serving: Stage) -> None:
    servers = _api_workers(serving)
    [api] = [program for program in serving.programs if _is_running_api(program)]

    api.kill()
    await until(lambda: not any(server.is_running() for server in servers), "they end with their parent")

    await serving.serve("--workers", "2")


async def _are_in_hand(stage: Stage, tenant: Tenant, msg_ids: list[int]) -> None:
    """Until a worker waits for the provider's answer to each of them."""

    async def look() -> bool:
        rows = await stage.rows(
            tenant, "SELECT attempts, claimed_until FROM messages WHERE msg_id = ANY ($1)", msg_ids
        )
        return all(row["attempts"] == 1 for row in rows)

    await eventually(look, "all are with the provider")
    # Claimed and committed; the request itself goes out right after.
    await asyncio.sleep(0.3)


async def _sid_of(stage: Stage, tenant: Tenant, msg_id: int) -> str:
    async def look() -> str | None:
        sid: str | None = (await stage.message(tenant, msg_id))["provider_sid"]
        return sid

    return await eventually(look, f"message {msg_id} has its SID", within=RECOVERY)


def _api_workers(stage: Stage) -> list[psutil.Process]:
    """The processes that uvicorn's supervisor spawned to serve, eldest first."""
    [api] = [program for program in stage.programs if _is_running_api(program)]
    alive = [child for child in api.children() if child.status() != psutil.STATUS_ZOMBIE]
    # Its resource tracker is a child as well.
    servers = [child for child in alive if "spawn_main" in " ".join(child.cmdline())]
    return sorted(servers, key=psutil.Process.create_time)


def _is_running_api(program: Program) -> bool:
    return program.log.name.startswith("serve") and program.process.poll() is None
