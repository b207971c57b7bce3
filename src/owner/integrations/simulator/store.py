"""What the simulated Twilio remembers, in memory: accounts, messages, media, opt-outs and windows."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid4, uuid5

from owner.integrations.simulator.addresses import channel_of
from owner.integrations.simulator.writing import Button

WHATSAPP_WINDOW: Final = timedelta(hours=24)


def new_sid(prefix: str) -> str:
    return prefix + uuid4().hex


@dataclass(slots=True)
class Number:
    address: str
    sms_url: str | None = None
    sms_method: str = "POST"
    sms_application_sid: str = ""
    sid: str = ""

    def __post_init__(self) -> None:
        self.sid = self.sid or f"PN{uuid5(NAMESPACE_URL, self.address).hex}"


@dataclass(slots=True)
class Service:
    """A Messaging Service; its URL takes the place of its numbers' unless it leaves messages to them."""

    sid: str
    inbound_request_url: str | None = None
    inbound_method: str = "POST"
    use_inbound_webhook_on_number: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{{1}}` or `{{name}}` where values go; the examples take the place of values that are missing.

    `kind` and `more` are Twilio's: the type of its content, and what that holds besides the text.
    """

    body: str
    name: str = ""
    language: str = "pt_BR"
    status: str = "approved"  # in Twilio's words
    category: str = "UTILITY"
    rejection_reason: str = ""
    examples: Mapping[str, str] = field(default_factory=dict)
    buttons: Sequence[Button] = ()
    kind: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        return self.kind or ("twilio/quick-reply" if self.buttons else "twilio/text")

    @property
    def content(self) -> dict[str, Any]:
        """What the Content API shows of this type."""
        actions = [{"id": one.payload, "title": one.text, "type": "QUICK_REPLY"} for one in self.buttons]
        return {"body": self.body, **({"actions": actions} if actions else {}), **self.more}

    def fill_in(self, text: str, given: str | None) -> str:
        """A text of it with the values of a message, which come as JSON."""
        try:
            values = json.loads(given or "{}")
        except ValueError:
            values = {}
        known = {**self.examples, **(values if isinstance(values, dict) else {})}
        return re.sub(r"{{(\w+)}}", lambda place: str(known.get(place[1], place[0])), text)


@dataclass(slots=True)
class Account:
    sid: str
    auth_token: str
    created_at: datetime
    secondary_auth_token: str | None = None
    inbound_url: str | None = None
    messaging_service_sid: str | None = None
    service: Service | None = None
    advanced_opt_out: bool = False
    numbers: dict[str, Number] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)  # by ContentSid

    def __post_init__(self) -> None:
        if self.messaging_service_sid and self.service is None:
            self.service = Service(self.messaging_service_sid)

    def inbound_url_for(self, address: str) -> str | None:
        if (
            self.service
            and self.service.inbound_request_url
            and not self.service.use_inbound_webhook_on_number
        ):
            return self.service.inbound_request_url
        return self.number_url(address)

    def number_url(self, address: str) -> str | None:
        return self.numbers[address].sms_url or self.inbound_url

    def sender_for(self, customer: str) -> str | None:
        """The sender that the Messaging Service would pick from its pool."""
        channel = channel_of(customer)
        return next((address for address in self.numbers if channel_of(address) == channel), None)


@dataclass(slots=True, eq=False)
class Media:
    sid: str
    content_type: str
    content: bytes = b""
    location: str | None = None  # elsewhere: the redirect leads there instead of to our bytes


@dataclass(slots=True, eq=False)
class Message:
    sid: str
    account_sid: str
    direction: str
    sender: str
    recipient: str
    body: str
    status: str
    created_at: datetime
    position: int = 0  # in order of creation, over all accounts
    sent_at: datetime | None = None
    updated_at: datetime | None = None
    media: list[Media] = field(default_factory=list)
    messaging_service_sid: str | None = None
    content_sid: str | None = None
    content_variables: str | None = None
    status_callback: str | None = None
    error_code: int | None = None
    webhook: list[tuple[str, str]] = field(default_factory=list)  # what an inbound message posted
    callbacks: list[tuple[str, int | None]] = field(
        default_factory=list
    )  # status and HTTP answer; of an inbound one its webhook's

    @property
    def customer(self) -> str:
        return self.sender if self.direction == "inbound" else self.recipient


@dataclass(slots=True)
class Store:
    clock: Callable[[], datetime]
    accounts: dict[str, Account] = field(default_factory=dict)
    account_by_number: dict[str, Account] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    by_account: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    by_recipient: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    by_customer: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    media: dict[str, Media] = field(default_factory=dict)
    opted_out: set[tuple[str, str]] = field(default_factory=set)
    last_written_at: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def now(self) -> datetime:
        """The current second: Twilio's timestamps know no fractions."""
        return self.clock().replace(microsecond=0)

    def register(self, account: Account) -> None:
        """Add the account or replace it; its messages stay."""
        self.accounts[account.sid] = account
        for address in account.numbers:
            self.account_by_number[address] = account

    def add(self, message: Message) -> None:
        message.position = len(self.messages)
        self.messages[message.sid] = message
        self.by_account[message.account_sid].append(message)
        self.by_recipient[message.recipient].append(message)
        self.by_customer[message.customer].append(message)
        self.media.update((media.sid, media) for media in message.media)

    def remove(self, message: Message) -> None:
        """Take the message out of every list; `messages` keeps it, so that no position is given twice."""
        message.status = "deleted"
        self.by_account[message.account_sid].remove(message)
        self.by_recipient[message.recipient].remove(message)
        self.by_customer[message.customer].remove(message)
        for media in message.media:
            self.media.pop(media.sid, None)

    def find(self, account: Account, message_sid: str) -> Message | None:
        message = self.messages.get(message_sid)
        if message is None or message.account_sid != account.sid or message.status == "deleted":
            return None
        return message

    def note_inbound(self, customer: str, ours: str) -> None:
        self.last_written_at[customer, ours] = self.clock()

    def is_window_open(self, customer: str, ours: str) -> bool:
        written_at = self.last_written_at.get((customer, ours))
        return written_at is not None and self.clock() - written_at < WHATSAPP_WINDOW

    def clear(self) -> None:
        for kept in (self.accounts, self.account_by_number, self.messages, self.media, self.last_written_at):
            kept.clear()
        for index in (self.by_account, self.by_recipient, self.by_customer):
            index.clear()
        self.opted_out.clear()
