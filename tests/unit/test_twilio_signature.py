"""Signatures: whatever Twilio signed is let in, whatever it did not is not, and nothing raises."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from owner.integrations.twilio.forms import parse_form
from owner.integrations.twilio.signature import public_url, verify

SHARED = Path(__file__).parents[2] / ".." / "shared" / "twilio" / "signature_vectors.json"

URL = "https://hooks.acme.example/webhooks/twilio/inbound?tenant=7&x=a%20b%2Bc"
TOKEN = "token-of-acme"
PAIRS = [("MessageSid", "SM1"), ("Body", " olá + você \x00"), ("Blank", ""), ("To", "+5511"), ("Body2", "")]
JSON = b'{"a": "\xc3\xa7"}'

Pairs = list[tuple[str, str]]


def sign(url: str, pairs: Pairs, token: str = TOKEN, algorithm: str = "sha1") -> str:
    """By Twilio's description, not by its library."""
    text = url + "".join(name + value for name, value in sorted(set(pairs)))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), algorithm)).decode()


class MultiDict(dict[str, list[str]]):
    def __init__(self, pairs: Pairs) -> None:
        super().__init__()
        for name, value in pairs:
            self.setdefault(name, []).append(value)

    def getlist(self, name: str) -> list[str]:
        return self[name]


def vectors() -> list[dict[str, Any]]:
    if not SHARED.exists():
        return []
    loaded: list[dict[str, Any]] = json.loads(SHARED.read_text())
    return loaded


@pytest.mark.skipif(not SHARED.exists(), reason="../shared/twilio/signature_vectors.json is not here")
@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["id"])
def test_a_collected_vector_is_judged_as_twilio_and_its_libraries_judge_it(vector: dict[str, Any]) -> None:
    pairs = [(name, value) for name, value in vector.get("params", [])]
    body = vector["body"].encode() if "body" in vector else None

    answer = verify(vector["url"], pairs, vector["signature"], [vector["auth_token"]], body)
    library = RequestValidator(vector["auth_token"]).validate(
        vector["url"], vector.get("body", MultiDict(pairs)), vector["signature"]
    )

    assert answer is vector["valid"]
    assert answer is vector["python_sdk"]
    assert answer is library


def test_a_form_is_let_in_and_every_change_to_it_is_not() -> None:
    signature = sign(URL, PAIRS)

    assert verify(URL, PAIRS, signature, [TOKEN])
    assert verify(URL, [*PAIRS, PAIRS[0]], signature, [TOKEN])  # an exact double counts once
    assert not verify(URL, PAIRS[1:], signature, [TOKEN])
    assert not verify(URL, [*PAIRS, ("New", "")], signature, [TOKEN])
    assert not verify(URL, [(name.lower(), value) for name, value in PAIRS], signature, [TOKEN])
    assert not verify(URL, [(name, value.strip()) for name, value in PAIRS], signature, [TOKEN])
    assert not verify(URL.replace("%20", "+"), PAIRS, signature, [TOKEN])
    assert not verify(URL, PAIRS, signature[:-1], [TOKEN])
    assert not verify(URL, PAIRS, f" {signature}", [TOKEN])


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=6))
def test_any_form_is_judged_as_the_library_judges_it(pairs: Pairs) -> None:
    library = RequestValidator(TOKEN)
    signature = library.compute_signature(URL, MultiDict(pairs))

    assert verify(URL, pairs, signature, [TOKEN])
    assert verify(URL, pairs, sign("https://other.example/", pairs), [TOKEN]) is False


def test_the_form_may_bring_its_own_body_along() -> None:
    body = b"Body=a%2Bb&To=%2B5511"

    assert verify(URL, parse_form(body), sign(URL, parse_form(body)), [TOKEN], body)


