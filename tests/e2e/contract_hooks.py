"""What a schema can't say and a client knows: given to schemathesis, which calls the API as `/openapi.json` tells."""

import os
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st

WRITTEN = ("content", "media_urls", "content_sid", "canned_reply_id")
UNKNOWN = 2**61
NUMBERS = st.integers(10_000_000, 99_999_999).map(lambda number: f"+55119{number}")

schemathesis.openapi.format("phone", NUMBERS)
schemathesis.openapi.format("phone-address", st.one_of(NUMBERS, NUMBERS.map("whatsapp:{}".format)))
schemathesis.openapi.format("time-zone", st.sampled_from(["America/Sao_Paulo", "UTC", "Europe/Lisbon"]))


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """A key is used once, a cursor is one that a list gave out, and a report spans no more than a year."""
    _spare_the_own_key(case.path_parameters)
    if not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.body, dict):
        case.body = _as_clients_write(case.body)
        _make_fit(case.path, case.path_parameters or {}, case.body)
    _replace_addresses(case.query)
    headers: MutableMapping[str, str] = case.headers or {}
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = uuid4().hex
    if case.path == "/v1/features/{feature_id}" and isinstance(case.body, dict):
        case.body.pop("config_json", None)  # its shape depends on the feature's name
    if isinstance(case.body, dict) and case.body.get("verify"):
        case.body["verify"] = False  # made-up credentials are refused, and rightly
    query: MutableMapping[str, Any] = case.query or {}
    query.pop("cursor", None)
    if "/reports/" in case.path and ("from" in query or "to" in query):
        today = datetime.now(UTC).date()
        query.update({"from": str(today - timedelta(days=7)), "to": str(today)})


def _spare_the_own_key(parameters: MutableMapping[str, Any] | None) -> None:
    """Whoever revokes the key that they call with learns from then on only that they are not let in."""
    if parameters and str(parameters.get("api_key_id")) == os.environ["CONTRACT_KEY_ID"]:
        parameters["api_key_id"] = UNKNOWN


def _as_clients_write(value: Any) -> Any:
    """Whole numbers without a fraction, and texts without the character that Postgres can't keep."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_as_clients_write(one) for one in value]
    if isinstance(value, dict):
        return {_as_clients_write(name): _as_clients_write(one) for name, one in value.items()}
    return value


def _make_fit(path: str, parameters: Mapping[str, Any], body: MutableMapping[str, Any]) -> None:
    """What one field says about another one."""
    _replace_addresses(body)
    if path.endswith("/merge") and body.get("merge_id") == parameters.get("contact_id"):
        body["merge_id"] += 1
    if path.endswith("/messages"):
        _say_one_thing(body)
    if path.endswith("/messages") and not any(body.get(name) for name in WRITTEN):
        body["content"] = "Oi"
    for name in {"password", "new_password"} & body.keys():
        body[name] = uuid4().hex  # one that somebody would guess is refused
    closure = body.get("closure")
    if isinstance(closure, dict) and {"confirm_at", "close_at"} & closure.keys():
        closure.update(confirm_at=0.5, close_at=0.75)


def _say_one_thing(body: MutableMapping[str, Any]) -> None:
    """Of a text with files, a canned reply and a template a message is one; a file is on the web."""
    others = {
        "canned_reply_id": ("content", "content_sid", "content_variables"),
        "content_sid": ("content", "media_urls"),
    }
    for name, left_out in others.items():
        if body.get(name):
            for other in left_out:
                body.pop(other, None)
    body["media_urls"] = ["https://example.com/a.pdf" for _ in body.get("media_urls") or ()]
    if not body.get("content_sid"):
        body.pop("content_variables", None)


def _replace_addresses(fields: MutableMapping[str, Any] | None) -> None:
    """What stands in the place of an erased address is shown, and nobody's; nor is a row of digits."""
    for name in ("address", "customer_address"):
        if fields and name in fields and "+" not in str(fields[name]):
            fields[name] = "+5511912345678"
