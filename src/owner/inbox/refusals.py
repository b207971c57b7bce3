"""Says to a person, in their language, why what they sent was not taken."""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError

from owner.inbox.language import Voice
from owner.models.access_errors import CodeRejected, PasswordWrong
from owner.models.errors import (
    Conflict,
    InvalidInput,
    OutcomeUnknown,
    OwnerError,
    ProviderError,
    WebhookUrlForbidden,
)
from owner.models.outage_errors import RateLimited

REFUSALS: Final = (
    ValidationError,
    InvalidInput,
    Conflict,
    PasswordWrong,
    CodeRejected,
    WebhookUrlForbidden,
    RateLimited,
    ProviderError,
    OutcomeUnknown,
)
"""What a person can put right in the form, or by sending it again later."""


def explain(voice: Voice, problem: Exception) -> Iterator[tuple[str, str]]:
    """The field and the sentence of everything that is wrong; an empty field where it is no single one."""
    if isinstance(problem, ValidationError):
        for found in problem.errors():
            names = [part for part in found["loc"] if isinstance(part, str)]
            yield (
                (names[-1] if names else ""),
                _invalid(voice, found["type"], found.get("ctx", {}), found["msg"]),
            )
    elif isinstance(problem.__cause__, ValidationError):
        yield from explain(voice, problem.__cause__)
    elif isinstance(problem, OwnerError):
        yield (problem.field or "").rpartition(".")[2], _refused(voice, problem)


def _invalid(voice: Voice, kind: str, facts: dict[str, Any], message: str) -> str:
    say, number = voice.say, voice.number
    match kind:
        case "missing" | "string_pattern_mismatch" | "enum" | "literal_error":
            words = say("This is missing, or not written as it has to be.")
        case "string_too_short" if facts["min_length"] > 1:
            words = say("Write at least %(count)s characters.", count=number(facts["min_length"]))
        case "string_too_short" | "too_short":
            words = say("This is needed.")
        case "string_too_long":
            words = say("Write at most %(count)s characters.", count=number(facts["max_length"]))
        case "too_long":
            words = say("These are too many: at most %(count)s.", count=number(facts["max_length"]))
        case "greater_than_equal":
            words = say("Take at least %(number)s.", number=number(facts["ge"]))
        case "less_than_equal":
            words = say("Take at most %(number)s.", number=number(facts["le"]))
        case "int_parsing" | "int_type" | "int_from_float" | "float_parsing" | "float_type":
            words = say("Write a number.")
        case _:
            words = say("This can't be taken: %(why)s", why=message.removeprefix("Value error, "))
    return words


def _refused(voice: Voice, problem: OwnerError) -> str:
    say = voice.say
    if problem.field == "closure.confirm_at":
        return say("This must not be above the one for closing.")
    words = {
        "already_exists": say("This exists already."),
        "last_admin": say("Nobody would be left who can change the settings."),
        "invitation_accepted": say("They have chosen a password already."),
        "password_guessable": say(
            "Somebody would guess this password. Take a longer one, such as three words."
        ),
        "password_wrong": say("The password is wrong."),
        "code_rejected": say("The code is wrong or was used already. Take the next one."),
        "rate_limited": say("Too many tries. Wait a few minutes."),
        "second_factor_active": say("There is a second factor already."),
        "second_factor_missing": say("There is no second factor."),
        "reserved_closure_keyword": say(
            '"%(word)s" means that a customer wants no more messages, so it can\'t close a conversation.',
            word=problem.facts.get("word"),
        ),
    }
    return words.get(problem.code) or say("This can't be taken: %(why)s", why=problem.message)