def test_a_rotated_token_still_opens_and_an_older_one_does_not() -> None:
    signature = sign(URL, PAIRS, "old")

    assert verify(URL, PAIRS, signature, [TOKEN, "old"])
    assert verify(URL, PAIRS, signature, (token for token in ("old", TOKEN)))
    assert not verify(URL, PAIRS, signature, [TOKEN])
    assert not verify(URL, PAIRS, signature, [])


def test_an_empty_token_lets_nobody_in() -> None:
    assert not verify(URL, PAIRS, sign(URL, PAIRS, ""), ["", TOKEN])


@pytest.mark.parametrize("signed_url", ["https://a.example/x", "https://a.example:443/x"])
@pytest.mark.parametrize("seen_url", ["https://a.example/x", "https://a.example:443/x"])
def test_the_port_may_be_signed_or_not(signed_url: str, seen_url: str) -> None:
    assert verify(seen_url, PAIRS, sign(signed_url, PAIRS), [TOKEN])


def test_a_json_body_is_held_against_the_hash_in_the_url() -> None:
    url = f"{URL}&bodySHA256={hashlib.sha256(JSON).hexdigest()}"
    signature = sign(url, [])

    assert verify(url, [], signature, [TOKEN], JSON)
    assert verify(url, parse_form(JSON), signature, [TOKEN], JSON)
    assert not verify(url, [], signature, [TOKEN], JSON + b" ")
    assert not verify(url, [], signature, [TOKEN], b"\xff")


def test_a_json_body_without_a_hash_is_not_signed_at_all() -> None:
    assert not verify(URL, [], sign(URL, []), [TOKEN], JSON)
    assert verify(URL, [], sign(URL, []), [TOKEN], b"")
    assert verify(URL, [], sign(URL, []), [TOKEN])


@pytest.mark.parametrize("signature", [None, "", "é", "\udcff", "\x00", "=" * 28, "A" * 100_000])
def test_what_is_no_signature_is_refused(signature: str | None) -> None:
    assert verify(URL, PAIRS, signature, [TOKEN]) is False


@pytest.mark.parametrize(
    "url",
    ["", "https://", "https://a:port/", "https://a:99999/", "http://[::1", "https://\udcff/", "//", "?"],
)
def test_an_odd_url_is_refused_and_raises_nothing(url: str) -> None:
    assert verify(url, PAIRS, sign(URL, PAIRS), [TOKEN]) is False
    assert verify(url, [], sign(URL, PAIRS), [TOKEN], JSON) is False


def test_an_odd_field_is_refused_and_raises_nothing() -> None:
    assert verify(URL, [("Body", "\ud83d")], sign(URL, PAIRS), [TOKEN]) is False


@pytest.mark.parametrize(
    ("settings", "algorithm", "is_let_in"),
    [
        (None, "sha1", True),
        ("", "sha1", True),
        ("nonsense", "sha1", True),
        ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256", "sha256", True),
        ("key=webhooks_sharedkey_1, algorithm = hmac_sha256", "sha256", True),
        ("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256", "sha1", False),
        ("algorithm=HMAC_MD5", "md5", False),
        (None, "sha256", False),
    ],
)
def test_a_shared_key_names_its_algorithm(settings: str | None, algorithm: str, is_let_in: bool) -> None:  # noqa: FBT001
    signature = sign(URL, PAIRS, algorithm=algorithm)

    assert verify(URL, PAIRS, signature, [TOKEN], settings=settings) is is_let_in


def test_the_public_url_is_the_configured_one_with_path_and_query_as_they_came() -> None:
    base = "https://hooks.acme.example"

    assert public_url(base, "/in", "") == f"{base}/in"
    assert public_url(base, b"/in", b"") == f"{base}/in"
    assert public_url(f"{base}/", b"/a%20b//c", b"x=1+2&y=%2F&z") == f"{base}/a%20b//c?x=1+2&y=%2F&z"
    assert public_url(f"{base}/prefix", "/in", "q") == f"{base}/prefix/in?q"
    assert public_url(base, "/espa\u00f1a".encode(), b"\xff") == f"{base}/espa\u00f1a?\ufffd"
