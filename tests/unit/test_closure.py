import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from owner.models import closure
from owner.models.closure import (
    CLOSE_BUTTON,
    KEEP_OPEN_BUTTON,
    ClosureDecision,
    ClosureKeywords,
    Turn,
    answers_closing_question,
    check_keywords,
    is_courtesy,
    score,
)
from owner.models.closure_message import read_message
from owner.models.closure_phrases import LANGUAGES, lexicon, longest, tree_of
from owner.models.closure_sections import Section
from owner.models.closure_text import clauses_of, normalise, words_of
from owner.models.errors import InvalidInput, ReservedClosureKeyword
from owner.models.opt_out import RESERVED_WORDS

CASES = Path(__file__).parent.parent / "data" / "closure"
ANSWERED = (Turn("user", "Cadê meu pedido?"), Turn("agent", "O seu pedido saiu para entrega."))
OFFERED = (*ANSWERED, Turn("user", "Que bom"), Turn("agent", "Posso ajudar em mais alguma coisa?"))
ASKED_TO_CLOSE = (*ANSWERED, Turn("user", "obrigado"), Turn("agent", "Posso encerrar o atendimento?"))
ASKED_ADDRESS = (*ANSWERED, Turn("user", "Não chegou"), Turn("agent", "O endereço é este?"))

NONE, CONFIRM, CLOSE = ClosureDecision.NONE, ClosureDecision.CONFIRM, ClosureDecision.CLOSE


def hard_cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{language}-{case['kind']}-{case['text'][:40]}")
        for language in LANGUAGES
        for case in map(json.loads, (CASES / f"{language}.jsonl").read_text("utf-8").splitlines())
    ]


@pytest.mark.parametrize("case", hard_cases())
def test_a_hard_case_is_decided_as_a_person_would(case: dict[str, Any]) -> None:
    history = [Turn(**turn) for turn in case["history"]]

    found = score(history, case["text"], context=case.get("context"))

    assert found.decision in case["expect"], found


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_people_say_is_nearly_always_read_as_they_mean_it(language: str) -> None:
    lines = (CASES / f"said_{language}.jsonl").read_text("utf-8").splitlines()
    cases = [json.loads(line) for line in lines]

    wrong = [
        case
        for case in cases
        if score([Turn(**turn) for turn in case["history"]], case["text"]).decision not in case["expect"]
    ]

    assert len(wrong) <= 0.02 * len(cases), wrong
    assert sum(case["kind"] != "ends" for case in wrong) <= 0.005 * len(cases), (
        "closed on customers who go on"
    )


def test_the_confidence_is_the_seeds_formula() -> None:
    found = score(ANSWERED, "obrigado")

    expected = (
        0.5 * found.keyword_score + 0.3 * found.pattern_score + 0.2 * found.context_score
    ) * found.duration_modifier
    assert found.confidence == round(expected, 4)


def test_of_a_message_as_large_as_a_webhook_can_be_the_end_is_read_and_nothing_is_kept() -> None:
    everything = "a " * 400_000
    before = closure._read_and_keep.cache_info().currsize

    score(OFFERED, everything)

    assert len(read_message(everything).left_over) < 5_000
    assert closure._read_and_keep.cache_info().currsize == before


def test_the_weights_sum_to_one() -> None:
    assert closure.KEYWORD_WEIGHT + closure.PATTERN_WEIGHT + closure.CONTEXT_WEIGHT == 1


@pytest.mark.parametrize("text", ["encerrar", "pode encerrar, obrigado", "close the chat", "puede cerrar"])
def test_an_explicit_message_is_full_evidence_on_all_three_scores(text: str) -> None:
    found = score(ANSWERED, text)

    assert (found.keyword_score, found.pattern_score, found.context_score) == (1, 1, 1)
    assert found.confidence == 1


def test_thanks_and_a_goodbye_without_any_context_reach_the_threshold_exactly() -> None:
    found = score([*ANSWERED, Turn("agent", "Qual o seu CPF?")], "obrigado, tchau")

    assert found.confidence == 0.8
    assert found.decision is CLOSE


