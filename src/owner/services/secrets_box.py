"""Encrypts what the database must not know, with keys that can be rotated."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from owner.models.errors import Misconfigured


class FernetBox:
    """Fulfils `ports.SecretBox`: encrypts with the newest key, reads with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key.encode()) for key in keys])
        except ValueError as problem:
            raise Misconfigured(
                "OWNER_SECRET_KEY is no list of Fernet keys: make one with `owner secrets generate`.",
                field="OWNER_SECRET_KEY",
            ) from problem

    def encrypt(self, secret: str) -> bytes:
        return self._fernet.encrypt(secret.encode())

    def decrypt(self, token: bytes) -> str:
        with _explained():
            return self._fernet.decrypt(token).decode()

    def rotate(self, token: bytes) -> bytes:
        with _explained():
            return self._fernet.rotate(token)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except InvalidToken as problem:
        raise Misconfigured(
            "A stored secret was encrypted with a key that is not in OWNER_SECRET_KEY: add the former key at the end.",
            field="OWNER_SECRET_KEY",
        ) from problem


def new_secret_key() -> str:
    return Fernet.generate_key().decode()
