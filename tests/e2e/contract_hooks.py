"""What a schema can't say and a client knows: given to schemathesis, which calls the API as `/openapi.json` tells."""

from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st

NUMBERS = st.integers(10_000_000, 99_999_999).map(lambda number: f"+55119{number}")

schemathesis.openapi.format("phone", NUMBERS)
schemathesis.openapi.format("phone-address", st.one_of(NUMBERS, NUMBERS.map("whatsapp:{}".format)))
schemathesis.openapi.format("time-zone", st.sampled_from(["America/Sao_Paulo", "UTC", "Europe/Lisbon"]))


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """A key is used once, a cursor is one that a list gave out, and a report spans no more than a year."""
    if not case.meta.generation.mode.is_positive:
        return
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
