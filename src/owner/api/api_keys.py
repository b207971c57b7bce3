"""Routes of the keys by which programs act."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.api_key import ApiKeyCreate, ApiKeyCreated, ApiKeyResponse, ApiKeyRotate
from owner.models.entity import LARGEST_ID, Page
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1/api-keys", tags=["API keys"], route_class=Route)
ApiKeyId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("", **needs(Permission.API_KEYS_WRITE))
async def list_api_keys(
    services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[ApiKeyResponse]:
    """Keys, newest first, those that have ended too."""
    page = await services.api_keys.list_page(caller.owner_id, limit=limit, cursor=cursor)
    return Page[ApiKeyResponse].model_validate(page)


@router.post("", status_code=status.HTTP_201_CREATED, **needs(Permission.API_KEYS_WRITE, creates=True))
async def create_api_key(create: ApiKeyCreate, services: UseCases, caller: Caller) -> ApiKeyCreated:
    """Make a key; `api_key` is shown this once.

    Nobody can give a scope that they don't have, and a key that a key makes ends with it at the latest.
    """
    return await services.api_keys.create(caller, create)


@router.post(
    "/{api_key_id}/rotate",
    status_code=status.HTTP_201_CREATED,
    responses={409: {"description": "The key is revoked or expired (`api_key_ended`)."}},
    **needs(Permission.API_KEYS_WRITE, creates=True),
)
async def rotate_api_key(
    api_key_id: ApiKeyId, services: UseCases, caller: Caller, rotate: ApiKeyRotate | None = None
) -> ApiKeyCreated:
    """Make a key in the place of another, which stays valid for a while: a day, unless said otherwise."""
    return await services.api_keys.rotate(caller, api_key_id, rotate or ApiKeyRotate())


@router.delete("/{api_key_id}", status_code=status.HTTP_204_NO_CONTENT, **needs(Permission.API_KEYS_WRITE))
async def revoke_api_key(api_key_id: ApiKeyId, services: UseCases, caller: Caller) -> None:
    """End a key at once."""
    await services.api_keys.revoke(caller, api_key_id)
