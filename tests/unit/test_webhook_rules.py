"""What outbound webhooks decide without anybody's help: types, schedules, waits, and which hosts are out of bounds."""

import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from pydantic import ValidationError

from owner.models.errors import WebhookUrlForbidden
from owner.models.network import is_public, may_reach, parse_networks
from owner.models.webhook_delivery import (
    CLAIM,
    SCHEDULE,
    AttemptError,
    WebhookAnswer,
    WebhookDelivery,
    WebhookDeliveryStatus,
)
from owner.models.webhook_endpoint import (
    COLLECTED_FOR,
    FAILING_FOR,
    URL_PATTERN,
    DisabledReason,
    WebhookEndpoint,
    WebhookEndpointCreate,
    WebhookEndpointUpdate,
    matches,
    refuse_forbidden_url,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FORBIDDEN = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b::7f00:1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


def an_endpoint(**changes: object) -> WebhookEndpoint:
    return WebhookEndpoint.model_validate(
        {
            "owner_id": 1,
            "endpoint_id": 2,
            "url": "https://hooks.example.com/",
            "secret_encrypted": b"new",
            "after_event_id": 10,
            "created_at": NOW,
            "updated_at": NOW,
            **changes,
        }
    )


def a_delivery(**changes: object) -> WebhookDelivery:
    return WebhookDelivery.model_validate(
        {
            "owner_id": 1,
            "delivery_id": 3,
            "endpoint_id": 2,
            "event_id": 11,
            "event_type": "message.received",
            "conv_id": 5,
            "sequence": 1,
            "payload": "{}",
            "next_attempt_at": NOW,
            "created_at": NOW,
            **changes,
        }
    )


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_inside_somebodys_network_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not may_reach(ip_address(address), [])


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_an_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("127.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("10.9.9.9", True),
        ("10.10.0.1", False),
        ("::1", False),
    ],
)
def test_only_the_allowed_networks_are_reached_besides_the_internet(address: str, *, may: bool) -> None:
    assert may_reach(ip_address(address), parse_networks("127.0.0.0/8, 10.9.0.0/16")) is may


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        parse_networks("127.0.0.0/8,10.0.0.1/8")


@pytest.mark.parametrize(
    "host",
    [
        *(f"[{address}]" if ":" in address else address for address in FORBIDDEN),
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "0",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "017700000001",
        "[1:2]",
        "[::ffff:7f00:1]",
    ],
)
def test_a_url_to_an_inner_address_is_refused_in_every_spelling(host: str) -> None:
    url = f"http://{host}:8080/hook"
    assert re.fullmatch(URL_PATTERN, url)

    with pytest.raises(WebhookUrlForbidden):
        refuse_forbidden_url(url, allowed=[])


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com", "http://8.8.8.8/", "https://[2606:4700::1111]:8443/a"]
)
def test_a_url_to_the_internet_is_taken(url: str) -> None:
    assert WebhookEndpointCreate(url=url).url == url
    refuse_forbidden_url(url, allowed=[])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "//example.com/",
        "https://",
        "https://ana:secret@example.com/",
        "https://ana@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com\\@127.0.0.1/",
        "https://exa mple.com/",
        "https://example.com/a b",
        "https://example.com/\n",
        "https://example..com/",
        "https://" + "a" * 64 + ".com/",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_a_url_that_can_not_be_meant_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        WebhookEndpointCreate(url=url)


@pytest.mark.parametrize(
    ("filters", "event_type", "wanted"),
    [
        ([], "message.received", True),
        (["*"], "message.received", True),
        (["message.*"], "message.received", True),
        (["message.received", "contact.*"], "message.received", True),
        (["message.sent"], "message.received", False),
        (["contact.*"], "message.received", False),
    ],
)
def test_types_and_wildcards_choose_events(filters: list[str], event_type: str, *, wanted: bool) -> None:
    assert matches(filters, event_type) is wanted


@pytest.mark.parametrize(
    "wrong", ["message", "message.", "messages.*", "message.re*", "", "conversation.gone"]
)
def test_a_filter_that_matches_nothing_is_refused_with_what_there_is(wrong: str) -> None:
    with pytest.raises(ValidationError, match=r"there is no event type .* there are \*, .*conversation\.\*"):
        WebhookEndpointCreate(url="https://example.com/", event_types=[wrong])


@pytest.mark.parametrize("field", ["url", "event_types", "is_enabled"])
def test_null_is_refused_where_it_could_mean_nothing(field: str) -> None:
    with pytest.raises(ValidationError):
        WebhookEndpointUpdate.model_validate({field: None})
    assert WebhookEndpointUpdate.model_validate({"description": None}).changes() == {"description": None}
    assert WebhookEndpointUpdate().changes() == {}


def test_each_attempt_waits_as_the_standard_says_and_the_tenth_is_the_last() -> None:
    delivery, at, waits = a_delivery(), NOW, []

    while delivery.status is WebhookDeliveryStatus.PENDING:
        delivery.claim(at=at)
        delivery.note_answer(WebhookAnswer(status=500), sent_at=at, at=at)
        if delivery.next_attempt_at is not None:
            waits.append(delivery.next_attempt_at - at)
            at = delivery.next_attempt_at

    assert [str(wait) for wait in waits] == [
        "0:00:05",
        "0:05:00",
        "0:30:00",
        "2:00:00",
        "5:00:00",
        "10:00:00",
        "14:00:00",
        "20:00:00",
        "1 day, 0:00:00",
    ]
    assert (delivery.status, delivery.attempts, len(SCHEDULE)) == (WebhookDeliveryStatus.FAILED, 10, 10)
    assert len(delivery.attempt_log) == 10


