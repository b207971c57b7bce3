"""What the customer's phone shows, and what of it did not get there."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from mimetypes import guess_type
from typing import Final

from owner.integrations.simulator.addresses import channel_of, number_of
from owner.integrations.simulator.callbacks import FAILURES
from owner.integrations.simulator.context import World
from owner.integrations.simulator.errors import delivery_sentence
from owner.integrations.simulator.store import Media, Message
from owner.integrations.simulator.switches import Line
from owner.integrations.simulator.writing import Button

SHOWN: Final = 100  # messages
OTHERS: Final = 8  # phones
LOOKED_AT: Final = 1_000  # messages, for whose phones there are
SHOWN_INLINE: Final = ("image", "audio", "video")


@dataclass(frozen=True, slots=True)
class File:
    address: str
    content_type: str

    @property
    def kind(self) -> str:
        kind = self.content_type.partition("/")[0]
        return kind if kind in SHOWN_INLINE else "file"


@dataclass(frozen=True, slots=True)
class Bubble:
    """A message, with what became of it."""

    message: Message
    is_mine: bool
    ticks: str
    state: str
    problem: str | None
    files: Sequence[File]
    buttons: Sequence[Button]

    @property
    def place(self) -> str:
        """Where a shared location is; empty for everything else."""
        told = dict(self.message.webhook)
        if "Latitude" not in told:
            return ""
        return f"{told.get('Label', '')} {told['Latitude']}, {told['Longitude']}".strip()


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


def channel_name(address: str) -> str:
    channel = channel_of(address)
    return {"sms": "SMS", "whatsapp": "WhatsApp"}.get(channel, channel)


def customer_address(number: str, company: str) -> str:
    """The customer's number in the channel of the company's."""
    channel = channel_of(company)
    return number_of(number) if channel == "sms" else f"{channel}:{number_of(number)}"


def _bubble(world: World, message: Message) -> Bubble:
    is_mine = message.direction == "inbound"
    ticks, state, problem = _journey_in(message) if is_mine else _journey_out(message)
    account = world.store.accounts.get(message.account_sid)
    buttons = account.buttons.get(message.content_sid or "", []) if account else []
    return Bubble(message, is_mine, ticks, state, problem, [_file(one) for one in message.media], buttons)


def _journey_in(message: Message) -> tuple[str, str, str | None]:
    if not message.callbacks:
        return "✓", "Sent", None
    status_code = message.callbacks[-1][1]
    if status_code == HTTPStatus.OK:
        return "✓✓", "Delivered to the company", None
    told = f"answered {status_code}" if status_code else "did not answer"
    return "✓", "Sent", f"The company's server {told}."


def _journey_out(message: Message) -> tuple[str, str, str | None]:
    if message.status in FAILURES:
        why = f"{delivery_sentence(message.error_code)} ({message.error_code})" if message.error_code else ""
        return "", "Never arrived", f"Never arrived on this phone. {why}".strip()
    ticks = {"read": "✓✓", "delivered": "✓✓", "sent": "✓"}.get(message.status, "🕓")
    return ticks, message.status.capitalize(), None


def _file(media: Media) -> File:
    location = media.location
    if location is None:
        return File(f"/cdn/{media.sid}", media.content_type)
    # A location comes from outside: a link is made of what browsers fetch, and of nothing that they run.
    address = location if location.startswith(("http://", "https://")) else "about:blank"
    return File(address, media.content_type or guess_type(location.partition("?")[0])[0] or "")