@pytest.mark.parametrize("text", ["obrigado", "thanks", "gracias", "vlw", "thank you so much for your help"])
def test_bare_thanks_are_asked_about(text: str) -> None:
    assert 0.6 <= score(ANSWERED, text).confidence < 0.8


def test_no_means_what_the_question_before_it_makes_of_it() -> None:
    assert score(OFFERED, "não").decision is CLOSE
    assert score(ASKED_ADDRESS, "não").decision is NONE
    assert score(ASKED_TO_CLOSE, "não").decision is NONE


def test_yes_means_what_the_question_before_it_makes_of_it() -> None:
    assert score(OFFERED, "sim").decision is NONE
    assert score(ASKED_ADDRESS, "sim").decision is NONE
    assert score(ASKED_TO_CLOSE, "sim").decision is CLOSE


def test_a_question_that_was_not_understood_still_stands() -> None:
    again = [*OFFERED, Turn("user", "n"), Turn("agent", "Não entendi. Pode repetir?")]

    assert score(again, "Não.").decision is CLOSE


def test_the_first_message_does_not_close() -> None:
    found = score([], "obrigado, tchau")

    assert found.duration_modifier == 0.5
    assert found.decision is NONE


def test_the_first_message_closes_when_it_asks_for_it() -> None:
    assert score([], "encerrar").decision is CLOSE


def test_thanks_before_anybody_answered_close_nothing() -> None:
    found = score([Turn("user", "Qual é o prazo?")], "obrigado")

    assert found.duration_modifier == 0.9
    assert found.decision is NONE


def test_a_goodbye_split_into_two_messages_closes() -> None:
    assert score([*ANSWERED, Turn("user", "obrigado")], "tchau").decision is CLOSE


def test_a_greeting_the_next_morning_opens_a_new_day() -> None:
    soon = score(ANSWERED, "boa noite", age=timedelta(minutes=2))
    later = score(ANSWERED, "boa noite", age=timedelta(hours=12))

    assert soon.decision is CONFIRM
    assert later.decision is NONE


def test_every_reason_names_the_words_that_caused_it() -> None:
    signals = {signal.name: signal for signal in score(OFFERED, "Não, muito obrigado!").signals}

    assert signals["thanks"].words == "muito obrigado"
    assert signals["no"].words == "Não"
    assert signals["agent: anything else"].weight == 1


def test_a_veto_is_the_only_reason_and_weighs_against() -> None:
    found = score(ANSWERED, "obrigado, mas e o frete?")

    assert [signal.weight for signal in found.signals] == [-1]
    assert found.confidence == 0


def test_a_score_is_json() -> None:
    found = score(OFFERED, "não, obrigado")

    assert json.loads(json.dumps(found.as_dict()))["decision"] == "CLOSE"
    assert list(found.as_dict()) == [
        "confidence", "decision", "keyword_score", "pattern_score", "context_score", "duration_modifier",
        "signals", "detector_version",
    ]  # fmt: skip


def test_the_owners_thresholds_decide() -> None:
    assert score(ANSWERED, "obrigado", close_at=0.6).decision is CLOSE
    assert score(ANSWERED, "obrigado", confirm_at=0.76).decision is NONE


