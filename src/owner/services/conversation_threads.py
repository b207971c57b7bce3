"""What a person sees of conversations: a list with last words, and a thread with all that happened between them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from owner.db.database import Connection, Database
from owner.models.conversation import Conversation
from owner.models.event import Event
from owner.models.media import Media
from owner.models.message import Message
from owner.models.note import Note
from owner.repositories.conversation_threads import ConversationThreadRepository, Preview
from owner.repositories.conversations import ConversationRepository
from owner.repositories.media import MediaRepository
from owner.repositories.messages import MessageRepository

CLOCKS_DIFFER: Final = timedelta(hours=1)  # at most, where somebody looks after them
MESSAGES: Final = 50  # of one page of a thread
FARTHEST: Final = 6  # pages that are shown at once to reach what was looked for
ARRIVED: Final = "message.received"  # tells which events an arrival brought about
TOLD: Final = (
    "closure.cleared",
    "closure.shadowed",
    "closure.suspected",
    "contact.opted_in",
    "contact.opted_out",
    "conversation.assigned",
    "conversation.closed",
    "conversation.extended",
    "conversation.handed_off",
    "conversation.labeled",
    "conversation.opened",
    "conversation.reopened",
    "conversation.unassigned",
    "conversation.unlabeled",
)
"""Events that get a line of their own in a thread; messages and notes are there themselves."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A stretch of a conversation, everything in it oldest first."""

    conversation: Conversation
    messages: Sequence[Message]
    files: Mapping[int, Sequence[Media]]  # by msg_id
    notes: Sequence[Note]
    events: Sequence[Event]
    people: Mapping[int, str]  # names by user_id
    labels: Mapping[int, str]  # names by label_id
    older: str | None  # cursor of the stretch before


class ConversationThreadService:
    """Reads conversations for the inbox: as many queries for a long one as for a short one."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def load(
        self, owner_id: int, conv_id: int, *, before: str | None = None, down_to: int | None = None
    ) -> Thread:
        """The newest stretch, or the one before a cursor; raises `InvalidCursor` and `ConversationNotFound`.

        `down_to` is the `seq` of a message that shall be in it, if it is not too far away.
        """
        async with self.database.owner(owner_id) as connection:
            conversation = await ConversationRepository(connection).get(conv_id)
            messages, older = await _read(connection, conv_id, before, down_to)
            # What opened it is dated by the database, whose clock may be behind the one that dated the conversation.
            begun_at = conversation.created_at - CLOCKS_DIFFER
            since = messages[0].created_at if messages and older else begun_at
            until = await _beginning_of_next(connection, messages) if before else None
            beside = ConversationThreadRepository(connection)
            return Thread(
                conversation,
                messages,
                await _files_of(connection, messages),
                await beside.list_notes(conv_id, since=since, until=until),
                await beside.list_events(conv_id, types=(ARRIVED, *TOLD), since=since, until=until),
                await beside.names_of_people(),
                await beside.names_of_labels(),
                older,
            )

    async def names(self, owner_id: int) -> Mapping[int, str]:
        """Everybody of the company."""
        async with self.database.owner(owner_id) as connection:
            return await ConversationThreadRepository(connection).names_of_people()

    async def previews(self, owner_id: int, conv_ids: Sequence[int]) -> Mapping[int, Preview]:
        """Names and last words for a page of conversations."""
        async with self.database.owner(owner_id) as connection:
            return await ConversationThreadRepository(connection).previews(conv_ids)


async def _read(
    connection: Connection, conv_id: int, before: str | None, down_to: int | None
) -> tuple[list[Message], str | None]:
    """Messages oldest first, and the cursor of those before them."""
    messages: list[Message] = []
    older = before
    for _ in range(FARTHEST):
        page = await MessageRepository(connection).list_by_conversation(
            conv_id, limit=MESSAGES, cursor=older, newest_first=True
        )
        messages, older = [*page.items[::-1], *messages], page.next_cursor
        if older is None or down_to is None or messages[0].seq <= down_to:
            break
    return messages, older


async def _beginning_of_next(connection: Connection, messages: Sequence[Message]) -> datetime | None:
    """When the message after a stretch was said: what happened from then on stands in the stretch after it."""
    if not messages:
        return None
    last = messages[-1]
    after = await MessageRepository(connection).find_where(conv_id=last.conv_id, seq=last.seq + 1)
    return after.created_at if after else None


async def _files_of(connection: Connection, messages: Sequence[Message]) -> Mapping[int, Sequence[Media]]:
    files: dict[int, list[Media]] = defaultdict(list)
    for file in await MediaRepository(connection).list_by_messages([message.msg_id for message in messages]):
        files[file.msg_id].append(file)
    return files
