"""Secrets that programs and people show: random, told apart by a prefix, known to the database by a hash only."""

import hashlib
import secrets


def new_token(prefix: str = "") -> str:
    """256 random bits; shown once, then only its hash is known."""
    return prefix + secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """SHA-256 is enough here: the token is random, so there is nothing to guess."""
    return hashlib.sha256(token.encode(errors="replace")).digest()
