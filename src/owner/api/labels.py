"""Routes of labels, and of which conversations they are on."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from owner.api.conversations import ConvId
from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.entity import LARGEST_ID, Page
from owner.models.label import LabelCreate, LabelResponse, LabelUpdate
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1", tags=["labels"], route_class=Route)
LabelId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.post("/labels", status_code=status.HTTP_201_CREATED, **needs(Permission.LIBRARY_WRITE, creates=True))
async def create_label(create: LabelCreate, services: UseCases, caller: Caller) -> LabelResponse:
    """Make a label; its name is unique among the owner's."""
    return LabelResponse.model_validate(await services.labels.create(caller, create))


@router.get("/labels", **needs(Permission.LIBRARY_READ))
async def list_labels(
    services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[LabelResponse]:
    """Labels, newest first."""
    page = await services.labels.list_page(caller.owner_id, limit=limit, cursor=cursor)
    return Page[LabelResponse].model_validate(page)


@router.patch("/labels/{label_id}", **needs(Permission.LIBRARY_WRITE))
async def update_label(
    label_id: LabelId, update: LabelUpdate, services: UseCases, caller: Caller
) -> LabelResponse:
    """Rename or recolour a label, on every conversation at once."""
    return LabelResponse.model_validate(await services.labels.change(caller, label_id, update))


@router.delete(
    "/labels/{label_id}", status_code=status.HTTP_204_NO_CONTENT, **needs(Permission.LIBRARY_WRITE)
)
async def delete_label(label_id: LabelId, services: UseCases, caller: Caller) -> None:
    """Delete a label, and take it off every conversation."""
    await services.labels.delete(caller, label_id)


@router.put(
    "/conversations/{conv_id}/labels/{label_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={409: {"description": "It has 50 labels already (`too_many_labels`)."}},
    **needs(Permission.CONVERSATIONS_WRITE),
)
async def label_conversation(conv_id: ConvId, label_id: LabelId, services: UseCases, caller: Caller) -> None:
    """Put a label on a conversation; a second time changes nothing."""
    await services.labels.put_on(caller, conv_id, label_id)


@router.delete(
    "/conversations/{conv_id}/labels/{label_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    **needs(Permission.CONVERSATIONS_WRITE),
)
async def unlabel_conversation(
    conv_id: ConvId, label_id: LabelId, services: UseCases, caller: Caller
) -> None:
    """Take a label off a conversation."""
    await services.labels.take_off(caller, conv_id, label_id)
