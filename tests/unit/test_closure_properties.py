import json
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from owner.models.closure import ClosureScore, Turn, answers_closing_question, is_courtesy, score

settings.register_profile("untimed", deadline=None)  # the first example also reads the word lists
settings.load_profile("untimed")

CLOSINGS = (
    "encerrar", "pode encerrar, obrigado", "quero encerrar o atendimento", "tchau", "obrigado, tchau",
    "é só isso", "isso é tudo, obrigada", "valeu, até amanhã", "close the chat", "that's all, thanks",
    "goodbye", "thank you, have a nice day", "eso es todo, gracias", "adiós", "puede cerrar el chat", "obrigado",
)  # fmt: skip
NEGATIONS = (
    "não quero ",
    "ainda não quero ",
    "don't ",
    "I do not want to ",
    "no quiero ",
    "todavía no ",
    "nem ",
)
BATCHES = sorted((Path(__file__).parent.parent / "data" / "closure").glob("said_*.jsonl"))
CLOSED = [
    ([Turn(**turn) for turn in case["history"]], case["text"])
    for batch in BATCHES
    for case in map(json.loads, batch.read_text("utf-8").splitlines())
    if case["kind"] == "ends"
]
HISTORIES: tuple[list[Turn], ...] = (
    [],
    [Turn("user", "Oi"), Turn("agent", "O pedido saiu.")],
    [Turn("user", "Oi"), Turn("agent", "Posso ajudar em mais alguma coisa?")],
    [Turn("user", "Hi"), Turn("agent", "May I close this chat?")],
    [Turn("user", "Hola"), Turn("agent", "¿Es esta la dirección?")],
    [Turn("user", "Oi")],
)
WORDS = (
    "não", "obrigado", "tchau", "encerrar", "pedido", "quero", "só", "isso", "é", "tudo", "mas", "?", ",", ".",
    "thanks", "bye", "no", "that's", "all", "need", "I", "wait", "gracias", "nada", "más", "👋", "10", "boa", "noite",
)  # fmt: skip

histories = st.sampled_from(HISTORIES)
chatter = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)


def figures(found: ClosureScore) -> tuple[float, ...]:
    return (
        found.confidence,
        found.keyword_score,
        found.pattern_score,
        found.context_score,
        found.duration_modifier,
    )


@given(histories, st.one_of(st.text(max_size=300), chatter))
def test_any_text_gets_figures_between_zero_and_one(history: list[Turn], text: str) -> None:
    assert all(0 <= figure <= 1 for figure in figures(score(history, text)))
    assert is_courtesy(text) in (True, False)
    assert answers_closing_question(text) in (True, False, None)


@given(st.text(max_size=200), chatter)
def test_any_agent_text_can_be_read(asked: str, text: str) -> None:
    assert 0 <= score([Turn("agent", asked)], text).confidence <= 1


@given(histories, chatter)
def test_the_same_input_gives_the_same_score(history: list[Turn], text: str) -> None:
    assert score(history, text) == score(history, text)


@given(histories, st.one_of(chatter, st.sampled_from(CLOSINGS)))
def test_case_and_accents_change_nothing(history: list[Turn], text: str) -> None:
    plain = "".join(part for part in unicodedata.normalize("NFD", text) if not unicodedata.combining(part))

    assert score(history, text.upper()) == score(history, text)
    assert score(history, plain) == score(history, text)
    assert score(history, unicodedata.normalize("NFD", text)) == score(history, text)


@given(histories, st.one_of(chatter, st.sampled_from(CLOSINGS)), st.integers(2, 6), st.data())
def test_repeated_letters_change_nothing(
    history: list[Turn], text: str, times: int, data: st.DataObject
) -> None:
    letters = [place for place, sign in enumerate(text) if sign.isalpha()]
    if not letters:
        return
    place = data.draw(st.sampled_from(letters))

    stretched = text[:place] + text[place] * times + text[place + 1 :]

    assert score(history, stretched) == score(history, text)


