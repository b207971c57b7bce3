"""Addresses of people and companies: one canonical form whatever way they were written."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers

from owner.models.enums import Channel
from owner.models.errors import InvalidAddress

_PREFIXES: Final = {"whatsapp": Channel.WHATSAPP, "messenger": Channel.MESSENGER, "rcs": Channel.RCS}
_BRAZIL: Final = 55
_BRAZILIAN_MOBILE_LENGTH: Final = 11  # area code (2), ninth digit, number (8)
_MAXIMUM_LENGTH: Final = 255
_NUMBER: Final = re.compile(r"\+[0-9 ().\u00a0/-]*[0-9][0-9 ().\u00a0/-]*")
_SHORT_CODES: Final = range(3, 9)  # digits of the short codes of the world


class Address(NamedTuple):
    """Where a message goes to or comes from, as `SMS`, `+5511987654321`."""

    channel: Channel
    value: str

    def __str__(self) -> str:
        prefix = next((name for name, channel in _PREFIXES.items() if channel is self.channel), "")
        return f"{prefix}:{self.value}" if prefix else self.value


def parse_address(raw: str) -> Address:
    """Split Twilio's `whatsapp:+55…` into channel and value; what it means stays as it was written.

    Never raises: a customer's address may be a short code, a name or an id of a channel we don't know.
    """
    prefix, colon, value = raw.strip().partition(":")
    if not colon:
        return Address(Channel.SMS, raw.strip())
    channel = _PREFIXES.get(prefix.lower())
    return Address(channel, value) if channel else Address(Channel.OTHER, raw.strip())


def canonical(address: Address) -> Address:
    """The form under which a person is found again.

    Brazilian mobile numbers have nine digits since 2016, but WhatsApp ids of older accounts still come
    without the ninth: both are the same person.
    """
    if not _NUMBER.fullmatch(address.value):
        return address  # a name, or an id: of two that differ anywhere each is somebody
    digits = "".join(character for character in address.value if character.isdigit())
    return Address(address.channel, f"+{_with_ninth_digit(digits)}")


@lru_cache(maxsize=4_096)
def spaced(value: str) -> str:
    """A number as people write it; anything else as it is."""
    if not value.startswith("+"):
        return value
    try:
        parsed = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return value
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def parse_phone_number(raw: str, *, field: str | None = None) -> Address:
    """Read an address that a person of the company typed.

    Raises:
        InvalidAddress: it is no possible phone number in international format, short code or page id.
    """
    address = parse_address(raw)
    if not address.value or len(address.value) > _MAXIMUM_LENGTH or "\x00" in address.value:
        raise InvalidAddress(field=field)
    if address.channel not in {Channel.SMS, Channel.WHATSAPP} or _is_short_code(address):
        return address
    try:
        number = phonenumbers.parse(address.value)
    except phonenumbers.NumberParseException as problem:
        raise InvalidAddress(field=field) from problem
    if not phonenumbers.is_possible_number(number):
        raise InvalidAddress(field=field)
    return Address(address.channel, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _is_short_code(address: Address) -> bool:
    digits = address.value
    return (
        address.channel is Channel.SMS
        and digits.isascii()
        and digits.isdigit()
        and len(digits) in _SHORT_CODES
    )


def _with_ninth_digit(digits: str) -> str:
    national = digits.removeprefix(str(_BRAZIL))
    is_old_mobile = (
        digits.startswith(str(_BRAZIL))
        and len(national) == _BRAZILIAN_MOBILE_LENGTH - 1
        and national[2] in "6789"
    )
    return f"{_BRAZIL}{national[:2]}9{national[2:]}" if is_old_mobile else digits
