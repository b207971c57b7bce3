"""Routes of internal notes."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from owner.api.conversations import ConvId
from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.entity import LARGEST_ID, Page
from owner.models.note import NoteCreate, NoteResponse
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1/conversations/{conv_id}/notes", tags=["notes"], route_class=Route)
NoteId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.post("", status_code=status.HTTP_201_CREATED, **needs(Permission.CONVERSATIONS_WRITE, creates=True))
async def create_note(
    conv_id: ConvId, create: NoteCreate, services: UseCases, caller: Caller
) -> NoteResponse:
    """Write an internal note: it reaches no customer and keeps no conversation alive."""
    return NoteResponse.model_validate(await services.notes.create(caller, conv_id, create))


@router.get("", **needs(Permission.CONVERSATIONS_READ))
async def list_notes(
    conv_id: ConvId, services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[NoteResponse]:
    """Notes of a conversation, newest first."""
    page = await services.notes.list_page(caller.owner_id, conv_id, limit=limit, cursor=cursor)
    return Page[NoteResponse].model_validate(page)


@router.put("/{note_id}", **needs(Permission.CONVERSATIONS_WRITE))
async def update_note(
    conv_id: ConvId, note_id: NoteId, update: NoteCreate, services: UseCases, caller: Caller
) -> NoteResponse:
    """Rewrite one's own note."""
    return NoteResponse.model_validate(await services.notes.change(caller, conv_id, note_id, update))


@router.delete("/{note_id}", status_code=status.HTTP_204_NO_CONTENT, **needs(Permission.CONVERSATIONS_WRITE))
async def delete_note(conv_id: ConvId, note_id: NoteId, services: UseCases, caller: Caller) -> None:
    """Delete one's own note; supervisors delete anybody's."""
    await services.notes.delete(caller, conv_id, note_id)
