"""What never reaches a log line."""

import json
from collections.abc import Iterator

import pytest
import structlog

from owner.logs import configure_logging, get_logger

CUSTOMER = "+5511987654321"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize(
    "key", ["content", "body", "text", "address", "phone", "token", "auth_token", "password"]
)
def test_words_numbers_and_secrets_are_dropped(
    capsys: pytest.CaptureFixture[str], log_format: str, key: str
) -> None:
    configure_logging(log_format=log_format)

    get_logger("test").info("something_happened", **{key: "very private"}, conv_id=7)

    written = capsys.readouterr().err
    assert "private" not in written
    assert "something_happened" in written
    assert "7" in written


@pytest.mark.parametrize(
    "log_format",
    [
        "json",
        "console",
    ],
)
def test_the_story_of_a_crash_holds_no_values(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    configure_logging(log_format=log_format)

    try:
        _crash(CUSTOMER)
    except ZeroDivisionError as problem:
        get_logger("test").error("request_crashed", exc_info=problem)

    written = capsys.readouterr().err
    assert "ZeroDivisionError" in written
    assert "987654321" not in written


def test_json_lines_are_json_with_the_bound_ids(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(log_format="json")

    with structlog.contextvars.bound_contextvars(owner_id=1, request_id="r"):
        get_logger("test").info("message_received", conv_id=7)

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["owner_id"], line["request_id"], line["conv_id"]) == (
        "message_received",
        "info",
        1,
        "r",
        7,
    )


def test_an_odd_value_spoils_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(log_format="json")

    get_logger("test").info(
        "something_happened", half_a_character="\ud83d", unknown=CUSTOMER.encode, raw=b"\xff"
    )

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["half_a_character"]) == ("something_happened", "\ud83d")


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level="WARNING", log_format="json")

    get_logger("test").info("message_received")

    assert capsys.readouterr().err == ""


def _crash(customer: str) -> float:
    return len(customer) / 0
