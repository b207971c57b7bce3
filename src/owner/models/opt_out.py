"""The single words by which people refuse, or again allow, all messages of a sender."""

import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

_TWILIO_STOPS: Final = ("STOP", "UNSUBSCRIBE", "END", "QUIT", "STOPALL", "REVOKE", "OPTOUT", "CANCEL")
_TWILIO_STARTS: Final = ("START", "YES", "UNSTOP")

#: Twilio's words, obeyed by Twilio itself on SMS, and ours for WhatsApp, where nobody else obeys them.
OPT_OUT_WORDS: Final = frozenset({*_TWILIO_STOPS, "SAIR", "PARAR", "BAJA"})
#: "YES" changes nothing for a customer who has not opted out, so an ordinary yes is safe.
OPT_IN_WORDS: Final = frozenset({*_TWILIO_STARTS, "INICIAR", "VOLTAR", "ALTA"})
#: Twilio answers these by itself. "AJUDA" and "AYUDA" it doesn't know: they are for the agents.
HELP_WORDS: Final = frozenset({"HELP", "INFO"})
#: No keyword may close a conversation that could also mean to opt out. "CANCELAR" alone nearly always speaks
#: of an order, so it opts out only where an owner lists it; but it never says that a conversation is over.
RESERVED_WORDS: Final = OPT_OUT_WORDS | {"CANCELAR"}

_LONGEST_WORD: Final = 40  # characters; a longer text is no keyword


class OptOutIntent(StrEnum):
    """What a single word asks for, named as Twilio's `OptOutType`."""

    STOP = "STOP"  # no more messages
    START = "START"  # messages again
    HELP = "HELP"  # who is this?


def opt_out_intent(
    text: str, opt_out_type: str | None = None, extra_words: Iterable[str] = ()
) -> OptOutIntent | None:
    """What the message asks for, or None for an ordinary message.

    Twilio's own verdict (`OptOutType`, with Advanced Opt-Out) wins. `extra_words` are an owner's further
    words to opt out; they win over the lists, so that an owner may list "VOLTAR" or "CANCELAR".
    """
    if opt_out_type and opt_out_type.upper() in OptOutIntent.__members__:
        return OptOutIntent[opt_out_type.upper()]
    word = single_word(text)
    if word is None:
        return None
    if word in OPT_OUT_WORDS or any(word == single_word(extra) for extra in extra_words):
        return OptOutIntent.STOP
    if word in OPT_IN_WORDS:
        return OptOutIntent.START
    return OptOutIntent.HELP if word in HELP_WORDS else None


def single_word(text: str) -> str | None:
    """The one word of a text in capitals, without accents and punctuation ("Opt-out!" is OPTOUT), or None."""
    stripped = text.strip()
    if len(stripped) > _LONGEST_WORD or len(stripped.split()) != 1:
        return None
    parts = unicodedata.normalize("NFKD", stripped)
    return "".join(part for part in parts if part.isalnum()).upper() or None
