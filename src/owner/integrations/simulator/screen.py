"""What the customer's phone shows, and what of it did not get there."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from mimetypes import guess_type
from secrets import randbelow
from typing import Final
from zlib import crc32

from owner.integrations.simulator.addresses import channel_of, number_of
from owner.integrations.simulator.callbacks import FAILURES
from owner.integrations.simulator.contents import templates_of
from owner.integrations.simulator.context import World
from owner.integrations.simulator.errors import delivery_sentence
from owner.integrations.simulator.offered import Offer, offer_of
from owner.integrations.simulator.store import Media, Message
from owner.integrations.simulator.switches import BY_ERROR, Line
from owner.wording import later as _

SHOWN: Final = 100  # messages
OTHERS: Final = 8  # phones
LOOKED_AT: Final = 1_000  # messages, for whose phones there are
SHOWN_INLINE: Final = ("image", "audio", "video")
HUES: Final = 6
STATES: Final = {
    "read": _("Read"),
    "delivered": _("Delivered"),
    "sent": _("Sent"),
    "sending": _("Under way"),
    "queued": _("Under way"),
    "accepted": _("Under way"),
    "scheduled": _("Under way"),
    "canceled": _("Called off"),
}
TICKS: Final = {"read": "read", "delivered": "two", "sent": "one"}


@dataclass(frozen=True, slots=True)
class File:
    address: str
    content_type: str

    @property
    def kind(self) -> str:
        kind = self.content_type.partition("/")[0]
        return kind if kind in SHOWN_INLINE else "file"


@dataclass(frozen=True, slots=True)
class Place:
    """A location that was shared."""

    latitude: str
    longitude: str
    label: str
    address: str


@dataclass(frozen=True, slots=True)
class Bubble:
    """A message, with what became of it; sentences are English, for the page to translate."""

    message: Message
    ticks: str
    state: str
    files: Sequence[File]
    offer: Offer | None = None  # what a template lets them press
    is_lost: bool = False
    reason: str = ""  # why it was lost, as far as that is known
    answered: int | None = None  # what the company's server said to it

    @property
    def is_mine(self) -> bool:
        return self.message.direction == "inbound"

    @property
    def place(self) -> Place | None:
        told = dict(self.message.webhook)
        if "Latitude" not in told:
            return None
        return Place(told["Latitude"], told["Longitude"], told.get("Label", ""), told.get("Address", ""))


def bubbles_of(world: World, line: Line) -> list[Bubble]:
    """Both sides' messages, oldest first; also those under way and those that failed, which say so."""
    messages = world.store.by_customer.get(line.customer, [])
    between = [message for message in messages if line.company in (message.sender, message.recipient)]
    return [_bubble(world, message) for message in between[-SHOWN:]]


def other_lines(world: World, line: Line) -> list[Line]:
    """Who else wrote or was written to lately, latest first."""
    found: dict[Line, None] = {}
    for message in islice(reversed(world.store.messages.values()), LOOKED_AT):
        ours = message.recipient if message.direction == "inbound" else message.sender
        found.setdefault(Line(message.customer, ours))
        if len(found) > OTHERS:
            break
    return [other for other in found if other != line][:OTHERS]


def name_of(world: World, customer: str) -> str:
    """What the customer called themselves last, on WhatsApp."""
    written = (dict(message.webhook) for message in reversed(world.store.by_customer.get(customer, [])))
    return next((told["ProfileName"] for told in written if "ProfileName" in told), "")


def unused_number(world: World) -> str:
    """Somebody who has not written yet."""
    while True:
        number = f"+55119{randbelow(90_000_000) + 10_000_000}"
        if not {number, f"whatsapp:{number}"} & world.store.by_customer.keys():
            return number


def hue_of(name: str) -> int:
    """Which of the page's colours stands for somebody: always the same one."""
    return crc32(name.encode()) % HUES


def channel_name(address: str) -> str:
    channel = channel_of(address)
    return {"sms": "SMS", "whatsapp": "WhatsApp"}.get(channel, channel)


def customer_address(number: str, company: str) -> str:
    """The customer's number in the channel of the company's."""
    channel = channel_of(company)
    return number_of(number) if channel == "sms" else f"{channel}:{number_of(number)}"


def _bubble(world: World, message: Message) -> Bubble:
    files = [_file(one) for one in message.media]
    if message.direction == "inbound":
        return _written(message, files)
    account = world.store.accounts.get(message.account_sid)
    template = templates_of(account).get(message.content_sid or "") if account else None
    offer = offer_of(template, message.content_variables) if template else None
    if message.status in FAILURES:
        reason = BY_ERROR.get(message.error_code or 0) or _told_by_twilio(message.error_code)
        state = _("Never arrived")
        return Bubble(message, "", state, files, is_lost=True, reason=reason)
    ticks = TICKS.get(message.status, "wait")
    return Bubble(message, ticks, STATES.get(message.status, message.status), files, offer)


def _written(message: Message, files: Sequence[File]) -> Bubble:
    if not message.callbacks:
        return Bubble(message, "one", _("Sent"), files)
    answered = message.callbacks[-1][1]
    if answered == HTTPStatus.OK:
        return Bubble(message, "two", _("Delivered to the company"), files)
    return Bubble(message, "one", _("Sent"), files, is_lost=True, answered=answered)


def _told_by_twilio(error_code: int | None) -> str:
    return f"{delivery_sentence(error_code)} ({error_code})" if error_code else ""


def _file(media: Media) -> File:
    location = media.location
    if location is None:
        return File(f"/cdn/{media.sid}", media.content_type)
    # A location comes from outside: a link is made of what browsers fetch, and of nothing that they run.
    address = location if location.startswith(("http://", "https://")) else "about:blank"
    return File(address, media.content_type or guess_type(location.partition("?")[0])[0] or "")
