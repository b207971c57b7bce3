"""The answer that repeats the verb of the question: "Recebeu?", "Recebi sim, obrigada"."""

from dataclasses import replace
from typing import Final

from owner.models.closure_agent import AgentTurn
from owner.models.closure_phrases import Item, lexicon, marks_of
from owner.models.closure_reading import Reading
from owner.models.closure_sections import DECLINES, Section
from owner.models.closure_text import clauses_of

_COMMON_AT_LEAST: Final = 4  # letters that both verbs begin with: "receb-eu", "receb-i"
_ENDING_AT_MOST: Final = 4  # letters behind them: "consegu-iram"
_WANTS_MORE_THAN_YES: Final = (Section.ASKS_ITEMS, Section.ASKS_OTHER, Section.WANTS_TO_KNOW)
_OR: Final = frozenset({"ou", "or"})
_SPANISH_OR: Final = frozenset({"o", "u"})  # "o" is "the" in Portuguese
_SHORT: Final = 3  # letters of "deu", "foi", which are repeated as they are


def without_echo(reading: Reading, agent: AgentTurn) -> Reading:
    """The reading with what repeats the agent's yes-or-no question taken for the "yes" that it is."""
    if not reading.left_over or not agent.asks_something_else or agent.did(*_WANTS_MORE_THAN_YES):
        return reading
    if reading.opens_with in DECLINES:
        return reading  # "não normalizou"
    asked = _asked_words(agent.text)
    echoes = [item.words for item in reading.left_over if _repeats(item, asked)]
    tells_more = any(item.words not in echoes and item.words not in asked for item in reading.left_over)
    if not echoes or tells_more:
        return reading
    tells = agent.asks_how_it_went or echoes[0] not in asked or _is_first(echoes[0], asked)
    section = Section.SUCCESS if tells else Section.YES  # "calabresa", to "quer calabresa?", agrees
    evidence = [Item(section, " ".join(echoes)), *reading.evidence]
    return replace(reading, left_over=[], evidence=evidence, opens_with=section, runs_on=False)


def _asked_words(text: str) -> list[str]:
    """The words of its last question; none where it asks which, or for one of two."""
    clauses = [clause for clause in clauses_of(text) if clause.is_asked]
    words = clauses[-1].words if clauses else []
    return [] if _asks_which(words) else words


def _is_first(echo: str, asked: list[str]) -> bool:
    """Portuguese and Spanish begin with the verb: "Chegou o pedido?"."""
    told = [item.words for item in lexicon().items(asked) if item.section is not Section.FILLER]
    return told[0] == echo


def _asks_which(words: list[str]) -> bool:
    if any(item.section is Section.QUESTION for item in lexicon().items(words)):
        return True
    is_spanish = not marks_of("es").isdisjoint(words)
    return not _OR.isdisjoint(words) or (is_spanish and not _SPANISH_OR.isdisjoint(words))


def _repeats(item: Item, asked: list[str]) -> bool:
    return item.section is Section.LEFT_OVER and any(_is_same_verb(item.words, word) for word in asked)


def _is_same_verb(said: str, asked: str) -> bool:
    if said == asked:
        return len(said) >= _SHORT
    common = 0
    for mine, theirs in zip(said, asked, strict=False):
        if mine != theirs:
            break
        common += 1
    return common >= _COMMON_AT_LEAST and max(len(said), len(asked)) - common <= _ENDING_AT_MOST
