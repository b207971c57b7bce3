"""What Twilio posts, for the API's page: the routes read raw requests, so nothing else describes it."""

from typing import Any, Final

FORM: Final = "application/x-www-form-urlencoded"


def _form(example: dict[str, str], *, required: list[str]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in example},
        "required": required,
        "additionalProperties": {"type": "string"},
        "example": example,
    }
    signature = {
        "name": "X-Twilio-Signature",
        "in": "header",
        "required": True,
        "schema": {"type": "string"},
        "description": "Base64 of an HMAC-SHA1 over the public URL and every pair, by the account's auth token.",
    }
    return {
        "requestBody": {"required": True, "content": {FORM: {"schema": schema}}},
        "parameters": [signature],
    }


def with_key(form: dict[str, Any]) -> dict[str, Any]:
    """The same below an account's own URL."""
    key = {
        "name": "webhook_key",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "Of one account, as `owner twilio connect` printed it.",
    }
    return {**form, "parameters": [key, *form["parameters"]]}


INBOUND_FORM: Final = _form(
    {
        "MessageSid": "SM0123456789abcdef0123456789abcdef",
        "AccountSid": "AC0123456789abcdef0123456789abcdef",
        "From": "whatsapp:+5511987654321",
        "To": "whatsapp:+551150284400",
        "Body": "Oi! Meu pedido ainda não chegou.",
        "NumMedia": "0",
        "ProfileName": "Ana",
    },
    required=["MessageSid", "AccountSid", "From", "To"],
)
STATUS_FORM: Final = _form(
    {
        "MessageSid": "SM0123456789abcdef0123456789abcdef",
        "AccountSid": "AC0123456789abcdef0123456789abcdef",
        "MessageStatus": "delivered",
        "To": "whatsapp:+5511987654321",
        "From": "whatsapp:+551150284400",
    },
    required=["MessageSid", "AccountSid", "MessageStatus"],
)
