"""How many SMS segments a text takes, as carriers count them."""

from typing import Final

GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
)
GSM_EXTENDED: Final = frozenset("^{}\\[~]|€\f")


def count_segments(text: str) -> int:
    characters = set(text)
    if characters <= GSM_BASIC | GSM_EXTENDED:
        septets = len(text) + sum(text.count(character) for character in characters & GSM_EXTENDED)
        return _split(septets, alone=160, chained=153)
    return _split(len(text.encode("utf-16-le", "surrogatepass")) // 2, alone=70, chained=67)


def _split(units: int, *, alone: int, chained: int) -> int:
    return 1 if units <= alone else -(-units // chained)
