"""The route that finds messages by their words."""

from typing import Annotated

from fastapi import APIRouter, Query

from owner.api.dependencies import Caller, UseCases
from owner.api.messages import shown_message
from owner.api.routing import Route, needs
from owner.models.entity import Page
from owner.models.permissions import Permission
from owner.models.search import FoundMessage, MessageSearch
from owner.services.search import Match

router = APIRouter(prefix="/v1/messages", tags=["messages"], route_class=Route)


@router.get("/search", **needs(Permission.CONVERSATIONS_READ))
async def search_messages(
    search: Annotated[MessageSearch, Query()], services: UseCases, caller: Caller
) -> Page[FoundMessage]:
    """Messages that hold all words, newest first: in any form (Portuguese, English, Spanish), accents or not."""
    matches, next_cursor = await services.search.search(caller.owner_id, search)
    return Page[FoundMessage](items=[_shown(match) for match in matches], next_cursor=next_cursor)


def _shown(match: Match) -> FoundMessage:
    message = shown_message(match.message, match.media)
    return FoundMessage(**dict(message), snippet=match.snippet.text, highlights=match.snippet.highlights)
