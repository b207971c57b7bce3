"""Routes of merges: two contacts that are one person, and two again."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from owner.api.contacts import GONE, ContactId
from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.contact_merge import (
    ContactMerge,
    ContactMergeCreate,
    ContactMergeResponse,
    ContactMergeView,
)
from owner.models.entity import LARGEST_ID, Page
from owner.models.permissions import Permission
from owner.services.contacts import KnownContact

router = APIRouter(prefix="/v1", tags=["contacts"], route_class=Route)
MergeId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.post(
    "/contacts/{contact_id}/merge",
    status_code=status.HTTP_201_CREATED,
    responses=GONE,
    **needs(Permission.CONTACTS_WRITE, creates=True),
)
async def merge_contacts(
    contact_id: ContactId, create: ContactMergeCreate, services: UseCases, caller: Caller
) -> ContactMergeResponse:
    """Make another contact part of this one: its addresses and conversations move, its attributes are added."""
    merge = await services.contact_merges.merge(caller.owner_id, contact_id, create.merge_id, by=caller.actor)
    return _shown(merge, await services.contacts.get(caller.owner_id, contact_id))


@router.get("/contacts/{contact_id}/merges", **needs(Permission.CONTACTS_READ))
async def list_contact_merges(
    contact_id: ContactId, services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[ContactMergeView]:
    """The merges into a contact, newest first, those that were undone too."""
    page = await services.contact_merges.list_page(caller.owner_id, contact_id, limit=limit, cursor=cursor)
    items = [ContactMergeView.of(merge) for merge in page.items]
    return Page[ContactMergeView](items=items, next_cursor=page.next_cursor)


@router.post(
    "/contact-merges/{merge_id}/undo",
    responses={
        409: {
            "description": "`merge_undone`, or the contact was merged further (`contact_merged`) or erased."
        }
    },
    **needs(Permission.CONTACTS_WRITE),
)
async def undo_contact_merge(merge_id: MergeId, services: UseCases, caller: Caller) -> ContactMergeResponse:
    """Make two contacts of one again: what was moved goes back, what came since stays."""
    merge = await services.contact_merges.undo(caller.owner_id, merge_id, by=caller.actor)
    return _shown(merge, await services.contacts.get(caller.owner_id, merge.survivor_id))


def _shown(merge: ContactMerge, survivor: KnownContact) -> ContactMergeResponse:
    return ContactMergeResponse(**ContactMergeView.of(merge).model_dump(), contact=survivor.shown())
