"""Hashes passwords slowly and checks them, off the event loop."""

import asyncio
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SLOW: Final = PasswordHasher()
hasher = SLOW  # tests put a quick one here: they make thousands of people


async def hash_password(password: str) -> str:
    return await asyncio.to_thread(hasher.hash, password)


async def is_password(password: str, password_hash: str | None) -> bool:
    """Whether it is the password. Where there is none to compare with, the answer takes as long."""
    return await asyncio.to_thread(_is_password, password, password_hash)


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


@cache
def _stand_in(slow: PasswordHasher) -> str:
    return slow.hash("")
