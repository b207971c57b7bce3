"""Twilio's words for a message's way."""

import pytest

from owner.integrations.twilio.statuses import DELIVERY_STATUS, delivery_status
from owner.models.enums import DeliveryStatus

DOCUMENTED = {
    "accepted",
    "scheduled",
    "canceled",
    "queued",
    "sending",
    "sent",
    "failed",
    "delivered",
    "undelivered",
    "receiving",
    "received",
    "read",
    "partially_delivered",
}


def test_every_documented_word_has_one_of_ours() -> None:
    assert DELIVERY_STATUS.keys() >= DOCUMENTED


def test_every_status_of_ours_can_come_from_twilio() -> None:
    assert set(DELIVERY_STATUS.values()) == set(DeliveryStatus)


def test_the_same_word_means_the_same() -> None:
    for status in DeliveryStatus:
        assert DELIVERY_STATUS[status.value.lower()] is status


@pytest.mark.parametrize("word", [" Delivered ", "DELIVERED", "delivered"])
def test_case_and_blanks_do_not_matter(word: str) -> None:
    assert delivery_status(word) is DeliveryStatus.DELIVERED


@pytest.mark.parametrize("word", [None, "", "teleported", 7])
def test_a_word_from_the_future_is_none(word: object) -> None:
    assert delivery_status(word) is None
