"""Webhooks are lost on their way to the running product; comparing with Twilio's log makes up for them."""

from datetime import timedelta

from conftest import TurnableClock
from e2e.stage import Stage, eventually
from factories import some_number


async def test_lost_webhooks_and_callbacks_are_made_up_for_once(stage: Stage) -> None:
    await stage.serve()
    worker = await stage.work()
    acme = await stage.tenant("acme")
    ana, bruno = some_number(), some_number()
    conv_id = await stage.write(acme, ana, "Oi")
    await stage.simulator.fault("webhook_lost", to=acme.sms, count=2)
    for customer in (ana, bruno):
        assert (await stage.simulator.write(customer, acme.sms, "Perdida"))["status_code"] is None
    await stage.simulator.fault("callbacks_lost", count=None)
    msg_id = await stage.send(acme, conv_id, "Pronto!")
    await eventually(lambda: _is_delivered(stage, ana), "the phone has the answer")
    await worker.end()
    service, clock = stage.services.reconciliation, TurnableClock()
    service.clock = clock
    clock.turn(minutes=5)

    early = await stage.json_of("reconcile", "--owner", str(acme.owner_id), "--json")
    [first] = await service.reconcile_all(owner_id=acme.owner_id)
    [second] = await service.reconcile_all(owner_id=acme.owner_id)

    assert [one["brought_in"] for one in early] == [0]  # the two minutes of the webhooks are not over
    assert (first.brought_in, first.corrected, first.drifted, first.problem) == (2, 1, [], None)
    assert (second.brought_in, second.corrected) == (0, 0)
    assert second.since == first.until - timedelta(hours=24)
    assert (await stage.message(acme, msg_id))["delivery_status"] == "DELIVERED"
    texts = await stage.rows(acme, "SELECT content FROM messages WHERE direction = 'INBOUND' ORDER BY msg_id")
    assert [row["content"] for row in texts] == ["Oi", "Perdida", "Perdida"]


async def _is_delivered(stage: Stage, customer: str) -> bool:
    return [one["status"] for one in await stage.taken(customer)] == ["delivered"]
