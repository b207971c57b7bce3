"""Routes of owners: how one's own conversations behave."""

from typing import Annotated

from fastapi import APIRouter, Path

from owner.api.dependencies import Caller, UseCases
from owner.api.routing import Route, needs
from owner.models.owner import OwnerResponse, OwnerUpdate
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1/owners", tags=["owners"], route_class=Route)
OwnerId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/{owner_id}", **needs(Permission.SETTINGS_READ))
async def get_owner(owner_id: OwnerId, services: UseCases, caller: Caller) -> OwnerResponse:
    """Your own company: time zone, language, limits, closing words and texts."""
    return OwnerResponse.model_validate(await services.owner_settings.get(owner_id, caller=caller))


@router.patch("/{owner_id}", **needs(Permission.SETTINGS_WRITE))
async def change_owner(
    owner_id: OwnerId, update: OwnerUpdate, services: UseCases, caller: Caller
) -> OwnerResponse:
    """Change how your conversations behave; what is left out stays, and open conversations keep their limits."""
    owner = await services.owner_settings.change(owner_id, update, caller=caller)
    return OwnerResponse.model_validate(owner)
