"""What is measured at both sizes, and where in each database it is measured."""

import random
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count, cycle
from typing import Any

import psycopg
from flat_data import url_of
from flat_texts import EACH, texts

from owner.db.embedded import EmbeddedServer
from owner.models.addresses import Address, parse_address
from owner.models.contact import ContactFilter
from owner.models.conversation_query import ConversationQuery
from owner.models.enums import ActorKind, Channel, ConversationStatus, MessageType
from owner.models.event import Actor
from owner.models.message import InboundMessage
from owner.models.owner import Owner
from owner.models.principal import Principal
from owner.models.report import ClosureGroup, DayOrChannel, DeliveryGroup, ReportName
from owner.models.search import MessageSearch
from owner.models.webhook_delivery import WebhookDeliveryStatus
from owner.repositories.event_pages import EventQuery
from owner.repositories.webhook_deliveries import DeliveryFilter
from owner.services.catalog import Services
from owner.services.reports import Wanted

DUE = 10  # rows that a sweep finds, where it finds any
_numbers = count(90_000_000)
# As customers write in the generated messages: no goodbyes, and some name their order.
_texts = (
    text if place % 10 < 7 else f"{text} Pedido {place}"
    for place, text in enumerate(cycle(random.Random(5).sample(texts()[: 2 * EACH], 2 * EACH)))
)


@dataclass
class Place:
    """One owner in one database: enough to ask for anything."""

    services: Services
    admin: str  # the superuser's URL
    owner: Owner
    limit: int
    user_id: int
    account_id: int
    our_address: Address
    contact_id: int
    conv_id: int
    long_conv_id: int | None
    number: str
    address: str
    cursors: dict[str, str | None] = field(default_factory=dict)

    @property
    def owner_id(self) -> int:
        return self.owner.owner_id

    @property
    def caller(self) -> Principal:
        return Principal(self.owner_id, Actor(ActorKind.USER, self.user_id), frozenset())

    def change(self, statement: str, values: object) -> None:
        """As the superuser, beside what is measured."""
        with psycopg.connect(self.admin) as connection:
            connection.execute(statement.encode(), (values,))


async def _nothing(_place: Place) -> None:
    pass


@dataclass(frozen=True)
class Case:
    """Something that is done; `run` returns how many rows came back, `prepare` is not timed."""

    name: str
    run: Callable[[Place], Awaitable[int]]
    prepare: Callable[[Place], Awaitable[None]] = _nothing
    is_for_most_only: bool = False


def find_places(server: EmbeddedServer, name: str, services: Services, *, rank: int) -> Place:
    admin = url_of(server, name, "postgres")
    with psycopg.connect(admin) as connection:

        def one(query: str, *values: object) -> Any:
            row = connection.execute(query.encode(), values).fetchone()
            return row[0] if row else None

        owner_row = connection.execute("SELECT * FROM owners WHERE name = %s", (f"Company {rank}",))
        names = [column.name for column in owner_row.description or ()]
        owner = Owner.model_validate(dict(zip(names, owner_row.fetchone() or (), strict=True)))
        mine = owner.owner_id
        conv_id = one(
            "SELECT conv_id FROM conversations WHERE owner_id = %s AND last_seq BETWEEN 8 AND 12 ORDER BY conv_id DESC LIMIT 1",
            mine,
        ) or one("SELECT conv_id FROM conversations WHERE owner_id = %s ORDER BY last_seq DESC LIMIT 1", mine)
        return Place(
            services=services,
            admin=admin,
            owner=owner,
            limit=20 if rank == 1 else 5,
            user_id=one("SELECT min(user_id) FROM users WHERE owner_id = %s", mine),
            account_id=one("SELECT min(twilio_account_id) FROM twilio_accounts WHERE owner_id = %s", mine),
            our_address=parse_address(
                one("SELECT min(address) FROM channel_addresses WHERE owner_id = %s", mine)
            ),
            contact_id=one(
                "SELECT contact_id FROM conversations WHERE owner_id = %s AND conv_id = %s", mine, conv_id
            ),
            conv_id=conv_id,
            long_conv_id=one(
                "SELECT conv_id FROM conversations WHERE owner_id = %s AND last_seq = 10000", mine
            ),
            number=one(
                "SELECT substring(content FROM '[0-9]{5,}$') FROM messages"
                " WHERE owner_id = %s AND content ~ 'Pedido [0-9]+$' ORDER BY msg_id LIMIT 1",
                mine,
            ),
            address=one(
                "SELECT customer_address FROM conversations WHERE owner_id = %s AND conv_id = %s",
                mine,
                conv_id,
            ),
        )