class TestContextOfIntegrators:
    def test_the_close_button_closes_whatever_its_caption_says(self) -> None:
        assert score(ANSWERED, "Sim!!!", context={"button": CLOSE_BUTTON}).confidence == 1

    def test_a_button_whose_payload_asks_to_close_closes(self) -> None:
        assert score(ANSWERED, "👍", context={"button": "encerrar_atendimento"}).confidence == 1

    def test_the_other_button_keeps_the_conversation_open(self) -> None:
        assert score(ASKED_TO_CLOSE, "sim", context={"button": KEEP_OPEN_BUTTON}).decision is NONE

    def test_an_unknown_button_leaves_the_text_to_decide(self) -> None:
        assert score(ANSWERED, "tchau", context={"button": "menu_3"}).decision is CLOSE
        assert score(ANSWERED, "Menu", context={"button": "menu_3"}).decision is NONE

    def test_may_not_close_forbids(self) -> None:
        assert score(ANSWERED, "tchau", context={"can_close": False}).decision is NONE

    @pytest.mark.parametrize("key", ["goal_achieved", "can_close"])
    def test_a_reached_goal_makes_thanks_enough(self, key: str) -> None:
        assert score(ANSWERED, "obrigado", context={key: True}).decision is CLOSE

    def test_a_reached_goal_alone_closes_nothing(self) -> None:
        assert score(ANSWERED, "e o frete?", context={"goal_achieved": True}).decision is NONE

    def test_pending_actions_turn_closing_into_asking(self) -> None:
        assert score(ANSWERED, "obrigado, tchau", context={"pending_actions": ["refund"]}).decision is CONFIRM

    def test_an_explicit_wish_closes_in_spite_of_pending_actions(self) -> None:
        assert score(ANSWERED, "pode encerrar", context={"pending_actions": ["refund"]}).decision is CLOSE

    @pytest.mark.parametrize(
        "context", [{"button": 3}, {"pending_actions": None}, {"can_close": "no"}, {"x": {}}]
    )
    def test_values_of_other_kinds_are_ignored(self, context: dict[str, object]) -> None:
        assert score(ANSWERED, "obrigado", context=context) == score(ANSWERED, "obrigado")


class TestOwnKeywords:
    def test_an_owners_keyword_closes(self) -> None:
        own = ClosureKeywords(keywords=("já comprei, bora",))

        assert score(ANSWERED, "Já comprei bora!").decision is NONE
        assert score(ANSWERED, "Já comprei bora!", keywords=own).decision is CLOSE

    def test_an_owners_keyword_in_another_meaning_does_not(self) -> None:
        own = ClosureKeywords(keywords=("fim",))

        assert score(ANSWERED, "fim", keywords=own).decision is CLOSE
        assert score(ANSWERED, "no fim de semana", keywords=own).decision is NONE
        assert score(ANSWERED, "não é o fim", keywords=own).decision is NONE

    def test_a_protected_phrase_keeps_open(self) -> None:
        own = ClosureKeywords(never=("até mais barato",))

        assert score(ANSWERED, "Até mais!", keywords=own).decision is CLOSE
        assert score(ANSWERED, "obrigado, até mais barato, tchau", keywords=own).decision is NONE

    def test_keywords_instead_of_the_lists_close_alone(self) -> None:
        own = ClosureKeywords(keywords=("xau xau loja",), replaces_lists=True)

        assert score(ANSWERED, "tchau", keywords=own).decision is NONE
        assert score(ANSWERED, "xau xau loja", keywords=own).decision is CLOSE
        assert score(OFFERED, "não, obrigado", keywords=own).decision is CLOSE

    @pytest.mark.parametrize(
        "word", ["stop", "End", "CANCEL", "Sair.", "párar", "baja", "cancelar", "OPTOUT"]
    )
    def test_a_word_that_opts_out_is_refused(self, word: str) -> None:
        with pytest.raises(ReservedClosureKeyword, match="opts the customer out") as refusal:
            check_keywords(["tchau", word])

        assert isinstance(refusal.value, InvalidInput)
        with pytest.raises(ReservedClosureKeyword):
            ClosureKeywords(keywords=(word,))

    def test_a_phrase_that_contains_such_a_word_is_allowed(self) -> None:
        check_keywords(["sair do chat", "fim", "encerrar"])

    def test_keywords_without_a_letter_match_nothing(self) -> None:
        own = ClosureKeywords(keywords=("", "...", "  "), never=("!",))

        assert score(ANSWERED, "...", keywords=own).decision is NONE


