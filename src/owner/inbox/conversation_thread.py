"""The middle and the right pane: what was said and done in a conversation, and with whom."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import ClassVar, Final
from unicodedata import category
from urllib.parse import unquote

from owner.inbox.choices import Choices, load_choices
from owner.inbox.language import Voice
from owner.inbox.rendering import Page
from owner.inbox.visit import Signed
from owner.models.addresses import spaced
from owner.models.attachment import LARGEST_UPLOAD, accepted_types, takes_several
from owner.models.contact import ContactResponse
from owner.models.conversation import WINDOWED_CHANNELS, Conversation
from owner.models.conversation_dtos import ConversationResponse
from owner.models.conversation_query import ConversationQuery
from owner.models.event import Event
from owner.models.media import Media
from owner.models.message import MAXIMUM_LENGTH, TEMPLATE_LOOK, Message
from owner.models.note import Note
from owner.models.permissions import Permission
from owner.models.search import Snippet
from owner.models.segments import GSM_BASIC, GSM_EXTENDED
from owner.models.template import TemplateLook
from owner.services.catalog import Services
from owner.services.conversation_threads import ARRIVED, Thread
from owner.services.presence import Present

MAKES_ROOM: Final = ("conversation.opened", "conversation.reopened")  # for the message that arrives
EMOJI: Final = frozenset({"So", "Sk", "Mn", "Cf"})  # pictures, skin colours, and what joins them
MOST_EMOJI: Final = 12  # characters, of which one picture may have several
EARLIER: Final = 10  # conversations of the same customer beside the thread


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a thread: a message with its files, a note, or something that happened."""

    at: datetime
    message: Message | None = None
    files: Sequence[Media] = ()
    note: Note | None = None
    event: Event | None = None
    hit: "Hit | None" = None

    @property
    def look(self) -> TemplateLook | None:
        """What a template shows beside its text."""
        return TemplateLook.of(self.message.metadata.get(TEMPLATE_LOOK)) if self.message else None

    @property
    def is_only_emoji(self) -> bool:
        """A few of them and nothing else, which are shown large."""
        text = self.message.content.strip() if self.message else ""
        return 0 < len(text) <= MOST_EMOJI and all(category(character) in EMOJI for character in text)

    def name_of(self, file: Media) -> str:
        """What a file that we sent was called; the provider doesn't tell the names of customers' files."""
        sent = self.message.media_urls if self.message else []
        return unquote(sent[file.position].rpartition("/")[2]) if file.position < len(sent) else ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that holds what was looked for; the ids of the hits before and after it."""

    text: Snippet
    earlier: int | None
    later: int | None
    is_newest: bool


@dataclass(frozen=True, slots=True)
class ThreadStretch(Page):
    """Entries by day, oldest first; `older` leads to those before. What was looked for is marked."""

    template: ClassVar = "conversation_stretch.html"
    thread: Thread
    q: str = ""
    marks: Mapping[int, Snippet] = field(default_factory=dict)  # by msg_id
    is_latest: bool = True  # nothing comes after it

    @property
    def conv_id(self) -> int:
        return self.thread.conversation.conv_id

    def days(self, voice: Voice) -> Iterator[tuple[datetime, list[Entry]]]:
        """Entries of each day in the reader's time zone, with the first moment of it."""
        for _, entries in groupby(self._entries(), lambda entry: entry.at.astimezone(voice.time_zone).date()):
            day = list(entries)
            yield day[0].at, day

    def _entries(self) -> list[Entry]:
        thread, hits = self.thread, self._hits()
        said = [
            Entry(
                message.created_at,
                message=message,
                files=thread.files.get(message.msg_id, ()),
                hit=hits.get(message.msg_id),
            )
            for message in thread.messages
        ]
        noted = [Entry(note.created_at, note=note) for note in thread.notes]
        before, after = self._happened()
        return sorted([*before, *said, *noted, *after], key=lambda entry: entry.at)

    def _happened(self) -> tuple[list[Entry], list[Entry]]:
        """What made room for a message, and what it led to: all that one arrival writes down has one moment."""
        arrived = {message.msg_id: message.created_at for message in self.thread.messages}
        before: list[Entry] = []
        after: list[Entry] = []
        for at, written in groupby(self.thread.events, lambda event: event.created_at):
            events = list(written)
            arrival = next((event for event in events if event.type == ARRIVED), None)
            message_at = arrived.get(arrival.msg_id or 0, at) if arrival else at
            for event in events:
                if arrival is None or event.type in MAKES_ROOM:
                    before.append(Entry(min(at, message_at), event=event))
                elif event.type != ARRIVED:
                    after.append(Entry(max(at, message_at), event=event))
        return before, after

    def _hits(self) -> Mapping[int, Hit]:
        ids = [message.msg_id for message in self.thread.messages if message.msg_id in self.marks]
        around = zip([None, *ids], ids, [*ids[1:], None], strict=False)
        return {
            one: Hit(self.marks[one], earlier, later, is_newest=self.is_latest and later is None)
            for earlier, one, later in around
        }


