"""Hashes passwords slowly and checks them, off the event loop; refuses those that somebody would guess."""

import asyncio
import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from owner.models.access_errors import PasswordGuessable

SLOW: Final = PasswordHasher()
hasher = SLOW  # tests put a quick one here: they make thousands of people
GUESSES: Final = 1_000_000  # a password that takes no more is refused
_JUDGED: Final = 72  # characters: the estimate takes longer than in proportion


async def hash_password(password: str) -> str:
    return await asyncio.to_thread(hasher.hash, password)


async def is_password(password: str, password_hash: str | None) -> bool:
    """Whether it is the password. Where there is none to compare with, the answer takes as long."""
    return await asyncio.to_thread(_is_password, password, password_hash)


async def refuse_guessable(password: str, *, about: Iterable[str], field: str = "password") -> None:
    """Raise `PasswordGuessable` for a well-known password, and for one made of what is known about its person."""
    words = {"owner", *(word for text in about for word in (text, *re.findall(r"\w+", text)))}
    if await asyncio.to_thread(_guesses, password[:_JUDGED], words) <= GUESSES:
        raise PasswordGuessable(field=field)


def is_outdated(password_hash: str) -> bool:
    """Whether passwords are hashed more slowly now than when this one was."""
    return hasher.check_needs_rehash(password_hash)


def _is_password(password: str, password_hash: str | None) -> bool:
    stand_in = _stand_in(hasher)
    try:
        hasher.verify(password_hash or stand_in, password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def _guesses(password: str, words: Iterable[str]) -> int:
    """How many tries somebody needs who knows 30,000 passwords, and words, names, dates and keyboards."""
    from zxcvbn import zxcvbn  # 14 MB of words, for the few who choose a password

    return int(zxcvbn(password, user_inputs=list(words))["guesses"])


@cache
def _stand_in(slow: PasswordHasher) -> str:
    return slow.hash("")
