"""Words as they are searched for, and the piece of a text that shows them."""

import pytest

from owner.models.search import (
    LONGEST_WORD,
    MOST_WORDS,
    SNIPPET,
    is_unfinished,
    searched_words,
    snippet_of,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Olá, Ana!", ["ola", "ana"]),
        ("PROMOÇÃO", ["promocao"]),
        ("promoc\u0327a\u0303o", ["promocao"]),
        ("pedido nº 1.234-56", ["pedido", "no", "1", "234", "56"]),
        ("ana@example.com", ["ana", "example", "com"]),
        ("señor, straße", ["senor", "strasse"]),
        ("a_b 'c' & | ! ( ) : * \\ <->", ["a", "b", "c"]),
        ("Ⅳ ½ ª", ["iv", "a"]),
        ("Привет 世界", ["привет", "世界"]),
        ("👍🏽 ok", ["ok"]),
        ("\u0301", []),
        ("\x00\x1f\u200b", []),
        ("", []),
    ],
)
def test_words_have_no_accents_no_case_and_nothing_between_them(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_a_search_has_each_word_once_and_not_too_many() -> None:
    assert searched_words("oi Oi OI") == ["oi"]
    assert len(searched_words(" ".join(f"w{number}" for number in range(1000)))) == MOST_WORDS


def test_an_endless_word_is_cut() -> None:
    assert words_of("a" * 5000) == ["a" * LONGEST_WORD]


def test_a_blank_ends_the_last_word() -> None:
    assert [is_unfinished(text) for text in ("entre", "entre ", "")] == [True, False, False]


def test_what_was_found_is_marked_where_it_is_written() -> None:
    snippet = snippet_of("Sua ENTREGA saiu. A entrega é hoje.", {"entrega"})

    assert snippet.text == "Sua ENTREGA saiu. A entrega é hoje."
    assert [snippet.text[start:end] for start, end in snippet.highlights] == ["ENTREGA", "entrega"]


def test_a_long_text_is_cut_around_the_first_word_that_was_found() -> None:
    text = "blá " * 200 + "a sua entrega chegou " + "blá " * 200

    snippet = snippet_of(text, {"entrega"})

    assert [snippet.text[start:end] for start, end in snippet.highlights] == ["entrega"]
    assert snippet.text.startswith("…blá")
    assert snippet.text.endswith("blá…")
    assert len(snippet.text) <= SNIPPET + 2


@pytest.mark.parametrize("text", ["", "x" * 5000, "👍" * 500, "entrega" * 100])
def test_a_text_in_which_nothing_was_found_is_shown_from_its_beginning(text: str) -> None:
    snippet = snippet_of(text, {"outro"})

    assert snippet.highlights == []
    assert snippet.text.rstrip("…") == text[: len(snippet.text.rstrip("…"))]


def test_a_mark_stays_within_a_text_without_blanks() -> None:
    text = "x," * 100 + "entrega" + ",x" * 100

    snippet = snippet_of(text, {"entrega"})

    assert [snippet.text[start:end] for start, end in snippet.highlights] == ["entrega"]
