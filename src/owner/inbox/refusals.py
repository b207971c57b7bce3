"""Says to a person, in their language, why what they sent was not taken."""

from collections.abc import Iterator
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

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
            name = names[-1] if names else ""
            yield name, _invalid(voice, name, found)
    elif isinstance(problem.__cause__, ValidationError):
        yield from explain(voice, problem.__cause__)
    elif isinstance(problem, OwnerError):
        yield (problem.field or "").rpartition(".")[2], _refused(voice, problem)


def _invalid(voice: Voice, name: str, found: ErrorDetails) -> str:
    say, number = voice.say, voice.number
    kind, facts, message = found["type"], found.get("ctx", {}), found["msg"]
    by_field = {
        "event_types": say('There is no event "%(word)s".', word=found["input"]),
        "content": say("A word in {{…}} is none of those that are filled in, or a brace is too much."),
        "idle_after": say("Write minutes: at least one."),
        "expires_after": say("Write minutes: at least one."),
        "reopen_grace": say("Write minutes: at most those of a week, 10080."),
        "since": say("Write a date and a time."),
    }
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
            why = message.removeprefix("Value error, ")
            words = by_field.get(name) or say("This can't be taken: %(why)s", why=why)
    return words


def _refused(voice: Voice, problem: OwnerError) -> str:
    say = voice.say
    if problem.field == "closure.confirm_at":
        return say("This must not be above the one for closing.")
    if problem.field == "auth_token":
        return say("Twilio refuses the token.")
    return _known(voice, problem) or say("This can't be taken: %(why)s", why=problem.message)


def plain(voice: Voice, problem: OwnerError) -> str:
    """Why something was not done, where no field stands beside it."""
    if isinstance(problem.__cause__, ValidationError):
        return next(words for _, words in explain(voice, problem))
    return _known(voice, problem) or problem.message


def _known(voice: Voice, problem: OwnerError) -> str | None:
    say = voice.say
    words = {
        "newer_message": say("Somebody wrote meanwhile. Read it, then send your answer: it is still there."),
        "reply_window_closed": say(
            "The reply window is closed: only an approved template reaches the customer now."
        ),
        "contact_opted_out": say("The customer wants no messages. Notes are still possible."),
        "contact_blocked": say("The company has blocked this customer."),
        "conversation_closed": say("This conversation has ended."),
        "already_assigned": say("A colleague has it already."),
        "payload_too_large": say("The file is too large for this channel."),
        "unsupported_media_type": say("This channel takes no files of this kind."),
        "already_exists": say("This exists already."),
        "last_admin": say("Nobody would be left who can change the settings."),
        "invitation_accepted": say("They have chosen a password already."),
        "password_guessable": say(
            "Somebody would guess this password. Take a longer one, such as three words."
        ),
        "password_wrong": say("The password is wrong."),
        "code_rejected": say("The code is wrong or was used already. Take the next one."),
        "rate_limited": say("Too many tries. Wait a few minutes."),
        "api_key_ended": say("This key has ended already."),
        "invalid_address": say("This is no number in international format, such as +5511987654321."),
        "webhook_url_forbidden": say("This address is inside a private network, which nothing is sent to."),
        "webhook_endpoint_disabled": say("It is off: let it go on first."),
        "too_many_labels": say("There are as many as there can be."),
        "too_many_webhook_endpoints": say("There are as many as there can be."),
        "provider_error": say("Twilio could not do it: %(why)s", why=voice.reason(problem.message)),
        "outcome_unknown": say("Twilio did not answer. Try again in a moment."),
        "second_factor_active": say("There is a second factor already."),
        "second_factor_missing": say("There is no second factor."),
        "reserved_closure_keyword": say(
            '"%(word)s" means that a customer wants no more messages, so it can\'t close a conversation.',
            word=problem.facts.get("word"),
        ),
    }
    return words.get(problem.code)
