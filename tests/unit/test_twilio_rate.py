"""Each sender keeps below its rate, whoever waits is served in order, and nobody idle is remembered."""

import asyncio
import time

import pytest

from owner.integrations.twilio import rate
from owner.integrations.twilio.rate import SenderRates

ACME, GLOBEX = "+551140040001", "+551140040002"


async def seconds_for(rates: SenderRates, *senders: str) -> float:
    began_at = time.monotonic()
    await asyncio.gather(*(rates.wait_turn(sender) for sender in senders))
    return time.monotonic() - began_at


async def test_the_first_message_goes_at_once_and_the_next_ones_wait() -> None:
    rates = SenderRates(sms=20, whatsapp=1_000)

    assert await seconds_for(rates, ACME) < 0.045
    assert 0.2 <= await seconds_for(rates, *[ACME] * 5) < 1


async def test_channels_have_their_own_rates_and_senders_do_not_wait_for_each_other() -> None:
    rates = SenderRates(sms=1, whatsapp=1_000)

    assert await seconds_for(rates, ACME, GLOBEX, f"whatsapp:{ACME}") < 0.9
    assert await seconds_for(rates, *[f"whatsapp:{ACME}"] * 20) < 0.9


async def test_who_came_first_goes_first() -> None:
    rates = SenderRates(sms=500, whatsapp=500)
    order: list[int] = []

    async def send(number: int) -> None:
        await rates.wait_turn(ACME)
        order.append(number)

    await asyncio.gather(*(send(number) for number in range(20)))

    assert order == list(range(20))


async def test_who_gives_up_waiting_takes_no_turn_away() -> None:
    rates = SenderRates(sms=2, whatsapp=2)
    await rates.wait_turn(ACME)

    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rates.wait_turn(ACME), 0.002)

    assert await seconds_for(rates, ACME) < 0.9


async def test_idle_senders_are_forgotten_and_busy_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "_SWEEP_AT", 10)
    rates = SenderRates(sms=1_000_000, whatsapp=0.1)
    rates._sweep_at = 10
    await rates.wait_turn(f"whatsapp:{ACME}")

    for number in range(500):
        await rates.wait_turn(f"+{number}")
        await asyncio.sleep(0)

    assert len(rates._senders) <= 20
    assert f"whatsapp:{ACME}" in rates._senders
