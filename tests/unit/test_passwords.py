"""Passwords are kept so that a stolen table is worth little."""

from owner.services import passwords


def test_a_hash_costs_at_least_what_owasp_asks() -> None:
    # OWASP's password storage cheat sheet for Argon2id: 19 MiB and two passes, or costlier.
    assert passwords.SLOW.memory_cost >= 19 * 1024
    assert passwords.SLOW.time_cost >= 2
    assert passwords.SLOW.type.name == "ID"