@pytest.mark.parametrize(
    ("status", "retry_after", "wait"),
    [
        (503, "120", 120),
        (429, "120", 120),
        (429, "1", 5),  # never sooner than the schedule
        (500, "120", 5),  # only those two are asked
        (503, "Wed, 25 Nov 2026 12:02:00 GMT", 120),
        (503, "Wed, 25 Nov 2020 12:02:00 GMT", 5),
        (503, "99999999999999999999", 86_400),
        (503, "-5", 5),
        (503, "soon", 5),
        (503, "٣٠٠", 5),
        (503, None, 5),
    ],
)
def test_retry_after_is_respected_within_a_day(status: int, retry_after: str | None, wait: int) -> None:
    delivery = a_delivery()

    delivery.note_answer(WebhookAnswer(status=status, retry_after=retry_after), sent_at=NOW, at=NOW)

    assert delivery.next_attempt_at == NOW + timedelta(seconds=wait)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (WebhookAnswer(status=200), None),
        (WebhookAnswer(status=204), None),
        (WebhookAnswer(status=302), AttemptError.REDIRECT),
        (WebhookAnswer(status=404), AttemptError.STATUS),
        (WebhookAnswer(status=410), AttemptError.GONE),
        (WebhookAnswer(status=500), AttemptError.STATUS),
        (WebhookAnswer(error=AttemptError.TIMEOUT), AttemptError.TIMEOUT),
    ],
)
def test_only_a_2xx_is_a_delivery(answer: WebhookAnswer, failure: AttemptError | None) -> None:
    assert answer.failure is failure


def test_a_claim_makes_the_delivery_due_again_when_it_runs_out() -> None:
    delivery = a_delivery()

    delivery.claim(at=NOW)

    assert delivery.is_claimed(now=NOW + CLAIM - timedelta(seconds=1))
    assert not delivery.is_claimed(now=NOW + CLAIM)
    assert delivery.next_attempt_at == NOW + CLAIM


def test_a_replay_has_all_attempts_ahead_but_leaves_alone_what_is_on_its_way() -> None:
    failed = a_delivery(status="FAILED", attempts=10, next_attempt_at=None, finished_at=NOW)
    under_way = a_delivery()
    under_way.claim(at=NOW)
    before = under_way.model_copy()

    failed.replay(at=NOW)
    under_way.replay(at=NOW)

    assert (failed.status, failed.attempts, failed.next_attempt_at) == ("PENDING", 0, NOW)
    assert failed.webhook_id == "whd_3"
    assert under_way == before


def test_five_days_of_nothing_but_failure_disable_an_endpoint() -> None:
    endpoint = an_endpoint()

    assert not endpoint.note_failure(at=NOW)
    assert not endpoint.note_failure(at=NOW + FAILING_FOR - timedelta(seconds=1))
    assert endpoint.note_failure(at=NOW + FAILING_FOR)

    assert (endpoint.is_enabled, endpoint.disabled_reason) == (False, DisabledReason.FAILING)


def test_one_success_begins_the_five_days_anew() -> None:
    endpoint = an_endpoint()
    endpoint.note_failure(at=NOW)

    endpoint.note_success()

    assert not endpoint.note_failure(at=NOW + FAILING_FOR)
    assert endpoint.failing_since == NOW + FAILING_FOR


def test_a_failing_endpoint_gets_one_request_at_a_time() -> None:
    endpoint = an_endpoint()
    before = endpoint.at_once

    endpoint.note_failure(at=NOW)

    assert (before, endpoint.at_once) == (4, 1)


@pytest.mark.parametrize(
    ("reason", "after", "collects"),
    [
        (DisabledReason.FAILING, timedelta(days=1), True),
        (DisabledReason.BY_REQUEST, timedelta(days=1), True),
        (DisabledReason.BY_REQUEST, COLLECTED_FOR, False),
        (DisabledReason.GONE, timedelta(0), False),
    ],
)
def test_a_disabled_endpoint_collects_for_thirty_days_unless_it_unsubscribed(
    reason: DisabledReason, after: timedelta, *, collects: bool
) -> None:
    endpoint = an_endpoint()

    endpoint.disable(reason, at=NOW)

    assert endpoint.wants("message.received", 11, now=NOW + after) is collects


def test_what_happened_before_an_endpoint_was_made_is_not_for_it() -> None:
    endpoint = an_endpoint(after_event_id=10)

    assert not endpoint.wants("message.received", 10, now=NOW)
    assert endpoint.wants("message.received", 11, now=NOW)


def test_the_former_secret_signs_until_its_time_is_over() -> None:
    endpoint = an_endpoint()

    endpoint.replace_secret(b"newest", former_signs_for=timedelta(hours=24), at=NOW)

    assert endpoint.encrypted_secrets(now=NOW + timedelta(hours=23)) == [b"newest", b"new"]
    assert endpoint.encrypted_secrets(now=NOW + timedelta(hours=24)) == [b"newest"]
