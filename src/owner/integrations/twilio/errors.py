"""Twilio's error numbers: what to do about each, in a sentence that a person understands.

They are translated where they are shown; `wording/` has the other languages.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from owner.models.errors import ProviderError, ProviderProblem

FOLDER: Final = Path(__file__).parent

BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
REQUEST_TIMEOUT: Final = 408
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500

ACCOUNT_SUSPENDED: Final = 30002
OPTED_OUT: Final = 21610
OUTSIDE_WINDOW: Final = 63016
_AN_HOUR: Final = 3600.0


class KnownError(NamedTuple):
    kind: ProviderProblem
    sentence: str
    retry_after: float | None = None  # seconds, where the usual back-off would be too hasty


ERRORS: Final[dict[int, KnownError]] = {
    # The account
    10001: KnownError(ProviderProblem.CREDENTIALS, "The Twilio account is not active."),
    20003: KnownError(
        ProviderProblem.CREDENTIALS, "Twilio does not accept the account's token; connect the account again."
    ),
    20005: KnownError(ProviderProblem.CREDENTIALS, "The Twilio account is not active."),
    20006: KnownError(ProviderProblem.CREDENTIALS, "The Twilio account may not do this."),
    20008: KnownError(ProviderProblem.CREDENTIALS, "The Twilio account is connected with test credentials."),
    20403: KnownError(ProviderProblem.CREDENTIALS, "The Twilio account may not do this."),
    ACCOUNT_SUSPENDED: KnownError(ProviderProblem.CREDENTIALS, "The Twilio account is suspended."),
    57012: KnownError(
        ProviderProblem.CREDENTIALS, "Twilio does not accept the token; connect the account again."
    ),
    63001: KnownError(ProviderProblem.CREDENTIALS, "The channel does not accept the sender's credentials."),
    63051: KnownError(ProviderProblem.CREDENTIALS, "The WhatsApp Business account is locked."),
    # Not now
    20409: KnownError(ProviderProblem.RETRY, "Twilio was working on this already; it is tried again."),
    20429: KnownError(ProviderProblem.RETRY, "Too many messages at once; this one is delayed."),
    20500: KnownError(ProviderProblem.RETRY, "Twilio has a problem; the message is delayed."),
    20503: KnownError(ProviderProblem.RETRY, "Twilio is not available; the message is delayed."),
    21730: KnownError(ProviderProblem.RETRY, "Twilio is under maintenance; the message is delayed."),
    30001: KnownError(
        ProviderProblem.RETRY, "Too many messages are waiting for this sender; this one is delayed."
    ),
    30003: KnownError(
        ProviderProblem.RETRY, "The customer's phone can't be reached: it is off or has no network."
    ),
    30008: KnownError(ProviderProblem.RETRY, "The carrier did not deliver the message and gave no reason."),
    30017: KnownError(ProviderProblem.RETRY, "The carrier's network is congested."),
    63010: KnownError(
        ProviderProblem.RETRY, "Twilio has a problem with this channel; the message is delayed."
    ),
    63012: KnownError(ProviderProblem.RETRY, "WhatsApp has a problem; the message is delayed."),
    63018: KnownError(
        ProviderProblem.RETRY, "Too many messages at once on this channel; this one is delayed."
    ),
    63038: KnownError(
        ProviderProblem.RETRY,
        "The account has reached its messages for today; this one is delayed.",
        _AN_HOUR,
    ),
    # The request or the address
    20001: KnownError(ProviderProblem.PERMANENT, "Twilio did not understand the request."),
    20404: KnownError(ProviderProblem.PERMANENT, "Twilio does not know what the message refers to."),
    20422: KnownError(ProviderProblem.PERMANENT, "Twilio did not understand the request."),
    21211: KnownError(ProviderProblem.PERMANENT, "The customer's number is not valid."),
    21212: KnownError(ProviderProblem.PERMANENT, "The sender's number is not valid."),
    21217: KnownError(ProviderProblem.PERMANENT, "The customer's number does not look right."),
    21219: KnownError(ProviderProblem.PERMANENT, "A Twilio trial account writes to verified numbers only."),
    21265: KnownError(
        ProviderProblem.PERMANENT, "The customer's number is a short code; those can't be written to."
    ),
    21266: KnownError(ProviderProblem.PERMANENT, "The customer's number and the sender's are the same."),
    21408: KnownError(
        ProviderProblem.PERMANENT, "The Twilio account may not send to the customer's country."
    ),
    21601: KnownError(ProviderProblem.PERMANENT, "The sender's number can't send text messages."),
    21602: KnownError(ProviderProblem.PERMANENT, "The message is empty."),
    21603: KnownError(ProviderProblem.PERMANENT, "The message has no sender."),
    21604: KnownError(ProviderProblem.PERMANENT, "The message has no recipient."),
    21605: KnownError(ProviderProblem.PERMANENT, "The message is too long."),
    21606: KnownError(
        ProviderProblem.PERMANENT, "The sender's number does not belong to the account or can't send this."
    ),
    21608: KnownError(ProviderProblem.PERMANENT, "A Twilio trial account writes to verified numbers only."),
    21609: KnownError(
        ProviderProblem.PERMANENT, "Twilio can't use this system's public address for reports."
    ),
    21611: KnownError(
        ProviderProblem.PERMANENT, "Ten hours of messages are waiting for this sender; send it later."
    ),
    21612: KnownError(ProviderProblem.PERMANENT, "This sender can't reach the customer's number."),
    21614: KnownError(ProviderProblem.PERMANENT, "The customer's number is not a mobile number."),
    21617: KnownError(ProviderProblem.PERMANENT, "The message is longer than 1,600 characters."),
    21619: KnownError(ProviderProblem.PERMANENT, "The message has neither text nor a file."),
    21620: KnownError(ProviderProblem.PERMANENT, "The address of the file is not valid."),
    21623: KnownError(ProviderProblem.PERMANENT, "The message has more than ten files."),
    21635: KnownError(ProviderProblem.PERMANENT, "The customer's number is a landline."),
    21655: KnownError(ProviderProblem.PERMANENT, "The template does not exist."),
    21656: KnownError(ProviderProblem.PERMANENT, "The variables do not fit the template."),
    21659: KnownError(ProviderProblem.PERMANENT, "The sender's number is not a Twilio number."),
    21660: KnownError(ProviderProblem.PERMANENT, "The sender's number belongs to another account."),
    21661: KnownError(ProviderProblem.PERMANENT, "The sender's number can't send text messages."),
    21701: KnownError(ProviderProblem.PERMANENT, "The messaging service does not exist."),
    21703: KnownError(ProviderProblem.PERMANENT, "The messaging service has no sender for this message."),
    21704: KnownError(ProviderProblem.PERMANENT, "The messaging service has no sender."),
    21705: KnownError(ProviderProblem.PERMANENT, "The messaging service is not valid."),
    21910: KnownError(ProviderProblem.PERMANENT, "The sender and the customer are on different channels."),
    30004: KnownError(ProviderProblem.PERMANENT, "The customer's number is blocked for these messages."),
    30005: KnownError(ProviderProblem.PERMANENT, "The customer's number does not exist any more."),
    30006: KnownError(
        ProviderProblem.PERMANENT, "The customer's number is a landline or its carrier can't be reached."
    ),
    30009: KnownError(ProviderProblem.PERMANENT, "A part of the message was lost on the way."),
    30010: KnownError(ProviderProblem.PERMANENT, "The message costs more than the account allows."),
    30011: KnownError(ProviderProblem.PERMANENT, "The customer's carrier does not take picture messages."),
    30019: KnownError(ProviderProblem.PERMANENT, "The file is larger than the carrier allows."),
    30036: KnownError(ProviderProblem.PERMANENT, "The message waited too long and was dropped."),
    35115: KnownError(ProviderProblem.PERMANENT, "The time for the scheduled message is not allowed."),
    # The customer does not want it
    OPTED_OUT: KnownError(
        ProviderProblem.OPTED_OUT, "The customer has opted out of messages from this number."
    ),
    # Rules of carriers and laws
    30007: KnownError(ProviderProblem.CARRIER, "The carrier filtered the message as unwanted."),
    30022: KnownError(
        ProviderProblem.CARRIER, "The carrier's rate for this campaign (A2P 10DLC) is exceeded."
    ),
    30023: KnownError(
        ProviderProblem.CARRIER, "The carrier's daily limit for this brand (A2P 10DLC) is reached."
    ),
    30024: KnownError(ProviderProblem.CARRIER, "The carrier has not set up the sender's number yet."),
    30027: KnownError(ProviderProblem.CARRIER, "The carrier's daily limit for this campaign is reached."),
    30032: KnownError(ProviderProblem.CARRIER, "The sender's toll-free number is not verified."),
    30033: KnownError(ProviderProblem.CARRIER, "The carrier has suspended the sender's campaign."),
    30034: KnownError(
        ProviderProblem.CARRIER, "The sender's number is not registered for US messages (A2P 10DLC)."
    ),
    30035: KnownError(ProviderProblem.CARRIER, "The sender's number is still being registered (A2P 10DLC)."),
    30038: KnownError(
        ProviderProblem.CARRIER, "The carrier does not take one-time passwords from this sender."
    ),
    30039: KnownError(
        ProviderProblem.CARRIER, "Two machines were answering each other; the message was stopped."
    ),
    30450: KnownError(ProviderProblem.CARRIER, "Twilio blocked the message as likely fraud (SMS pumping)."),
    30485: KnownError(ProviderProblem.CARRIER, "Twilio blocked the message as likely fraud."),
    30610: KnownError(ProviderProblem.CARRIER, "The law forbids this message at the customer's time of day."),
    # WhatsApp and other channels
    OUTSIDE_WINDOW: KnownError(
        ProviderProblem.WINDOW,
        "The customer last wrote more than 24 hours ago: WhatsApp allows a template only.",
    ),
    63002: KnownError(ProviderProblem.PERMANENT, "The channel does not know the sender."),
    63003: KnownError(ProviderProblem.PERMANENT, "The channel does not know the customer's address."),
    63005: KnownError(ProviderProblem.PERMANENT, "The channel does not take this content."),
    63006: KnownError(ProviderProblem.PERMANENT, "The content can't be shown on this channel."),
    63007: KnownError(ProviderProblem.PERMANENT, "The sender is not connected to this channel at Twilio."),
    63008: KnownError(
        ProviderProblem.PERMANENT, "The sender or the address does not fit the channel's setup at Twilio."
    ),
    63009: KnownError(ProviderProblem.PERMANENT, "The channel refused the message."),
    63013: KnownError(ProviderProblem.PERMANENT, "The message breaks the channel's policy."),
    63014: KnownError(ProviderProblem.PERMANENT, "The customer has blocked this sender."),
    63015: KnownError(ProviderProblem.PERMANENT, "The customer has not joined the WhatsApp sandbox."),
    63019: KnownError(ProviderProblem.PERMANENT, "Twilio could not fetch the file."),
    63020: KnownError(
        ProviderProblem.PERMANENT, "The WhatsApp business has not accepted Twilio's invitation."
    ),
    63021: KnownError(ProviderProblem.PERMANENT, "WhatsApp does not take this content."),
    63022: KnownError(
        ProviderProblem.PERMANENT, "WhatsApp does not accept the certificate of the sender's name."
    ),
    63023: KnownError(ProviderProblem.PERMANENT, "The channel refused the message and gave no reason."),
    63024: KnownError(ProviderProblem.PERMANENT, "The customer's number can't receive WhatsApp messages."),
    63025: KnownError(ProviderProblem.PERMANENT, "WhatsApp has the file already."),
    63027: KnownError(ProviderProblem.PERMANENT, "The template does not exist in this language."),
    63028: KnownError(ProviderProblem.PERMANENT, "The number of variables does not fit the template."),
    63029: KnownError(ProviderProblem.PERMANENT, "The customer's phone could not load the template."),
    63030: KnownError(ProviderProblem.PERMANENT, "WhatsApp does not know a parameter of the message."),
    63031: KnownError(ProviderProblem.PERMANENT, "The sender and the customer are the same."),
    63032: KnownError(ProviderProblem.PERMANENT, "WhatsApp does not deliver to this customer at present."),
    63033: KnownError(ProviderProblem.PERMANENT, "WhatsApp has blocked the customer from receiving this."),
    63034: KnownError(ProviderProblem.PERMANENT, "The file is larger than the channel allows."),
    63036: KnownError(ProviderProblem.PERMANENT, "The customer's number is not on this channel."),
    63040: KnownError(ProviderProblem.PERMANENT, "WhatsApp has rejected the template."),
    63041: KnownError(
        ProviderProblem.PERMANENT, "WhatsApp has paused the template because customers complained."
    ),
    63049: KnownError(
        ProviderProblem.PERMANENT, "WhatsApp limits how many marketing messages this customer gets."
    ),
    # Our own side, as Twilio saw it
    11200: KnownError(ProviderProblem.PERMANENT, "Twilio got an error from an address it had to fetch."),
    11205: KnownError(ProviderProblem.PERMANENT, "Twilio could not connect to an address it had to fetch."),
    11243: KnownError(ProviderProblem.PERMANENT, "The retry policy in the webhook's address is not valid."),
    11751: KnownError(ProviderProblem.PERMANENT, "The file is larger than Twilio allows for a message."),
    12100: KnownError(ProviderProblem.PERMANENT, "Twilio could not read the webhook's answer."),
    12200: KnownError(ProviderProblem.PERMANENT, "Twilio did not understand the webhook's answer."),
    12300: KnownError(ProviderProblem.PERMANENT, "Twilio got a type of content that it can't use."),
}

_BY_HTTP_STATUS: Final = {
    UNAUTHORIZED: 20003,
    FORBIDDEN: 20403,
    TOO_MANY_REQUESTS: 20429,
}


def is_known(code: int) -> bool:
    return code in ERRORS


def explain(code: int | None) -> str:
    """A sentence for the person who waits for the message to arrive."""
    known = ERRORS.get(code) if code is not None else None
    if known is not None:
        return known.sentence
    return (
        "The message was not delivered." if code is None else f"The message was not delivered (error {code})."
    )


def kind_of(code: int | None, http_status: int = BAD_REQUEST) -> ProviderProblem:
    """What to do; 429 is never final, whatever number comes with it."""
    if http_status == TOO_MANY_REQUESTS:
        return ProviderProblem.RETRY
    known = ERRORS.get(code or 0) or ERRORS.get(_BY_HTTP_STATUS.get(http_status, 0))
    if known is not None:
        return known.kind
    is_refusal = BAD_REQUEST <= http_status < SERVER_ERROR and http_status != REQUEST_TIMEOUT
    return ProviderProblem.PERMANENT if is_refusal else ProviderProblem.RETRY


def provider_error(
    http_status: int, body: Mapping[str, Any] | None, retry_after: float | None = None
) -> ProviderError:
    """Twilio's refusal in our words; its own sentence is left out, because it quotes phone numbers."""
    code = _code(body) or _BY_HTTP_STATUS.get(http_status)
    known = ERRORS.get(code or 0)
    return ProviderError(
        explain(code),
        provider_code=code,
        http_status=http_status,
        kind=kind_of(code, http_status),
        retry_after=retry_after if retry_after is not None else known and known.retry_after,
    )


def _code(body: Mapping[str, Any] | None) -> int | None:
    code = body.get("code") if body else None
    return code if isinstance(code, int) and not isinstance(code, bool) and code > 0 else None