@dataclass(frozen=True, slots=True)
class ConversationPane(Page):
    """One conversation, whole: thread, composer, and who it is with."""

    template: ClassVar = "conversation.html"
    conversation: ConversationResponse
    stretch: ThreadStretch
    contact: ContactResponse
    earlier: Sequence[Conversation]
    choices: Choices
    others: Sequence[Present]
    now: datetime
    largest_upload: ClassVar = LARGEST_UPLOAD
    most_characters: ClassVar = MAXIMUM_LENGTH
    gsm_basic: ClassVar = "".join(sorted(GSM_BASIC))
    gsm_extended: ClassVar = "".join(sorted(GSM_EXTENDED))

    @property
    def title(self) -> str:
        return (self.contact.name or "").strip() or spaced(self.conversation.customer_address)

    @property
    def people(self) -> Mapping[int, str]:
        return self.stretch.thread.people

    @property
    def last_msg_id(self) -> int | None:
        messages = self.stretch.thread.messages
        return messages[-1].msg_id if messages else None

    @property
    def is_open(self) -> bool:
        return self.conversation.closed_at is None

    @property
    def takes_templates(self) -> bool:
        return self.conversation.channel in WINDOWED_CHANNELS and not self.is_opted_out

    @property
    def is_window_closed(self) -> bool:
        """Whether only templates may be sent."""
        closes_at = self.conversation.reply_window_closes_at
        return self.conversation.channel in WINDOWED_CHANNELS and (closes_at is None or closes_at <= self.now)

    @property
    def accepted_types(self) -> str:
        return ",".join(accepted_types(self.conversation.channel))

    @property
    def takes_several_files(self) -> bool:
        return takes_several(self.conversation.channel)

    @property
    def is_opted_out(self) -> bool:
        return any(
            address.opted_out_at is not None
            for address in self.contact.addresses
            if address.channel is self.conversation.channel
        )


async def load_stretch(
    services: Services, person: Signed, conv_id: int, *, before: str | None = None, q: str = ""
) -> ThreadStretch:
    """The newest stretch is long enough to hold the newest message that was looked for."""
    owner_id, q = person.caller.owner_id, q.strip()
    newest = None if before else await services.search.find_newest(owner_id, conv_id, q)
    down_to = newest.seq if newest else None
    thread = await services.conversation_threads.load(owner_id, conv_id, before=before, down_to=down_to)
    marks = await services.search.mark(owner_id, thread.messages, q)
    return ThreadStretch(thread, q, marks, is_latest=before is None)


async def load_pane(services: Services, person: Signed, conv_id: int, *, q: str = "") -> ConversationPane:
    """Everything that the two panes show; seen by its reader from now on."""
    caller = person.caller
    stretch = await load_stretch(services, person, conv_id, q=q)
    thread = stretch.thread
    if caller.may(Permission.CONVERSATIONS_WRITE):
        await services.conversation_reads.mark(caller, conv_id)
    contact = await services.contacts.get(caller.owner_id, thread.conversation.contact_id)
    earlier = await services.conversations.list_page(
        caller.owner_id,
        ConversationQuery(contact_id=thread.conversation.contact_id, limit=EARLIER + 1),
    )
    return ConversationPane(
        await services.conversation_views.show(caller, thread.conversation),
        stretch,
        contact.shown(),
        [one for one in earlier.items if one.conv_id != conv_id][:EARLIER],
        await load_choices(services, person),
        services.presence.others(caller, conv_id),
        services.conversations.clock.now(),
    )
