"""What may be sent."""

from typing import Any

import pytest
from pydantic import ValidationError

from owner.models.enums import MessageType
from owner.models.message import MessageCreate, storable

TEMPLATE = "HX" + "0" * 32
URL = "https://a.example/b.pdf"


@pytest.mark.parametrize(
    ("wanted", "message_type"),
    [
        ({"content": "Olá"}, MessageType.TEXT),
        ({"content": "é" * 1600}, MessageType.TEXT),
        ({"content": "Olá", "media_urls": [URL]}, MessageType.TEXT),
        ({"media_urls": [URL] * 10}, MessageType.DOCUMENT),
        ({"content_sid": TEMPLATE}, MessageType.TEMPLATE),
        ({"content_sid": TEMPLATE, "content_variables": {"1": "Ana"}}, MessageType.TEMPLATE),
    ],
)
def test_text_files_or_a_template_can_be_sent(wanted: dict[str, Any], message_type: MessageType) -> None:
    assert MessageCreate.model_validate(wanted).message_type is message_type


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"content": ""},
        {"content": " \n "},
        {"content": "é" * 1601},
        {"content": "a\x00b"},
        {"content": "\ud800"},
        {"content": 7},
        {"media_urls": [URL] * 11},
        {"media_urls": ["file:///etc/passwd"]},
        {"media_urls": ["not a url"]},
        {"content_sid": "MG" + "0" * 32},
        {"content_sid": TEMPLATE, "content": "Olá"},
        {"content_sid": TEMPLATE, "media_urls": [URL]},
        {"content_sid": TEMPLATE, "content_variables": {str(number): "a" for number in range(101)}},
        {"content_sid": TEMPLATE, "content_variables": {"1": "a\x00b"}},
        {"content": "Olá", "content_variables": {"1": "Ana"}},
        {"content": "Olá", "message_owner": "USER"},
        {"content": "Olá", "message_owner": "agent"},
        {"content": "Olá", "sender": "+5511987654321"},
    ],
)
def test_what_twilio_or_postgres_would_refuse_is_refused_first(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MessageCreate.model_validate(wanted)


def test_a_nul_is_replaced_and_said_so() -> None:
    assert storable("a\x00b") == ("a\ufffdb", True)
    assert storable("ab") == ("ab", False)
