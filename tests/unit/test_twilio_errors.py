"""Twilio's error numbers: what helps, and a sentence for the person who waits."""

import re

import pytest

from owner.integrations.twilio.errors import ERRORS, explain, kind_of, provider_error
from owner.models.errors import ProviderProblem

RETRY, CREDENTIALS, PERMANENT = (
    ProviderProblem.RETRY,
    ProviderProblem.CREDENTIALS,
    ProviderProblem.PERMANENT,
)

NAMED_IN_THE_RULES = {
    RETRY: [20429, 30001, 30003, 30008, 63018, 63038],
    CREDENTIALS: [20003, 30002, 57012, 63001],
    PERMANENT: [
        *(21211, 21408, 21606, 21602, 21617, 30004, 30005, 30006, 21611, 30036),
        *(63003, 63005, 63007, 63013, 63015, 63019, 63021, 63024, 63032, 63033),
        *(11200, 11205, 11751, 11243, 12100, 12200, 12300),
    ],
    ProviderProblem.OPTED_OUT: [21610],
    ProviderProblem.WINDOW: [63016],
    ProviderProblem.CARRIER: [30007, 30022, 30023, 30032, 30034, 30035, 30450, 30610],
}


@pytest.mark.parametrize(
    ("code", "kind"), [(code, kind) for kind, codes in NAMED_IN_THE_RULES.items() for code in codes]
)
def test_a_named_error_has_its_kind(code: int, kind: ProviderProblem) -> None:
    assert ERRORS[code].kind is kind


def test_sentences_are_sentences_without_numbers_of_people_or_jargon() -> None:
    for code, known in ERRORS.items():
        assert re.fullmatch(r"[A-Z][^{}]+\.", known.sentence), code
        assert len(known.sentence) <= 100, code
        assert not re.search(r"\+\d|\bHTTP\b|\bSID\b|\bAPI\b", known.sentence), code


def test_an_unknown_error_is_named_by_its_number() -> None:
    assert explain(21610) == "The customer has opted out of messages from this number."
    assert explain(12345) == "The message was not delivered (error 12345)."
    assert explain(None) == "The message was not delivered."


@pytest.mark.parametrize(
    ("http_status", "code", "kind"),
    [
        (429, None, RETRY),
        (429, 20429, RETRY),
        (429, 21610, RETRY),  # whatever number comes with it, Twilio did not look at the message
        (400, 63038, RETRY),
        (401, None, CREDENTIALS),
        (403, None, CREDENTIALS),
        (401, 20003, CREDENTIALS),
        (400, 30002, CREDENTIALS),
        (400, None, PERMANENT),
        (400, 99999, PERMANENT),
        (404, 20404, PERMANENT),
        (400, 21610, ProviderProblem.OPTED_OUT),
        (400, 63016, ProviderProblem.WINDOW),
        (400, 30034, ProviderProblem.CARRIER),
        (302, None, RETRY),
        (503, 99999, RETRY),
    ],
)
def test_status_and_number_decide_together(http_status: int, code: int | None, kind: ProviderProblem) -> None:
    assert kind_of(code, http_status) is kind
    assert provider_error(http_status, {"code": code}).kind is kind


def test_twilios_own_sentence_stays_out_because_it_quotes_numbers() -> None:
    body = {"code": 21211, "message": "The 'To' number +5511987650001 is not valid", "status": 400}

    refusal = provider_error(400, body)

    assert refusal.message == "The customer's number is not valid."
    assert (refusal.provider_code, refusal.http_status, refusal.permanent) == (21211, 400, True)
    assert "+55" not in repr(refusal) + str(refusal.facts)


@pytest.mark.parametrize("body", [None, {}, {"code": None}, {"code": "21610"}, {"code": True}, {"code": -1}])
def test_a_broken_answer_counts_by_its_status(body: dict[str, object] | None) -> None:
    refusal = provider_error(400, body)

    assert (refusal.kind, refusal.provider_code) == (PERMANENT, None)


def test_the_wait_is_twilios_or_the_errors_own() -> None:
    assert provider_error(429, None, 2.5).retry_after == 2.5
    assert provider_error(429, None, 0.0).retry_after == 0.0
    assert provider_error(429, None).retry_after is None
    assert provider_error(400, {"code": 63038}).retry_after == 3_600
