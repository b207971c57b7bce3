"""The words under which a contact is found."""

import pytest

from owner.models.search_words import MOST_WORDS, asked_words, fold, words_of, words_of_address


@pytest.mark.parametrize(
    ("text", "folded"),
    [("José", "jose"), ("SÃO LUÍS", "sao luis"), ("Ñandú", "nandu"), ("王さん", "王さん"), ("", "")],
)
def test_case_and_accents_make_no_difference(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_words_come_once_in_their_order_and_not_without_end() -> None:
    assert words_of(["Ana, ana; ANA-Maria", "o'Neill_x"]) == ["ana", "maria", "o", "neill", "x"]
    assert len(words_of([" ".join(f"w{number}" for number in range(2 * MOST_WORDS))])) == MOST_WORDS
    assert words_of(["x" * 500]) == ["x" * 64]


def test_a_brazilian_mobile_is_found_however_it_is_said() -> None:
    words = words_of_address("+5511987654321")

    for said in (
        "+55 11 98765-4321",
        "(11) 98765-4321",
        "11 8765-4321",
        "98765 4321",
        "8765-4321",
        "4321",
        "+551187654321",
    ):
        [asked] = asked_words(said)
        assert any(word.startswith(asked) for word in words), said


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Ana 42", ["ana", "42"]),
        ("123", ["123"]),
        ("--", []),
        ("+1 (212) 655-4321", ["12126554321"]),
        (" ".join("abcdefghijkl"), list("abcdefgh")),
    ],
)
def test_a_question_is_its_words_and_a_number_is_one(text: str, asked: list[str]) -> None:
    assert asked_words(text) == asked


def test_an_id_that_is_no_number_is_found_by_its_words() -> None:
    assert words_of_address("telegram:Ana.99") == ["telegram", "ana", "99"]
