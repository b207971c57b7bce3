"""Passwords are kept so that a stolen table is worth little."""

import pytest

from owner.models.access_errors import PasswordGuessable
from owner.services import passwords

ABOUT = ("Ana Souza", "ana.souza@padaria-central.example")


def test_a_hash_costs_at_least_what_owasp_asks() -> None:
    # OWASP's password storage cheat sheet for Argon2id: 19 MiB and two passes, or costlier.
    assert passwords.SLOW.memory_cost >= 19 * 1024
    assert passwords.SLOW.time_cost >= 2
    assert passwords.SLOW.type.name == "ID"


@pytest.mark.parametrize(
    "password",
    [
        "12345678",
        "password",
        "Passw0rd!",
        "qwertyuiop",
        "corinthians1",
        "aaaaaaaaaaaaaaaa",
        "souza2024",
        "padariacentral",
        "ana.souza@padaria-central.example",
        "owner123",
        "a" * 1024,
    ],
)
async def test_a_password_that_somebody_would_guess_is_refused(password: str) -> None:
    with pytest.raises(PasswordGuessable):
        await passwords.refuse_guessable(password, about=ABOUT)


@pytest.mark.parametrize(
    "password", ["correct horse", "três tigres tristes", "Tr0ub4dor&3", "🦊🌧🧱🎻🪁🍋🧭🪲"]
)
async def test_any_other_is_taken_whatever_it_is_made_of(password: str) -> None:
    await passwords.refuse_guessable(password, about=ABOUT)
