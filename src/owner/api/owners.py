"""Routes of owners: made and suspended by the operator, each changed by its own people."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.entity import LARGEST_ID, Page
from owner.models.owner import OwnerCreate, OwnerCreated, OwnerResponse, OwnerUpdate
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1/owners", tags=["owners"], route_class=Route)
OwnerId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses={409: {"description": "An owner with this e-mail exists already (`already_exists`)."}},
    **needs(Permission.OWNERS_WRITE, creates=True),
)
async def create_owner(create: OwnerCreate, services: UseCases, caller: Caller) -> OwnerCreated:
    """Make a company with its first person, an ADMIN, and an API key that is shown this once."""
    made = await services.tenants.create(create, by=caller.actor)
    return OwnerCreated(owner_id=made.owner_id, user_id=made.user_id, api_key=made.api_key)


@router.get("", **needs(Permission.OWNERS_WRITE))
async def list_owners(
    services: UseCases, _caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[OwnerResponse]:
    """All companies of the installation, newest first."""
    page = await services.tenants.list_page(limit=limit, cursor=cursor)
    return Page[OwnerResponse].model_validate(page)


@router.post("/{owner_id}/suspend", **needs(Permission.OWNERS_WRITE))
async def suspend_owner(owner_id: OwnerId, services: UseCases, caller: Caller) -> OwnerResponse:
    """Shut a company's people and programs out at once; what its customers write is still taken in."""
    return OwnerResponse.model_validate(await services.tenants.suspend(owner_id, by=caller.actor))


@router.post("/{owner_id}/resume", **needs(Permission.OWNERS_WRITE))
async def resume_owner(owner_id: OwnerId, services: UseCases, caller: Caller) -> OwnerResponse:
    """Let a suspended company in again; its keys and sessions work as before."""
    return OwnerResponse.model_validate(await services.tenants.resume(owner_id, by=caller.actor))


@router.get("/{owner_id}", **needs(Permission.SETTINGS_READ, or_platform=True))
async def get_owner(owner_id: OwnerId, services: UseCases, caller: Caller) -> OwnerResponse:
    """A company; its own people see none but theirs: time zone, language, limits, closing words and texts."""
    return OwnerResponse.model_validate(await services.owner_settings.get(owner_id, caller=caller))


@router.patch("/{owner_id}", **needs(Permission.SETTINGS_WRITE))
async def change_owner(
    owner_id: OwnerId, update: OwnerUpdate, services: UseCases, caller: Caller
) -> OwnerResponse:
    """Change how your conversations behave; what is left out stays, and open conversations keep their limits."""
    owner = await services.owner_settings.change(owner_id, update, caller=caller)
    return OwnerResponse.model_validate(owner)