def conversations(name: str, **wanted: Any) -> Case:
    async def run(place: Place) -> int:
        given = {key: value(place) if callable(value) else value for key, value in wanted.items()}
        query = ConversationQuery(limit=place.limit, **given)
        page = await place.services.conversations.list_page(place.owner_id, query)
        return len((await place.services.conversation_views.show_page(place.caller, page)).items)

    return Case(f"conversations: {name}", run)


async def _second_page(place: Place) -> int:
    if "conversations" not in place.cursors:
        page = await place.services.conversations.list_page(
            place.owner_id, ConversationQuery(limit=place.limit)
        )
        place.cursors["conversations"] = page.next_cursor
    query = ConversationQuery(limit=place.limit, cursor=place.cursors["conversations"])
    return len((await place.services.conversations.list_page(place.owner_id, query)).items)


def contacts(name: str, **wanted: Any) -> Case:
    async def run(place: Place) -> int:
        given = {key: value(place) if callable(value) else value for key, value in wanted.items()}
        page = await place.services.contacts.list_page(
            place.owner_id, ContactFilter(**given), limit=place.limit
        )
        return len(page.items)

    return Case(f"contacts: {name}", run)


def events(name: str, **wanted: Any) -> Case:
    async def run(place: Place) -> int:
        given = {key: value(place) if callable(value) else value for key, value in wanted.items()}
        page = await place.services.event_list.list_page(
            place.owner_id, EventQuery(**given), limit=place.limit
        )
        return len(page.items)

    return Case(f"events: {name}", run)


def deliveries(name: str, **wanted: Any) -> Case:
    async def run(place: Place) -> int:
        page = await place.services.webhook_deliveries.list_page(
            place.owner_id, DeliveryFilter(**wanted), limit=place.limit
        )
        return len(page.items)

    return Case(f"webhook deliveries: {name}", run)


def thread(name: str, *, is_long: bool, newest_first: bool = False) -> Case:
    async def run(place: Place) -> int:
        conv_id = place.long_conv_id if is_long else place.conv_id
        assert conv_id is not None
        page, _ = await place.services.messages.list_page(
            place.owner_id, conv_id, limit=50 if is_long else 5, newest_first=newest_first
        )
        return len(page.items)

    return Case(f"thread: {name}", run, is_for_most_only=is_long)


def history(name: str, *, is_long: bool) -> Case:
    async def run(place: Place) -> int:
        conv_id = place.long_conv_id if is_long else place.conv_id
        assert conv_id is not None
        return len((await place.services.conversations.history(place.owner_id, conv_id, limit=10)).items)

    return Case(f"history: {name}", run, is_for_most_only=is_long)


def search(name: str, text: "str | Callable[[Place], str]") -> Case:
    async def run(place: Place) -> int:
        asked = text(place) if callable(text) else text
        found, _ = await place.services.search.search(
            place.owner_id, MessageSearch(text=asked, limit=place.limit)
        )
        return len(found)

    return Case(f"search: {name}", run)


async def _quarantine(place: Place) -> int:
    return len((await place.services.quarantine.list_page(place.owner_id, limit=place.limit)).items)


async def _all_quarantine(place: Place) -> int:
    return len((await place.services.quarantine.list_page(0, limit=place.limit)).items)


def _wanted(days: int) -> Wanted:
    today = datetime.now(UTC).date()
    return Wanted(
        first_day=today - timedelta(days=days - 1), last_day=date(today.year, today.month, today.day)
    )


def durations(name: ReportName, days: int) -> Case:
    async def run(place: Place) -> int:
        report = await place.services.reports.durations(
            place.owner_id, name, _wanted(days), group_by=DayOrChannel.DAY
        )
        return len(report.items)

    return Case(f"report: {name}, {days} days", run)


async def _conversation_report(place: Place) -> int:
    report = await place.services.reports.conversations(
        place.owner_id, _wanted(30), group_by=DayOrChannel.DAY
    )
    return len(report.items)


async def _closure_report(place: Place) -> int:
    report = await place.services.reports.closure(place.owner_id, _wanted(30), group_by=ClosureGroup.DAY)
    return len(report.items)


async def _delivery_report(place: Place) -> int:
    report = await place.services.reports.deliveries(place.owner_id, _wanted(30), group_by=DeliveryGroup.DAY)
    return len(report.items)


def ingest(name: str, customer: Callable[[Place], str]) -> Case:
    async def run(place: Place) -> int:
        return int(await receive(place, customer(place)) is not None)

    return Case(f"ingest: {name}", run)


async def receive(place: Place, customer: str, *, content: str | None = None) -> int | None:
    """A customer writes, as a rule what others write; the conversation that it went to."""
    inbound = InboundMessage(
        provider_sid=f"SM{secrets.token_hex(16)}",
        customer=parse_address(customer),
        company=place.our_address,
        content=content or next(_texts),  # not always the same, of which kept databases would come to be full
        message_type=MessageType.TEXT,
    )
    receipt = await place.services.inbound.receive(
        inbound, owner=place.owner, twilio_account_id=place.account_id
    )
    return receipt.conv_id


