"""Files that people send: as they come with a form, and as the provider fetches them by their signed address."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Response, UploadFile

from owner.api.dependencies import UseCases
from owner.api.media import as_file
from owner.api.routing import needs
from owner.inbox.routing import PageRoute
from owner.models.attachment import Upload

router = APIRouter(prefix="/files", route_class=PageRoute)


@router.get("/{token}/{name}", **needs(None))
async def show_file(services: UseCases, token: Annotated[str, Path(max_length=500)], name: str) -> Response:  # noqa: ARG001 - for who saves it
    """Without signing in: the address itself is the permission, for a while."""
    return as_file(await services.attachments.open(token))


async def uploads_of(files: Sequence[UploadFile]) -> list[Upload]:
    """What was chosen; a browser sends a nameless, empty file where nothing was."""
    return [
        Upload(file.filename, file.content_type or "", await file.read()) for file in files if file.filename
    ]
