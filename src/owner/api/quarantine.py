"""Routes of the quarantine: webhooks that were refused."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.entity import LARGEST_ID, Page
from owner.models.permissions import Permission
from owner.models.quarantine import QuarantineReplay, QuarantineResponse, QuarantineSummary, ReplayResponse

router = APIRouter(prefix="/v1/quarantine", tags=["quarantine"], route_class=Route)
QuarantineId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("", **needs(Permission.QUARANTINE_WRITE))
async def list_quarantine(
    services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[QuarantineSummary]:
    """Webhooks that were refused, newest first: those of your accounts; a platform key sees all."""
    page = await services.quarantine.list_page(caller.owner_id, limit=limit, cursor=cursor)
    items = [
        QuarantineSummary.model_validate(item.model_dump(exclude={"params", "signature"}))
        for item in page.items
    ]
    return Page[QuarantineSummary](items=items, next_cursor=page.next_cursor)


@router.get("/{quarantine_id}", **needs(Permission.QUARANTINE_WRITE))
async def get_quarantined(
    quarantine_id: QuarantineId, services: UseCases, caller: Caller
) -> QuarantineResponse:
    """One refused webhook with everything that it said."""
    request = await services.quarantine.get(caller.owner_id, quarantine_id)
    return QuarantineResponse.model_validate(request.model_dump(exclude={"signature"}))


@router.post("/{quarantine_id}/replay", **needs(Permission.QUARANTINE_WRITE))
async def replay_quarantined(
    quarantine_id: QuarantineId, services: UseCases, caller: Caller, replay: QuarantineReplay | None = None
) -> ReplayResponse:
    """Take a message in as if it came now, once its number is connected; 409 until then, or without `trust`."""
    trust = replay is not None and replay.trust
    receipt = await services.quarantine.replay(
        quarantine_id, trust=trust, owner_id=caller.owner_id, by=caller.actor
    )
    return ReplayResponse.model_validate(receipt)


@router.delete(
    "/{quarantine_id}", status_code=status.HTTP_204_NO_CONTENT, **needs(Permission.QUARANTINE_WRITE)
)
async def discard_quarantined(quarantine_id: QuarantineId, services: UseCases, caller: Caller) -> None:
    """Throw a refused webhook away."""
    await services.quarantine.discard(caller.owner_id, quarantine_id, by=caller.actor)
