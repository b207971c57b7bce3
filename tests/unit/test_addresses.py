"""One canonical form whatever way an address was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from owner.models.addresses import Address, canonical, parse_address, parse_phone_number
from owner.models.enums import Channel
from owner.models.errors import InvalidAddress


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        ("+5511987654321", Address(Channel.SMS, "+5511987654321")),
        (" whatsapp:+5511987654321 ", Address(Channel.WHATSAPP, "+5511987654321")),
        ("WhatsApp:+5511987654321", Address(Channel.WHATSAPP, "+5511987654321")),
        ("whatsapp:BR.1000000000000001", Address(Channel.WHATSAPP, "BR.1000000000000001")),
        ("messenger:123456", Address(Channel.MESSENGER, "123456")),
        ("rcs:acme_agent", Address(Channel.RCS, "acme_agent")),
        ("telepathy:ana", Address(Channel.OTHER, "telepathy:ana")),
        ("27126", Address(Channel.SMS, "27126")),
        ("ACME", Address(Channel.SMS, "ACME")),
        ("", Address(Channel.SMS, "")),
    ],
)
def test_an_address_of_twilio_is_read_by_its_prefix(raw: str, address: Address) -> None:
    assert parse_address(raw) == address


@given(st.text())
def test_reading_an_address_never_fails_and_neither_does_its_canonical_form(raw: str) -> None:
    address = parse_address(raw)

    assert canonical(canonical(address)) == canonical(address)


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("+551187654321", "+5511987654321"),
        ("+5511987654321", "+5511987654321"),
        ("+55 11 8765-4321", "+5511987654321"),
        ("+551132654321", "+551132654321"),  # a landline has eight digits
        ("+5511400400", "+5511400400"),
        ("+14155238886", "+14155238886"),
        ("+541187654321", "+541187654321"),
        ("BR.1000000000000001", "BR.1000000000000001"),
    ],
)
def test_brazilian_mobiles_have_their_ninth_digit_and_nobody_else_gets_one(written: str, form: str) -> None:
    assert canonical(Address(Channel.WHATSAPP, written)).value == form


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("+55 (11) 98765-4321", Address(Channel.SMS, "+5511987654321")),
        ("whatsapp:+55 11 98765-4321", Address(Channel.WHATSAPP, "+5511987654321")),
        ("27126", Address(Channel.SMS, "27126")),
        ("messenger:123456", Address(Channel.MESSENGER, "123456")),
    ],
)
def test_what_people_type_is_tidied(typed: str, address: Address) -> None:
    assert parse_phone_number(typed) == address


@pytest.mark.parametrize(
    "typed",
    ["", "11987654321", "ana", "+55", "+5511", "whatsapp:", "whatsapp:27126", "+1\x00", "+" + "1" * 300],
)
def test_what_can_be_no_number_is_refused_with_its_field(typed: str) -> None:
    with pytest.raises(InvalidAddress) as refusal:
        parse_phone_number(typed, field="customer_address")

    assert refusal.value.field == "customer_address"


@pytest.mark.parametrize("raw", ["whatsapp:+5511987654321", "+5511987654321", "messenger:1", "rcs:a"])
def test_an_address_is_written_as_twilio_wants_it(raw: str) -> None:
    assert str(parse_address(raw)) == raw
