"""The route of files."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from owner.api.dependencies import Caller, UseCases
from owner.api.routing import Route, needs
from owner.models.entity import LARGEST_ID
from owner.models.permissions import Permission
from owner.services.media import File

router = APIRouter(prefix="/v1/media", tags=["messages"], route_class=Route)


@router.get(
    "/{media_id}",
    response_class=Response,
    responses={200: {"content": {"*/*": {}}}},
    **needs(Permission.CONVERSATIONS_READ),
)
async def get_media(
    media_id: Annotated[int, Path(ge=1, le=LARGEST_ID)], services: UseCases, caller: Caller
) -> Response:
    """A file that a customer sent, from the event `media.stored` on.

    Its type was read from the bytes, and nothing in it can run in a browser.
    """
    return as_file(await services.media.open(caller.owner_id, media_id))


def as_file(file: File) -> Response:
    """The bytes, which nothing takes for a page."""
    headers = {
        "Content-Disposition": f"inline; filename=media-{file.media.media_id}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    return Response(file.content, media_type=file.media.content_type, headers=headers)
