import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from owner.cli.closure import app

REPOSITORY = Path(__file__).parents[2]
GOODBYE = {
    "history": [{"speaker": "user", "text": "Oi"}, {"speaker": "agent", "text": "Saiu para entrega."}],
    "text": "tchau",
    "context": {"goal_achieved": True},
}
DIALOGUE = {
    "lang": "pt",
    "turns": [
        {"speaker": "user", "text": "Cadê meu pedido?"},
        {"speaker": "agent", "text": "Chega amanhã. Posso ajudar em mais alguma coisa?"},
        {"speaker": "user", "text": "Não, obrigada"},
        {"speaker": "agent", "text": "Feito."},
        {"speaker": "user", "text": "tchau"},
        {"speaker": "agent", "text": "Feito."},
        {"speaker": "user", "text": "meu gato sumiu"},
    ],
    "labels": ["continue", "close", "thanks", "close"],
    "reasons": ["continue", "decline_more", "thanks_bare", "bye"],
}


def run(*arguments: str, given: str | bytes = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=given)


def lines(*values: object) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def scored(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_line_gets_one_line_in_order(tmp_path: Path) -> None:
    file = tmp_path / "messages.jsonl"
    file.write_text(lines(GOODBYE, {**GOODBYE, "text": "e o frete?"}, {**GOODBYE, "text": "até mais"}))

    result = run("score", str(file))

    assert result.exit_code == 0
    assert [found["decision"] for found in scored(result)] == ["CLOSE", "NONE", "CLOSE"]
    assert scored(result)[0].keys() >= {
        "confidence", "decision", "keyword_score", "pattern_score", "context_score", "duration_modifier", "signals",
    }  # fmt: skip


def test_a_dash_reads_standard_input() -> None:
    assert scored(run("score", "-", "--json", given=lines(GOODBYE)))[0]["confidence"] == 1.0


def test_broken_lines_are_named_and_the_rest_goes_on() -> None:
    broken: list[object] = [
        [],
        {**GOODBYE, "text": 3},
        {"text": "tchau"},
        {**GOODBYE, "history": [{"speaker": "bot", "text": "x"}]},
        {**GOODBYE, "history": ["x"]},
        {**GOODBYE, "context": []},
    ]

    result = run("score", "-", given="{nonsense\n" + lines(*broken, GOODBYE))

    assert result.exit_code == 1
    assert len(scored(result)) == 1
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == [f"line {n}" for n in range(1, 8)]
    assert "not JSON" in result.stderr
    assert '"context" must be an object' in result.stderr


@pytest.mark.parametrize("line", [b"\xff\xfe\n", b"[" * 100_000 + b"\n", b'{"text": "\xc3\n'])
def test_a_line_that_is_no_text_is_named(line: bytes) -> None:
    result = run("score", "-", given=line + lines(GOODBYE).encode())

    assert (result.exit_code, len(scored(result))) == (1, 1)
    assert result.stderr.startswith("line 1: not ")


def test_empty_lines_are_no_messages() -> None:
    result = run("score", "-", given="\n  \n" + lines(GOODBYE) + "\n")

    assert (result.exit_code, len(scored(result))) == (0, 1)


def test_half_a_surrogate_pair_is_scored() -> None:
    assert run("score", "-", given=lines({**GOODBYE, "text": "tchau \ud83d"})).exit_code == 0


def test_a_missing_file_is_a_sentence() -> None:
    result = run("score", "/nowhere/messages.jsonl")

    assert result.exit_code == 2
    assert "can't be read" in result.stderr


def test_answers_come_while_the_input_is_still_open() -> None:
    command = [sys.executable, "-c", "from owner.cli.closure import app; app()", "score", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(lines(GOODBYE))
        process.stdin.flush()

        first = json.loads(process.stdout.readline())
        process.stdin.close()

        assert first["decision"] == "CLOSE"
        assert process.wait(timeout=20) == 0


def test_evaluating_counts_per_language_and_lists_the_worst_first() -> None:
    result = run("evaluate", "-", given=lines(DIALOGUE, {**DIALOGUE, "lang": "en"}))

    assert result.exit_code == 0
    english, *rest = result.stdout.splitlines()
    assert english.startswith("en: 4 user turns, precision 0.500, recall 0.500, F1 0.500")
    assert "closed on 0 of 1 not done (0.00%), on 1 of 1 bare thanks" in english
    assert "closed on thanks: 'tchau'" in rest[0]
    assert "missed: 'meu gato sumiu'" in rest[1]


def test_evaluating_gives_the_same_figures_as_json() -> None:
    (figures,) = scored(run("evaluate", "-", "--json", "--worst", "1", given=lines(DIALOGUE)))

    assert (figures["precision"], figures["recall"], figures["f1"]) == (0.5, 0.5, 0.5)
    assert (figures["false_close_rate"], figures["thanks_closed_rate"]) == (0.0, 1.0)
    assert [mistake["text"] for mistake in figures["worst"]] == ["tchau"]


def test_a_dialogue_with_too_few_labels_is_named() -> None:
    result = run("evaluate", "-", given=lines({**DIALOGUE, "labels": ["close"]}, DIALOGUE))

    assert result.exit_code == 1
    assert "line 1: 4 user turns, 1 labels and 4 reasons" in result.stderr
    assert result.stdout.startswith("pt: 4 user turns")


def test_a_file_of_another_kind_is_not_reported_line_by_line() -> None:
    result = run("evaluate", "-", given=lines(*[{"text": "tchau"}] * 12))

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 11
    assert "2 more lines could not be read." in result.stderr


def test_an_unknown_label_is_named() -> None:
    result = run("evaluate", "-", given=lines({**DIALOGUE, "labels": ["bye", *DIALOGUE["labels"][1:]]}))

    assert result.exit_code == 1
    assert 'the label "bye" is none of close, thanks, continue' in result.stderr


def test_nothing_counted_has_no_shares() -> None:
    empty = {"lang": "pt", "turns": [], "labels": [], "reasons": []}

    assert "precision none, recall none, F1 none" in run("evaluate", "-", given=lines(empty)).stdout


def test_the_examples_of_the_page_are_what_the_program_prints() -> None:
    page = (REPOSITORY / "docs" / "closure.md").read_text("utf-8")

    printed = run("score", str(REPOSITORY / "tests" / "data" / "closure" / "examples.jsonl"), "--explain")

    assert f"```\n{printed.stdout.rstrip()}\n```" in page
