"""What an address tells: its channel, whether Twilio would take it, and where a number lives."""

import re
from typing import Final, NamedTuple

import phonenumbers

E164: Final = re.compile(r"\+[1-9]\d{6,14}")
SHORT_CODE: Final = re.compile(r"\d{3,8}")
NUMBERED_CHANNELS: Final = ("sms", "whatsapp")


class Place(NamedTuple):
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""


# Twilio knows the city of North American numbers only; one invented place per side is enough.
CUSTOMER_CITY: Final = Place("BLAIRSVILLE", "GA", "30512", "US")
OUR_CITY: Final = Place("SAN FRANCISCO", "CA", "94105", "US")


def channel_of(address: str) -> str:
    prefix, colon, _ = address.partition(":")
    return prefix if colon else "sms"


def number_of(address: str) -> str:
    return address.rpartition(":")[2]


def is_reachable(address: str) -> bool:
    if channel_of(address) in NUMBERED_CHANNELS:
        return E164.fullmatch(number_of(address)) is not None
    return bool(number_of(address))


def place_of(number: str, *, city: Place) -> Place:
    if SHORT_CODE.fullmatch(number):
        return Place(country="US")
    try:
        country_code = phonenumbers.parse(number).country_code or 0
    except phonenumbers.NumberParseException:
        return Place()
    country = phonenumbers.region_code_for_country_code(country_code)
    return city if country == "US" else Place(country=country)
