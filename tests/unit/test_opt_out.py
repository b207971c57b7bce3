import pytest

from owner.models.opt_out import (
    HELP_WORDS,
    OPT_IN_WORDS,
    OPT_OUT_WORDS,
    RESERVED_WORDS,
    OptOutIntent,
    opt_out_intent,
    single_word,
)


@pytest.mark.parametrize(
    "text",
    ["STOP", "stop", " Stop. ", "«parar»", "SAIR!!!", "sáir", "Baja", "opt-out", "END\n", "unsubscribe"],
)
def test_one_word_opts_out(text: str) -> None:
    assert opt_out_intent(text) is OptOutIntent.STOP


@pytest.mark.parametrize(
    "text",
    [
        "stop it",
        "please stop",
        "STOP ALL",
        "não quero parar",
        "sair do chat",
        "stopp",
        "",
        "   ",
        "...",
        "👋",
        "S T O P",
    ],
)
def test_several_words_or_none_are_an_ordinary_message(text: str) -> None:
    assert opt_out_intent(text) is None


@pytest.mark.parametrize("text", ["start", "YES", "unstop", "Iniciar", "voltar", "ALTA"])
def test_one_word_opts_in_again(text: str) -> None:
    assert opt_out_intent(text) is OptOutIntent.START


@pytest.mark.parametrize("text", ["help", "INFO?"])
def test_one_word_asks_who_this_is(text: str) -> None:
    assert opt_out_intent(text) is OptOutIntent.HELP


@pytest.mark.parametrize("text", ["ajuda", "ayuda", "sim", "sí", "cancelar"])
def test_words_that_customers_say_to_agents_reach_the_agents(text: str) -> None:
    assert opt_out_intent(text) is None


def test_an_owner_may_list_more_words() -> None:
    assert opt_out_intent("Cancelar!", extra_words=["cancelar", "remover"]) is OptOutIntent.STOP
    assert opt_out_intent("voltar", extra_words=["VOLTAR"]) is OptOutIntent.STOP
    assert opt_out_intent("quero cancelar", extra_words=["cancelar"]) is None


def test_an_extra_word_without_a_letter_matches_nothing() -> None:
    assert opt_out_intent("...", extra_words=["", "!", "dois nomes"]) is None


def test_twilios_own_verdict_wins() -> None:
    assert opt_out_intent("quero sair disso", opt_out_type="STOP") is OptOutIntent.STOP
    assert opt_out_intent("stop", opt_out_type="start") is OptOutIntent.START
    assert opt_out_intent("stop", opt_out_type="something new") is OptOutIntent.STOP


def test_the_word_sets_do_not_overlap() -> None:
    assert not OPT_OUT_WORDS & OPT_IN_WORDS
    assert not (OPT_OUT_WORDS | OPT_IN_WORDS) & HELP_WORDS
    assert RESERVED_WORDS > OPT_OUT_WORDS


def test_every_listed_word_is_in_the_spelling_it_is_compared_in() -> None:
    for word in RESERVED_WORDS | OPT_IN_WORDS | HELP_WORDS:
        assert single_word(word) == word


def test_a_long_text_is_no_word() -> None:
    assert single_word("a" * 10_000) is None
