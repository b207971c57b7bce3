"""Twilio's error numbers, sentences and bodies.

TwilioError       refused at once, as an HTTP answer
DELIVERY_ERRORS   accepted first, told later by a status callback
"""

from typing import Any, Final

FIRST_DELIVERY_CODE: Final = 30000

SENTENCES: Final[dict[int, tuple[int, str]]] = {
    20001: (400, "Unknown parameter"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20009: (409, "Cannot delete this resource: its delivery has not been completed"),
    20404: (404, "The requested resource {} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
    20503: (503, "Service Unavailable"),
    21211: (400, "The 'To' number {} is not a valid phone number."),
    21266: (400, "'To' and 'From' number cannot be the same: {}"),
    21408: (
        400,
        "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {}.",
    ),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (
        400,
        "The 'From' phone number {} is not a valid, SMS-capable inbound phone number or short code for your account.",
    ),
    21609: (400, "The 'StatusCallback' URL {} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (400, "This 'From' number has exceeded the maximum number of queued messages"),
    21614: (400, "'To' number is not a valid mobile number: {}"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
    21701: (400, "The Messaging Service with Sid {} was not found."),
    21703: (400, "The Messaging Service does not have a sender available for {}."),
    21910: (400, "Invalid From and To pair. From and To should be of the same channel"),
    63007: (400, "Twilio could not find a Channel with the specified From address"),
}

DELIVERY_ERRORS: Final[dict[int, str]] = {
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30032: "Toll-Free number has not been verified",
    30034: "Message from an unregistered number",
    30036: "Validity period expired",
    63003: "Channel could not find To address",
    63016: "Failed to send freeform message because you are outside the allowed window. "
    "If you are using WhatsApp, please use a Message Template.",
    63018: "Rate limit exceeded for Channel",
    63024: "Invalid message recipient",
    63038: "Account exceeded the daily messages limit",
}

# Never handed to a carrier: `failed`. Everything else came back from one: `undelivered`.
NEVER_SENT: Final = frozenset({30001, 30002, 30032, 30034, 30036, 63018, 63038})


class TwilioError(Exception):
    """Refused by Twilio."""

    def __init__(self, code: int, fact: str = "", *, retry_after: float | None = None) -> None:
        self.code = code
        self.status, sentence = SENTENCES.get(code, (400, f"Error {code}"))
        self.retry_after = retry_after
        super().__init__(sentence.format(fact))

    @property
    def body(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": str(self),
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


def is_refused_at_once(code: int) -> bool:
    return code < FIRST_DELIVERY_CODE or code in SENTENCES


def delivery_sentence(code: int) -> str:
    return DELIVERY_ERRORS.get(code, f"Error {code}")
