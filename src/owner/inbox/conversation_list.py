"""The left pane: which conversations a person looks at, and what each line says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from pydantic import Field

from owner.inbox.forms import Asked
from owner.inbox.rendering import Page
from owner.inbox.visit import Signed
from owner.models.addresses import spaced
from owner.models.conversation_dtos import ConversationResponse
from owner.models.conversation_query import ConversationQuery, ConversationSort, ConversationState
from owner.models.enums import Channel, Priority
from owner.models.label import LabelName
from owner.models.search import Snippet
from owner.repositories.conversation_threads import Preview
from owner.services.catalog import Services

VIEWS: Final[dict[str, dict[str, Any]]] = {
    "mine": {"state": ConversationState.OPEN, "sort": ConversationSort.LAST_ACTIVITY},
    "unassigned": {
        "state": ConversationState.OPEN,
        "unassigned": True,
        "sort": ConversationSort.LAST_ACTIVITY,
    },
    "open": {"state": ConversationState.OPEN, "sort": ConversationSort.LAST_ACTIVITY},
    "waiting": {"sort": ConversationSort.WAITING_LONGEST},
    "closed": {"state": ConversationState.CLOSED, "sort": ConversationSort.LAST_ACTIVITY},
}
"""What each tab of the list asks for; `mine` adds the person."""
PAGE: Final = 30


class ListWish(Asked):
    """The list as the address bar has it."""

    view: str = Field(default="open", pattern=f"^({'|'.join(VIEWS)})$")
    channel: Channel | None = None
    label: list[LabelName] = Field(default_factory=list, max_length=10)
    priority: Priority | None = None
    q: str = Field(default="", max_length=200)
    shown: int = Field(default=PAGE, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=500)

    @property
    def filters(self) -> dict[str, object]:
        """What narrows the view, by the names of the address bar."""
        return {"channel": self.channel, "label": self.label, "priority": self.priority}

    def query_for(self, person: Signed) -> ConversationQuery:
        wanted = {**VIEWS[self.view], **self.filters}
        if self.view == "mine":
            wanted["assignee_id"] = person.caller.user_id
        if self.q.strip():
            wanted["text"] = self.q.strip()
        return ConversationQuery(**wanted, limit=self.shown, cursor=self.cursor)

    def address(self, **changes: object) -> str:
        """The same list with something different, as a query string."""
        values = {"view": self.view, **self.filters, "q": self.q, **changes}
        return urlencode({name: value for name, value in values.items() if value}, doseq=True)


@dataclass(frozen=True, slots=True)
class ListItem:
    """One line."""

    conversation: ConversationResponse
    preview: Preview
    hit: Snippet | None = None  # what was looked for

    @property
    def title(self) -> str:
        return (self.preview.contact_name or "").strip() or spaced(self.conversation.customer_address)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of several conversations."""

    done: int
    problems: Sequence[tuple[int, str]] = ()  # ids, and why these stayed as they were


@dataclass(frozen=True, slots=True)
class ConversationList(Page):
    """One page of lines; the rest comes when it is scrolled to."""

    template: ClassVar = "conversation_list.html"
    wish: ListWish
    items: Sequence[ListItem]
    next_cursor: str | None
    now: datetime
    selected: int | None = None
    told: Told | None = None

    @property
    def views(self) -> Sequence[str]:
        return list(VIEWS)

    @property
    def channels(self) -> Sequence[Channel]:
        return list(Channel)

    @property
    def priorities(self) -> Sequence[Priority]:
        return list(Priority)


async def load_list(
    services: Services,
    person: Signed,
    wish: ListWish,
    *,
    selected: int | None = None,
    told: Told | None = None,
) -> ConversationList:
    """The list with names, last words and what the person has not read."""
    page = await services.conversations.list_page(person.caller.owner_id, wish.query_for(person))
    shown = await services.conversation_views.show_page(person.caller, page)
    conv_ids = [one.conv_id for one in shown.items]
    previews = await services.conversation_threads.previews(person.caller.owner_id, conv_ids)
    hits = await services.search.snippets(person.caller.owner_id, conv_ids, wish.q.strip())
    items = [
        ListItem(one, previews.get(one.conv_id, Preview(None)), hits.get(one.conv_id)) for one in shown.items
    ]
    return ConversationList(
        wish, items, shown.next_cursor, services.conversations.clock.now(), selected, told
    )
