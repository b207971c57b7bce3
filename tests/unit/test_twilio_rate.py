"""Each sender keeps below its rate, turns are given in order, and nobody idle is remembered."""

import pytest

from owner.integrations.twilio.rate import SenderRates

ACME, GLOBEX = "+551140040001", "+551140040002"


class Watch:
    """Seconds, which a test can let pass."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def test_the_first_message_goes_at_once_and_the_next_ones_at_the_senders_rate() -> None:
    rates = SenderRates(sms=4, whatsapp=1_000, now=Watch())

    assert [rates.book(ACME) for _ in range(4)] == [0, 0.25, 0.5, 0.75]


def test_channels_have_their_own_rates_and_senders_do_not_wait_for_each_other() -> None:
    rates = SenderRates(sms=1, whatsapp=8, now=Watch())

    assert [rates.book(sender) for sender in (ACME, GLOBEX, f"whatsapp:{ACME}")] == [0, 0, 0]
    assert (rates.book(ACME), rates.book(f"whatsapp:{ACME}")) == (1, 0.125)


def test_time_that_passed_without_a_message_is_not_made_up_for() -> None:
    watch = Watch()
    rates = SenderRates(sms=2, whatsapp=2, now=watch)
    rates.book(ACME)
    watch.seconds += 60

    assert [rates.book(ACME) for _ in range(3)] == [0, 0.5, 1]


def test_idle_senders_are_forgotten_and_busy_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("owner.integrations.twilio.rate._SWEEP_AT", 10)
    watch = Watch()
    rates = SenderRates(sms=1_000, whatsapp=0.1, now=watch)
    rates._sweep_at = 10
    rates.book(f"whatsapp:{ACME}")

    for number in range(500):
        watch.seconds += 0.01
        rates.book(f"+{number}")

    assert len(rates._free_at) <= 20
    assert rates.book(f"whatsapp:{ACME}") > 0