@given(histories, st.sampled_from(CLOSINGS), st.sampled_from(NEGATIONS))
def test_a_negation_never_raises_the_score(history: list[Turn], text: str, negation: str) -> None:
    assert score(history, negation + text).confidence <= score(history, text).confidence


@given(histories, st.one_of(chatter, st.sampled_from(CLOSINGS)))
def test_nothing_that_follows_a_request_closes(history: list[Turn], text: str) -> None:
    assert score(history, f"Quero um táxi para amanhã. {text}").confidence == 0


@given(st.lists(st.text(min_size=1, max_size=40), max_size=20), st.sampled_from(CLOSINGS))
def test_what_was_read_before_changes_nothing(before: list[str], text: str) -> None:
    expected = figures(score([], text))
    for other in before:
        score([Turn("agent", other)], f"{other} {text}")

    assert figures(score([], text)) == expected


@given(st.sampled_from(CLOSED))
def test_case_and_accents_change_no_closing(case: tuple[list[Turn], str]) -> None:
    history, text = case
    plain = "".join(part for part in unicodedata.normalize("NFD", text) if not unicodedata.combining(part))

    assert score(history, text.upper()) == score(history, text)
    assert score(history, plain) == score(history, text)


@given(st.sampled_from(CLOSED))
def test_going_on_after_a_closing_keeps_it_open(case: tuple[list[Turn], str]) -> None:
    history, text = case
    for end in (", mas", ". Qual o prazo?", ", but wait", ". E o frete?", ". Quiero cambiar la dirección"):
        assert score(history, text + end).decision != "CLOSE"


@given(st.sampled_from(CLOSED))
def test_the_reasons_are_words_of_the_customer(case: tuple[list[Turn], str]) -> None:
    history, text = case
    said = " ".join([text, *(turn.text for turn in history)])
    for signal in score(history, text).signals:
        assert all(word in said for word in signal.words.split())


@given(histories, st.sampled_from(CLOSINGS))
def test_an_open_end_never_closes(history: list[Turn], text: str) -> None:
    for end in (", mas", " mas e o frete?", ", but wait", ", pero una cosa más", ". Qual o prazo?"):
        assert score(history, text + end).decision == "NONE"


HOSTILE = {
    "no": "não ", "thanks for": "obrigado por ", "one letter": "a", "commas": "a,", "questions": "? ",
    "marks": "̖́", "ligature": "\ufdfa", "emoji": "👋", "smiles": ":)", "half smiles": ":d", "quotes": ">\n",
    "slips": "obrigadx ", "beginnings": "that is ", "negations": "dont ", "hyphens": "a-", "dashes": "--", "hearts": "<3",
    "nested": "não é só isso que eu preciso mas ", "greetings": "boa noite ", "that is it": "é isso ",
}  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("history", [HISTORIES[1], HISTORIES[2]], ids=["statement", "offer"])
def test_work_grows_with_the_text_and_not_faster(unit: str, history: list[Turn]) -> None:
    def calls(length: int) -> int:
        """How many functions are called: the same on every machine, however busy."""
        text = (unit * length)[:length]
        counted = Counter[str]()
        sys.setprofile(lambda _frame, event, _argument: counted.update((event,)))
        try:
            score([*history, Turn("user", text)], text)
        finally:
            sys.setprofile(None)
        return counted["call"] + counted["c_call"]

    calls(100)

    assert calls(40_000) < 10 * calls(5_000) + 1_000  # eight times the text


@settings(max_examples=30)
@given(st.text(alphabet=st.sampled_from("nãobrigdtchu ?,.!👋á́"), min_size=2_000, max_size=10_000))
def test_ten_thousand_characters_of_anything_get_a_score(text: str) -> None:
    assert 0 <= score(HISTORIES[1], text).confidence <= 1
