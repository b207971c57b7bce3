"""The choice of an agent's menu that ends the conversation: "Type 9 to finish"."""

from functools import lru_cache
from itertools import takewhile
from typing import Final

from owner.models.closure_phrases import lexicon
from owner.models.closure_sections import Section
from owner.models.closure_text import clauses_of, words_of

_READ_AT_MOST: Final = 600  # characters from the end
_MENUS_KEPT: Final = 1_000
_LONGEST_CHOICE: Final = 20  # characters of "9", "encerrar", "9 encerrar"
_TO: Final = frozenset({"to", "para", "pra"})
_LEAVES: Final = frozenset(words_of("encerrar sair salir exit quit"))  # nobody says so of an order
_ENDS: Final = _LEAVES | frozenset(words_of("end finish close finalizar terminar concluir cerrar"))
_OR: Final = frozenset({"or", "ou", "u"})
_ITS: Final = frozenset(words_of("o a do da el la de del the this our your seu sua nosso este esta su"))


def ends_by_menu(agent: str, text: str) -> bool:
    """The message is the choice with which the agent's menu ends the conversation, and no more."""
    if len(text) > _LONGEST_CHOICE:
        return False
    chosen = words_of(text)
    return bool(chosen) and chosen[0] in _choices_that_end(agent) and _ENDS.issuperset(chosen[1:])


@lru_cache(maxsize=_MENUS_KEPT)
def _choices_that_end(agent: str) -> frozenset[str]:
    return frozenset(
        choice for clause in clauses_of(agent[-_READ_AT_MOST:]) for choice in _choices_of(clause.words)
    )


def _choices_of(words: list[str]) -> list[str]:
    """What stands before "to finish the chat", and neither before "the order" nor before nothing."""
    found = []
    for place, (choice, to, verb) in enumerate(zip(words, words[1:], words[2:], strict=False)):
        told = list(takewhile(lambda word: word not in _OR, words[place + 3 :]))
        if to in _TO and verb in _ENDS and _ends_conversation(verb, told):
            found.append(choice)
    return found


def _ends_conversation(verb: str, told: list[str]) -> bool:
    conversation = lexicon().sets[Section.CONVERSATION_WORD]
    names_it = not conversation.isdisjoint(told)
    return (names_it or verb in _LEAVES) and all(word in conversation or word in _ITS for word in told)