def _new_customer(_place: Place) -> str:
    return f"+55119{next(_numbers)}"


async def _make_due(place: Place) -> None:
    due = [await receive(place, _new_customer(place)) for _ in range(DUE)]
    place.change(
        "UPDATE conversations SET expires_at = now() - interval '1 second' WHERE conv_id = ANY (%s)", due
    )


async def _add_events(place: Place) -> None:
    for _ in range(DUE):
        await receive(place, place.address)


async def _nobody_is_behind(place: Place) -> None:
    while await place.services.event_feed.owners_behind():
        await place.services.event_feed.sweep()


async def _end_overdue(place: Place) -> int:
    return await place.services.timeouts.sweep()


async def _look_at_outbox(place: Place) -> int:
    return await place.services.outbox_sweep.sweep()


async def _move_readers(place: Place) -> int:
    await place.services.event_feed.sweep()
    return 0


async def _tidy(place: Place) -> int:
    await place.services.housekeeping.tidy()
    return 0


def _sixty_days_ago(_place: Place) -> datetime:
    return datetime.now(UTC) - timedelta(days=60)


CASES = [
    conversations("newest"),
    Case("conversations: newest, second page", _second_page),
    conversations("open, newest", state="open"),
    conversations("open, oldest", state="open", sort="oldest"),
    conversations("open, latest activity", state="open", sort="last_activity"),
    conversations("open, most urgent", state="open", sort="priority"),
    conversations("waiting longest", sort="waiting_longest"),
    conversations("closed, latest activity", state="closed", sort="last_activity"),
    conversations("of a status", status=[ConversationStatus.AGENT_CLOSED]),
    conversations("of an agent", assignee_id=lambda place: place.user_id),
    conversations("nobody's, open", state="open", unassigned=True),
    conversations("of a channel", channel=Channel.WHATSAPP),
    conversations("of a contact", contact_id=lambda place: place.contact_id),
    conversations("of bots", handler="BOT"),
    conversations("urgent", priority="URGENT"),
    conversations("with a label on many", label=["vip"]),
    conversations("with a label on few", label=["raro"]),
    conversations("with two labels", label=["vip", "entrega"]),
    conversations("opened before", opened_before=_sixty_days_ago),
    conversations("in which a word was said", text="geladeira"),
    contacts("all"),
    contacts("by a name", text="debora"),
    contacts("by two words", text="ana lim"),
    contacts("by an address", address=lambda place: place.address),
    contacts("by four digits", text=lambda place: place.address[-4:]),
    contacts("opted out", opted_out=True),
    events("oldest"),
    events("newest", is_descending=True),
    events("of a type, newest", types=frozenset({"conversation.closed"}), is_descending=True),
    events("of a conversation", conv_id=lambda place: place.conv_id),
    events("since two months", created_after=_sixty_days_ago),
    thread("short", is_long=False),
    thread("10,000 messages, oldest", is_long=True),
    thread("10,000 messages, newest", is_long=True, newest_first=True),
    history("short", is_long=False),
    history("10,000 messages", is_long=True),
    search("a common word", "pedido"),
    search("two words", "geladeira polar"),
    search("a beginning", "gel"),
    search("a word of one message in a thousand", "ouvidoria"),
    search("a number said once", lambda place: place.number),
    search("a word never said", "paralelepípedo"),
    search("a common word and one never said", "pedido paralelepípedo"),
    Case("quarantine: an owner's", _quarantine, is_for_most_only=True),
    Case("quarantine: all", _all_quarantine, is_for_most_only=True),
    deliveries("all"),
    deliveries("failed", status=WebhookDeliveryStatus.FAILED),
    deliveries("of a type", event_type="message.received"),
    *(durations(name, 30) for name in (ReportName.FIRST_RESPONSE, ReportName.REPLY, ReportName.RESOLUTION)),
    durations(ReportName.REPLY, 180),
    Case("report: conversations", _conversation_report),
    Case("report: closure", _closure_report),
    Case("report: deliveries", _delivery_report),
    ingest("of a known customer", lambda place: place.address),
    ingest("of a new customer", _new_customer),
    Case("sweep: timeouts, nothing due", _end_overdue, is_for_most_only=True),
    Case(f"sweep: timeouts, {DUE} due", _end_overdue, _make_due, is_for_most_only=True),
    Case("sweep: outbox, nothing waits", _look_at_outbox, is_for_most_only=True),
    Case("sweep: events, all read", _move_readers, _nobody_is_behind, is_for_most_only=True),
    Case(f"sweep: events, {DUE} messages unread", _move_readers, _add_events, is_for_most_only=True),
    Case("sweep: housekeeping", _tidy, is_for_most_only=True),
]
