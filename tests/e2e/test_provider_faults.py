"""Twilio at its worst, through the real worker: each message ends where it should and is sent exactly once."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest

from e2e.stage import Stage, eventually
from factories import Tenant, some_number

SMS, WHATSAPP = "", "whatsapp:"
# Name of the misfortune: channel, faults of the simulator, the status that the message ends in.
MISFORTUNES: dict[str, tuple[str, list[dict[str, Any]], str]] = {
    "429 with Retry-After": (SMS, [{"kind": "http_429", "delay": 2.0, "count": 2}], "DELIVERED"),
    "500 without accepting": (SMS, [{"kind": "http_500"}], "DELIVERED"),
    "503 without accepting": (SMS, [{"kind": "http_503"}], "DELIVERED"),
    "500 after accepting": (SMS, [{"kind": "http_500_after"}], "DELIVERED"),
    "reset before accepting": (SMS, [{"kind": "reset_before"}], "DELIVERED"),
    "reset after accepting": (SMS, [{"kind": "reset_after"}], "DELIVERED"),
    "silence before accepting": (SMS, [{"kind": "timeout_before"}], "DELIVERED"),
    "silence after accepting": (SMS, [{"kind": "timeout_after"}], "DELIVERED"),
    "silence after accepting, no callback until long after": (
        SMS,
        [{"kind": "timeout_after"}, {"kind": "callbacks_late", "delay": 15.0}],
        "DELIVERED",
    ),
    "callbacks before the answer": (WHATSAPP, [{"kind": "callbacks_first"}], "READ"),
    "callbacks late": (WHATSAPP, [{"kind": "callbacks_late", "delay": 1.0}], "READ"),
    "callbacks twice": (WHATSAPP, [{"kind": "callbacks_doubled"}], "READ"),
    "callbacks backwards": (WHATSAPP, [{"kind": "callbacks_reversed"}], "READ"),
    "callbacks backwards, twice and before the answer": (
        WHATSAPP,
        [{"kind": "callbacks_first"}, {"kind": "callbacks_doubled"}, {"kind": "callbacks_reversed"}],
        "READ",
    ),
}


@dataclass(frozen=True, slots=True)
class Sent:
    customer: str
    msg_id: int
    behind_msg_id: int


@pytest.fixture(scope="module")
async def running(stage: Stage) -> Stage:
    await stage.serve()
    await stage.work()
    return stage


@pytest.fixture(scope="module")
async def acme(running: Stage) -> Tenant:
    return await running.tenant("acme")


@pytest.fixture(scope="module")
async def sent(running: Stage, acme: Tenant) -> dict[str, Sent]:
    """All of it at once: the worker has to bear one customer's misfortune beside another's."""
    return {
        name: await _send_into(running, acme, channel, faults)
        for name, (channel, faults, _) in MISFORTUNES.items()
    }


@pytest.mark.parametrize("misfortune", MISFORTUNES)
async def test_a_message_outlives_its_misfortune_and_is_sent_once(
    running: Stage, acme: Tenant, sent: dict[str, Sent], misfortune: str
) -> None:
    one, status = sent[misfortune], MISFORTUNES[misfortune][2]

    first = await running.reaches(acme, one.msg_id, status)
    second = await running.reaches(acme, one.behind_msg_id, status)

    taken = await running.taken(one.customer)
    assert [message["body"] for message in taken] == ["Um", "Dois"]
    assert [message["message_sid"] for message in taken] == [first["provider_sid"], second["provider_sid"]]
    assert not first["metadata"].get("conflicting_status")
    told = await running.rows(
        acme, "SELECT type FROM events WHERE msg_id = $1 AND type LIKE 'message.%'", one.msg_id
    )
    assert len({row["type"] for row in told}) == len(told), "an event was told twice"


async def test_21610_fails_with_a_sentence_and_opts_the_customer_out(running: Stage, acme: Tenant) -> None:
    ana = some_number()
    conv_id = await running.write(acme, ana)
    await running.simulator.fault("error", to=ana, error_code=21610)

    failed = await running.reaches(acme, await running.send(acme, conv_id, "Promoção!"), "FAILED")
    path = f"/v1/conversations/{conv_id}/messages"
    status, problem = await running.ask(acme, "POST", path, {"content": "Outra!"})

    assert failed["error_code"] == 21610
    assert failed["error_message"] == "The customer has opted out of messages from this number."
    assert (status, problem["code"]) == (HTTPStatus.CONFLICT, "contact_opted_out")
    assert await running.phone(ana) == []


async def test_63016_by_a_callback_is_told_in_words_that_an_agent_understands(
    running: Stage, acme: Tenant
) -> None:
    ana = f"whatsapp:{some_number()}"
    conv_id = await running.write(acme, ana)
    await running.simulator.fault("error", to=ana, error_code=63016)

    msg_id = await running.send(acme, conv_id, "Ainda aí?")

    async def has_ended() -> dict[str, Any] | None:
        found = await running.message(acme, msg_id)
        return found if found["delivery_status"] in {"FAILED", "UNDELIVERED"} else None

    failed = await eventually(has_ended, "the callback tells of the failure")
    shown = (await running.get(acme, f"/v1/conversations/{conv_id}/messages"))["items"][-1]
    assert failed["error_code"] == shown["error_code"] == 63016
    assert "24 hours" in shown["error_message"]
    assert "template" in shown["error_message"]
    assert len(await running.taken(ana)) == 1


async def test_after_stop_nothing_can_be_sent_and_after_start_it_can(running: Stage, acme: Tenant) -> None:
    ana = some_number()
    conv_id = await running.write(acme, ana)
    path = f"/v1/conversations/{conv_id}/messages"

    await running.write(acme, ana, "STOP")
    refused, problem = await running.ask(acme, "POST", path, {"content": "Promoção!"})
    await running.write(acme, ana, "START")
    msg_id = await running.send(acme, conv_id, "Bem-vinda de volta!")
    await running.reaches(acme, msg_id, "DELIVERED")

    assert (refused, problem["code"]) == (HTTPStatus.CONFLICT, "contact_opted_out")
    assert await running.phone(ana) == ["Bem-vinda de volta!"]


async def _send_into(stage: Stage, tenant: Tenant, channel: str, faults: list[dict[str, Any]]) -> Sent:
    """A message that meets the faults, and one that waits behind it."""
    customer = channel + some_number()
    conv_id = await stage.write(tenant, customer)
    for fault in faults:
        await stage.simulator.fault(to=customer, **fault)
    return Sent(
        customer,
        await stage.send(tenant, conv_id, "Um"),
        await stage.send(tenant, conv_id, "Dois"),
    )
