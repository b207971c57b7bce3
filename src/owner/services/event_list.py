"""Everything that happened to an owner, page by page."""

from owner.db.database import Database
from owner.models.entity import Page
from owner.models.event import FeedEventResponse
from owner.repositories.event_pages import EventPageRepository, EventQuery


class EventListService:
    """Shows the feed to programs that ask for it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def list_page(
        self, owner_id: int, query: EventQuery, *, limit: int, cursor: str | None = None
    ) -> Page[FeedEventResponse]:
        async with self.database.owner(owner_id) as connection:
            return await EventPageRepository(connection).list_page(query, limit=limit, cursor=cursor)
