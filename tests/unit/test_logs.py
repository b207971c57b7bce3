"""What never reaches a log line."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from owner.logs import configure_logging, get_logger

CUSTOMER = "+5511987654321"
SOURCE = Path(__file__).parents[2] / "src" / "owner"


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


LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
TELLING = {
    "content", "body", "text", "address", "phone", "number", "customer", "token", "auth_token", "password", "email",
    "key", "secret", "signature", "url", "code_sent", "name", "payload", "form", "pairs", "headers", "message",
}  # fmt: skip


def _log_calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            called_on = node.func.value
            if isinstance(called_on, ast.Name) and called_on.id == "log" and node.func.attr in LEVELS:
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node


def test_every_line_of_the_log_is_an_event_and_keys_that_tell_nothing_private() -> None:
    calls = list(_log_calls())
    assert len(calls) > 10

    for where, call in calls:
        [event] = call.args
        words = [event.body, event.orelse] if isinstance(event, ast.IfExp) else [event]
        for word in words:
            if isinstance(word, ast.Name):  # chosen from words above it
                continue
            assert isinstance(word, ast.Constant), where
            assert re.fullmatch(r"[a-z]+(_[a-z]+)*", str(word.value)), where
        for keyword in call.keywords:
            assert keyword.arg not in TELLING, where
            # What an error says may quote what was sent; its kind and its code may not.
            said = {node.attr for node in ast.walk(keyword.value) if isinstance(node, ast.Attribute)}
            names = {node.id for node in ast.walk(keyword.value) if isinstance(node, ast.Name)}
            assert not said & {"content", "message", "args", "body", "auth_token"}, where
            assert not names & {"str", "repr"}, where
            assert not isinstance(keyword.value, ast.JoinedStr), where


def test_nothing_is_printed_but_by_commands() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.relative_to(SOURCE).parts[0] != "cli"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert found == []
