"""Twilio's forms: parsed as they came, read without ever refusing what is odd."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owner.integrations.twilio.forms import (
    MAXIMUM_FIELDS,
    account_sid,
    inbound_message,
    parse_form,
    status_callback,
)
from owner.models.enums import Channel, DeliveryStatus, MessageType
from owner.models.errors import InvalidInput
from owner.models.message import InboundMessage

DATA = Path(__file__).parents[1] / "data" / "twilio"
SHARED = Path(__file__).parents[2] / ".." / "shared" / "twilio" / "payloads.jsonl"

SID = "SM" + 32 * "0"
ANA, ACME = "+5511987650001", "+551140040001"

Pairs = list[tuple[str, str]]


def read(path: Path) -> list[dict[str, Any]]:
    # Not splitlines(): a body may hold U+2028 and its like.
    payloads = [json.loads(line) for line in path.read_text().split("\n") if line]
    return [{**payload, "params": [tuple(pair) for pair in payload["params"]]} for payload in payloads]


def form(*more: tuple[str, str], body: str | None = "oi", sender: str = ANA) -> Pairs:
    pairs = [("MessageSid", SID), ("From", sender), ("To", ACME), *more]
    return pairs if body is None else [*pairs, ("Body", body)]


def from_whatsapp(*more: tuple[str, str], body: str = "") -> InboundMessage:
    return inbound_message(form(*more, body=body, sender=f"whatsapp:{ANA}"))


class TestParsing:
    @given(st.text(st.sampled_from("%+=&;_.\r\n\t 0123456789abcdefABCDEF"), max_size=40))
    def test_a_form_reads_as_the_standard_library_reads_it(self, text: str) -> None:
        assert parse_form(text.encode()) == parse_qsl(text, keep_blank_values=True, errors="replace")

    @given(st.lists(st.tuples(st.text(min_size=1), st.text())))
    def test_whatever_was_encoded_comes_back(self, pairs: Pairs) -> None:
        assert parse_form(urlencode(pairs).encode()) == pairs

    @given(st.binary())
    def test_no_bytes_are_refused(self, body: bytes) -> None:
        for name, value in parse_form(body):
            (name + value).encode()

    def test_blank_values_and_repeated_names_are_kept_in_order(self) -> None:
        pairs = parse_form(b"Body=&B=2&A=1&B=1&Flag")

        assert pairs == [("Body", ""), ("B", "2"), ("A", "1"), ("B", "1"), ("Flag", "")]

    def test_broken_utf8_is_replaced(self) -> None:
        assert parse_form(b"Body=caf%E9%20%ED%A0%80\xff") == [("Body", "caf\ufffd \ufffd\ufffd\ufffd\ufffd")]

    def test_only_an_ampersand_separates(self) -> None:
        assert parse_form(b"Body=a;b=c&To=1") == [("Body", "a;b=c"), ("To", "1")]

    def test_too_many_fields_are_refused(self) -> None:
        most = b"&".join([b"a=1"] * MAXIMUM_FIELDS)

        assert len(parse_form(most)) == MAXIMUM_FIELDS
        with pytest.raises(InvalidInput):
            parse_form(most + b"&a=1")

    def test_the_account_is_found_even_where_it_is_no_sid(self) -> None:
        assert account_sid([("AccountSid", "AC1"), ("AccountSid", "AC2")]) == "AC1"
        assert account_sid([]) == ""
        assert account_sid([("AccountSid", "\x00" * 1_000)]) == "\ufffd" * 64


class TestInbound:
    @pytest.mark.parametrize("payload", read(DATA / "inbound.jsonl"), ids=lambda payload: payload["name"])
    def test_a_payload_is_read_in_our_words(self, payload: dict[str, Any]) -> None:
        inbound = inbound_message(payload["params"])

        expected = dict(payload["expected"])
        metadata = expected.pop("metadata", {})
        types = expected.pop("attachments", [])
        assert expected == {name: getattr(inbound, name) for name in expected}
        assert [attachment.content_type for attachment in inbound.attachments] == types
        assert {name: value for name, value in inbound.metadata.items() if name != "twilio"} == metadata

    def test_every_payload_that_was_collected_is_read(self) -> None:
        if not SHARED.exists():
            pytest.skip("../shared/twilio/payloads.jsonl is not here")
        kinds = {}
        for payload in read(SHARED):
            if payload["kind"] == "inbound":
                pairs = parse_form(urlencode(payload["params"]).encode())
                inbound = inbound_message(pairs)
                kinds[payload["name"]] = inbound.message_type
                assert pairs == payload["params"]
                assert inbound.content.replace("\ufffd", "") == dict(pairs)["Body"].replace("\x00", "")

        assert MessageType.UNSUPPORTED not in kinds.values()
        assert kinds["wa_sticker"] is MessageType.STICKER
        assert kinds["wa_contact_vcard"] is MessageType.CONTACT
        assert kinds["rcs_location"] is MessageType.LOCATION
        assert kinds["mms_odd_content_type"] is MessageType.DOCUMENT

    def test_addresses_are_split_into_channel_and_value(self) -> None:
        inbound = from_whatsapp()

        assert inbound.customer == (Channel.WHATSAPP, ANA)
        assert inbound.company == (Channel.SMS, ACME)

    def test_every_field_is_kept_but_the_body_only_once(self) -> None:
        inbound = inbound_message(form(("New", "1"), ("New", "2"), ("New", "3"), ("Blank", "")))

        assert inbound.metadata == {
            "twilio": {"MessageSid": SID, "From": ANA, "To": ACME, "New": ["1", "2", "3"], "Blank": ""}
        }

    def test_a_second_body_is_not_lost(self) -> None:
        inbound = inbound_message(form(("Body", "first"), body="second"))

        assert inbound.content == "first"
        assert inbound.metadata["twilio"]["Body"] == ["first", "second"]

    def test_control_characters_and_invisible_ones_stay(self) -> None:
        text = "\ufeff\x01\x1b\u200b\u202eol\u0061\u0301\u2028\t \U0010ffff"

        assert inbound_message(form(body=text)).content == text
        assert "nul_replaced" not in inbound_message(form(body=text)).metadata

    def test_a_nul_anywhere_is_replaced_and_noted(self) -> None:
        in_body = inbound_message(form(body="a\x00b"))
        in_name = inbound_message(form(("Na\x00me", "x")))
        in_file = inbound_message(form(("MediaUrl0", "https://x/\x00"), ("MediaContentType0", "image/\x00")))

        assert in_body.content == "a\ufffdb"
        assert in_body.metadata["nul_replaced"] is True
        assert in_name.metadata["twilio"]["Na\ufffdme"] == "x"
        assert in_file.attachments[0].url == "https://x/\ufffd"
        assert "\x00" not in in_file.model_dump_json()

    def test_lone_surrogates_never_reach_the_database(self) -> None:
        inbound = inbound_message(form(("ProfileName", "\ud83d\ude00"), body="a\ud83db"))

        assert inbound.content == "a\ufffdb"
        assert inbound.profile_name == "\N{GRINNING FACE}"
        json.dumps(inbound.model_dump(), ensure_ascii=False).encode()

    @given(st.lists(st.tuples(st.text(), st.text())))
    def test_nothing_odd_is_refused(self, pairs: Pairs) -> None:
        inbound = inbound_message([*form(body=None), *pairs])

        json.dumps(inbound.model_dump(), ensure_ascii=False, allow_nan=False).encode()

    @pytest.mark.parametrize("missing", ["MessageSid", "From", "To"])
    @pytest.mark.parametrize("value", [None, "", "x" * 300])
    def test_without_a_place_to_store_it_it_is_refused(self, missing: str, value: str | None) -> None:
        rest = [(name, text) for name, text in form() if name != missing]

        with pytest.raises(InvalidInput) as refusal:
            inbound_message(rest if value is None else [*rest, (missing, value)])

        assert refusal.value.field == missing

    def test_an_address_that_is_only_a_prefix_is_none(self) -> None:
        with pytest.raises(InvalidInput):
            inbound_message(form(sender="whatsapp:"))

    def test_an_old_payload_has_its_sid_elsewhere(self) -> None:
        assert inbound_message([("SmsSid", "SM1"), ("From", ANA), ("To", ACME)]).provider_sid == "SM1"

    @pytest.mark.parametrize("number", ["", "0", "-1", "many", "9" * 5_000, "²"])
    def test_files_are_counted_by_hand(self, number: str) -> None:
        inbound = inbound_message(
            form(("NumMedia", number), ("MediaUrl10", "https://x/10"), ("MediaUrl2", "https://x/2"))
        )

        assert [file.url for file in inbound.attachments] == ["https://x/2", "https://x/10"]
        assert {file.content_type for file in inbound.attachments} == {"application/octet-stream"}
        assert inbound.metadata["twilio"]["NumMedia"] == number


class TestKinds:
    @pytest.mark.parametrize(
        ("content_type", "kind"),
        [
            ("image/png", MessageType.IMAGE),
            ("IMAGE/JPEG; x=1", MessageType.IMAGE),
            ("image/webp", MessageType.STICKER),
            ("audio/amr", MessageType.AUDIO),
            ("application/ogg", MessageType.AUDIO),
            ("video/3gpp", MessageType.VIDEO),
            ("text/x-vcard", MessageType.CONTACT),
            ("application/pdf", MessageType.DOCUMENT),
            ("text/plain", MessageType.DOCUMENT),
            ("nonsense", MessageType.DOCUMENT),
        ],
    )
    def test_a_file_decides_by_its_type(self, content_type: str, kind: MessageType) -> None:
        inbound = from_whatsapp(("MediaUrl0", "https://x"), ("MediaContentType0", content_type))

        assert inbound.message_type is kind

    def test_a_webp_is_a_sticker_on_whatsapp_only(self) -> None:
        file = ("MediaUrl0", "https://x"), ("MediaContentType0", "image/webp")

        assert inbound_message(form(*file)).message_type is MessageType.IMAGE
        assert from_whatsapp(*file, ("MessageType", "image")).message_type is MessageType.IMAGE

    def test_a_file_without_a_type_is_what_the_message_says(self) -> None:
        file = ("MediaUrl0", "https://x"), ("MediaContentType0", "application/octet-stream")

        assert from_whatsapp(*file, ("MessageType", "video")).message_type is MessageType.VIDEO
        assert from_whatsapp(*file, ("MessageType", "text")).message_type is MessageType.DOCUMENT

    def test_an_unknown_kind_with_a_text_is_a_text(self) -> None:
        assert from_whatsapp(("MessageType", "order"), body="3 caixas").message_type is MessageType.TEXT
        assert from_whatsapp(("MessageType", "order")).message_type is MessageType.UNSUPPORTED

    @pytest.mark.parametrize("latitude", ["", "north", "nan", "inf", "91"])
    def test_a_place_that_is_none_is_kept_as_it_came(self, latitude: str) -> None:
        inbound = from_whatsapp(
            ("MessageType", "location"), ("Latitude", latitude), ("Longitude", "-46.65"), ("Label", "Casa")
        )

        assert inbound.message_type is MessageType.LOCATION
        assert "location" not in inbound.metadata
        assert inbound.metadata["twilio"]["Latitude"] == latitude

    @pytest.mark.parametrize(
        "data", ["", "{", "[1]", "null", '"id"', '{"id": 7}', "[" * 100_000, "9" * 5_000, '{"a": {"id": ""}}']
    )
    def test_broken_interactive_content_is_kept_as_it_came(self, data: str) -> None:
        inbound = from_whatsapp(("MessageType", "interactive"), ("InteractiveData", data), body="Sim")

        assert (inbound.message_type, inbound.button, inbound.content) == (
            MessageType.INTERACTIVE,
            None,
            "Sim",
        )
        assert inbound.metadata["twilio"]["InteractiveData"] == data

    def test_a_hidden_nul_does_not_come_out_of_interactive_content(self) -> None:
        inbound = from_whatsapp(("InteractiveData", r'{"button_reply": {"id": "a\u0000\ud800"}}'))

        assert inbound.button == "a\ufffd\ufffd"

    def test_a_button_without_payload_stands_for_its_label(self) -> None:
        inbound = from_whatsapp(("ButtonText", "Sim"), ("ButtonPayload", ""))

        assert (inbound.button, inbound.content) == ("Sim", "Sim")


class TestStatus:
    @pytest.mark.parametrize("payload", read(DATA / "statuses.jsonl"), ids=lambda payload: payload["name"])
    def test_a_callback_is_read_in_our_words(self, payload: dict[str, Any]) -> None:
        callback = status_callback(payload["params"], 7)

        assert callback.msg_id == 7
        assert callback.provider_sid == dict(payload["params"])["MessageSid"]
        assert {"status": callback.status, "error_code": callback.error_code} == payload["expected"]

    def test_every_callback_that_was_collected_is_read(self) -> None:
        if not SHARED.exists():
            pytest.skip("../shared/twilio/payloads.jsonl is not here")
        statuses = {
            payload["name"]: status_callback(payload["params"], None).status
            for payload in read(SHARED)
            if payload["kind"] == "status"
        }

        assert [name for name, status in statuses.items() if status is None] == ["st_unknown_status"]
        assert statuses["st_no_message_status"] is DeliveryStatus.DELIVERED

    def test_a_known_error_is_explained_and_an_unknown_one_quoted(self) -> None:
        def message(*more: tuple[str, str]) -> str | None:
            return status_callback([("MessageSid", SID), *more], None).error_message

        assert message(("ErrorCode", "63016"), ("ErrorMessage", "freeform")) == (
            "The customer last wrote more than 24 hours ago: WhatsApp allows a template only."
        )
        assert message(("ErrorCode", "99999"), ("ErrorMessage", "Boom")) == "Boom"
        assert message(("ErrorCode", "99999"), ("ErrorMessage", "")) == (
            "The message was not delivered (error 99999)."
        )
        assert message(("ErrorCode", "0")) is None

    @pytest.mark.parametrize("code", ["", "0", "-1", "x", "9" * 5_000, "99999999999"])
    def test_an_error_code_that_is_none_is_dropped(self, code: str) -> None:
        assert status_callback([("MessageSid", SID), ("ErrorCode", code)], None).error_code is None

    def test_without_a_sid_it_is_refused(self) -> None:
        with pytest.raises(InvalidInput):
            status_callback([("MessageStatus", "sent")], None)
