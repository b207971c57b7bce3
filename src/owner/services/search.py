"""Finds what was said by its words, in Portuguese, English and Spanish."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from owner.db.database import Connection, Database
from owner.models.conversation import Conversation
from owner.models.conversation_query import ConversationQuery
from owner.models.entity import Page
from owner.models.event import Event
from owner.models.media import Media
from owner.models.message import Message
from owner.models.search import (
    MessageSearch,
    Snippet,
    is_unfinished,
    marked,
    searched_words,
    snippet_of,
    words_of,
)
from owner.repositories.base import read_cursor, write_cursor
from owner.repositories.conversation_lists import ConversationListRepository
from owner.repositories.media import MediaRepository
from owner.repositories.message_search import MessageSearchRepository

INDEXED: Final = frozenset({"message.received", "message.queued"})
CATCH_UP: Final = 200  # messages that are looked at together when somebody searches
MOST_CATCH_UPS: Final = 10
OFTEN: Final = 100  # messages that hold a word, from which on it is said often
MOST_FOUND: Final = 1000  # messages that a list of conversations is narrowed by
_LIST: Final = "messages found"


class SearchReader:
    """Makes messages findable. Fulfils `event_feed.EventReader`."""

    name = "search"
    starts_now = False

    async def read(self, connection: Connection, owner_id: int, events: Sequence[Event]) -> None:
        """Index the messages of these events; a second time changes nothing."""
        msg_ids = {event.msg_id for event in events if event.type in INDEXED and event.msg_id is not None}
        if msg_ids:
            await MessageSearchRepository(connection, owner_id).index(msg_ids)


class Match(NamedTuple):
    """A message that was found, its files, and the piece to show."""

    message: Message
    media: list[Media]
    snippet: Snippet


class SearchService:
    """Searches messages, those included that came a moment ago."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def search(self, owner_id: int, search: MessageSearch) -> tuple[list[Match], str | None]:
        """Messages with all of the words, the newest first, and the cursor of the next page.

        Raises:
            InvalidCursor: the cursor is not from this list.
        """
        before_id = None if search.cursor is None else read_cursor(search.cursor, _LIST)
        words, unfinished = searched_words(search.text), is_unfinished(search.text)
        if not words:
            return [], None
        async with self.database.owner(owner_id) as connection:
            repository = MessageSearchRepository(connection, owner_id)
            await _catch_up(repository)
            found = await repository.find(
                words, is_unfinished=unfinished, before_id=before_id, limit=search.limit + 1
            )
            msg_ids = [one.msg_id for one in found[: search.limit]]
            messages = await repository.list_messages(msg_ids)
            media = await MediaRepository(connection).list_by_messages(msg_ids)
            candidates = {word for message in messages for word in words_of(message.content)}
            matching = await repository.matching(candidates, words, is_unfinished=unfinished)
        matches = [
            Match(
                message,
                [file for file in media if file.msg_id == message.msg_id],
                snippet_of(message.content, matching),
            )
            for message in messages
        ]
        has_next = len(found) > search.limit
        return matches, write_cursor(msg_ids[-1], _LIST) if has_next else None

    async def snippets(self, owner_id: int, conv_ids: Collection[int], text: str) -> Mapping[int, Snippet]:
        """The newest message with all of the words in each of these conversations, where there is one."""
        words, unfinished = searched_words(text), is_unfinished(text)
        if not words or not conv_ids:
            return {}
        async with self.database.owner(owner_id) as connection:
            repository = MessageSearchRepository(connection, owner_id)
            newest = await repository.find_within(conv_ids, words, is_unfinished=unfinished)
            messages = await repository.list_messages([one.msg_id for one in newest])
            candidates = {word for message in messages for word in words_of(message.content)}
            matching = await repository.matching(candidates, words, is_unfinished=unfinished)
        return {message.conv_id: snippet_of(message.content, matching) for message in messages}

    async def find_newest(self, owner_id: int, conv_id: int, text: str) -> Message | None:
        """The newest message of a conversation that holds all of the words."""
        words = searched_words(text)
        if not words:
            return None
        async with self.database.owner(owner_id) as connection:
            repository = MessageSearchRepository(connection, owner_id)
            await _catch_up(repository)
            newest = await repository.find_within([conv_id], words, is_unfinished=is_unfinished(text))
            return next(iter(await repository.list_messages([one.msg_id for one in newest])), None)

    async def mark(self, owner_id: int, messages: Sequence[Message], text: str) -> Mapping[int, Snippet]:
        """The whole texts of those messages that hold all of the words, which are marked in them."""
        words = searched_words(text)
        if not words:
            return {}
        said = {message.msg_id: frozenset(words_of(message.content)) for message in messages}
        async with self.database.owner(owner_id) as connection:
            repository = MessageSearchRepository(connection, owner_id)
            candidates = frozenset[str]().union(*said.values())
            found = [
                await repository.matching(
                    candidates, [word], is_unfinished=word == words[-1] and is_unfinished(text)
                )
                for word in words
            ]
        everything = set[str]().union(*found)
        return {
            message.msg_id: marked(message.content, everything)
            for message in messages
            if all(said[message.msg_id] & forms for forms in found)
        }


async def list_conversations(
    connection: Connection, owner_id: int, query: ConversationQuery
) -> Page[Conversation]:
    """One page of the conversations in which the words of the query were said.

    Words that are seldom said lead to their conversations. Those that are said often are met on the way along the
    list; where they aren't, because they are said elsewhere, the list is narrowed to where they were said lately.
    """
    text = query.text or ""
    words, unfinished = searched_words(text), is_unfinished(text)
    lists, repository = ConversationListRepository(connection), MessageSearchRepository(connection, owner_id)
    if not words:
        return await lists.list_page(query, among=[])
    await _catch_up(repository)

    async def said_in(conv_ids: Sequence[int]) -> set[int]:
        found = await repository.find_within(conv_ids, words, is_unfinished=unfinished)
        return {one.conv_id for one in found}

    found = await repository.find(words, is_unfinished=unfinished, before_id=None, limit=OFTEN)
    if len(found) == OFTEN:
        page = await lists.walk(query, keep=said_in)
        if page is not None:
            return page
        found = await repository.find(words, is_unfinished=unfinished, before_id=None, limit=MOST_FOUND)
    return await lists.list_page(query, among=list({one.conv_id for one in found}))


async def _catch_up(repository: MessageSearchRepository) -> None:
    """Index what the reader has not come to yet, as far as that takes no time."""
    before_id: int | None = 2**63 - 1
    for _ in range(MOST_CATCH_UPS):
        if before_id is None:
            return
        before_id = await repository.index_latest(before_id=before_id, limit=CATCH_UP)