class TestCourtesy:
    @pytest.mark.parametrize(
        "text",
        [
            "obrigado",
            "Tchau!",
            "thanks, bye",
            "gracias, hasta luego",
            "obrigada, boa noite",
            "🙏",
            "igualmente",
        ],
    )
    def test_thanks_and_goodbyes_are_courtesy(self, text: str) -> None:
        assert is_courtesy(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "boa noite",
            "ok",
            "obrigado, e o frete?",
            "valeu a pena",
            "pode encerrar",
            "oi",
            "bye, wait",
            "não",
        ],
    )
    def test_anything_more_or_less_is_not(self, text: str) -> None:
        assert not is_courtesy(text)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        *[
            (text, True)
            for text in ("sim", "pode encerrar", "yes please", "sí, gracias", "👍", "ok", "era só isso")
        ],
        *[
            (text, False)
            for text in ("não", "ainda não", "no, wait", "espera", "don't close", "não, obrigado")
        ],
        *[(text, None) for text in ("", "qual o prazo?", "obrigado", "quero um táxi", "boa noite")],
    ],
)
def test_an_answer_to_may_i_close_is_yes_no_or_neither(text: str, *, answer: bool | None) -> None:
    assert answers_closing_question(text) is answer


class TestSpelling:
    @pytest.mark.parametrize("text", ["Tchau", "TCHAUUU", "tcháu", "*tchau*", "𝐭𝐜𝐡𝐚𝐮", "_Tchau_"])  # noqa: RUF001
    def test_one_word_has_one_spelling(self, text: str) -> None:
        assert words_of(text) == ["tchau"]

    def test_apostrophes_and_hyphens_do_not_split_meaning(self) -> None:
        assert words_of("that’s good-bye") == words_of("thats good bye")  # noqa: RUF001

    def test_quoted_lines_are_not_the_customers(self) -> None:
        assert [clause.words for clause in clauses_of("> posso encerrar?\nnão")] == [["nao"]]

    def test_a_smile_is_no_letter(self) -> None:
        assert normalise("obrigada :D").split() == ["obrigada", "🙂"]

    def test_a_run_of_combining_marks_costs_no_quadratic_time(self) -> None:
        assert len(normalise("a" + "̖́" * 200_000)) == 1


class TestWordLists:
    def test_no_closing_phrase_is_an_opt_out_word(self) -> None:
        closing = {Section.CLOSE_NOW, Section.GOODBYE, Section.DONE, Section.GOOD_WISHES, Section.THANKS}

        for word in RESERVED_WORDS:
            section, _ = longest(lexicon().said, words_of(word), 0)
            assert section not in closing, word

    def test_a_line_with_brackets_stands_for_every_choice(self) -> None:
        tree = tree_of([("[muito] (obrigado / obrigada) [por (tudo / isso)]", Section.THANKS)])

        for phrase in ("obrigado", "muito obrigada", "obrigada por tudo", "muito obrigado por isso"):
            words = words_of(phrase)
            assert longest(tree, words, 0) == (Section.THANKS, len(words))
        assert longest(tree, ["muito"], 0) == (None, 0)

    def test_the_careful_heading_wins(self) -> None:
        tree = tree_of([("fim", Section.CLOSE_NOW), ("fim", Section.OTHER_MEANING)])

        assert longest(tree, ["fim"], 0) == (Section.OTHER_MEANING, 1)

    @pytest.mark.parametrize("line", ["(a / b", "a]", "[a)", "a)"])
    def test_a_bracket_without_its_partner_is_refused(self, line: str) -> None:
        with pytest.raises(ValueError, match="without its partner"):
            tree_of([(line, Section.THANKS)])


class TestAQuestionThatIsPast:
    ASKED = (Turn("user", "Oi"), Turn("agent", "Posso encerrar o atendimento?"))

    def test_a_yes_within_the_hour_closes(self) -> None:
        assert score(self.ASKED, "sim", age=timedelta(minutes=59)).decision is CLOSE

    def test_a_yes_after_the_hour_closes_nothing(self) -> None:
        assert score(self.ASKED, "sim", age=timedelta(hours=1)).decision is NONE

    def test_a_wish_to_close_needs_no_question(self) -> None:
        assert score(self.ASKED, "sim, pode encerrar", age=timedelta(hours=2)).decision is CLOSE

    def test_a_yes_after_a_no_closes_nothing(self) -> None:
        assert score((*self.ASKED, Turn("user", "não")), "sim").decision is NONE

    def test_a_no_after_a_new_request_declines_nothing(self) -> None:
        offered = (*OFFERED, Turn("user", "sim, quero trocar o endereço"))

        assert score(offered, "não").decision is NONE
