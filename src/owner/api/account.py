"""Routes of one's own account."""

from fastapi import APIRouter, status

from owner.api.dependencies import Caller, UseCases
from owner.api.routing import Route, needs
from owner.api.visitor import From
from owner.models.permissions import Permission
from owner.models.user import PasswordChange, UserResponse

router = APIRouter(prefix="/v1/users/me", tags=["people"], route_class=Route)


@router.get("", **needs(Permission.SELF))
async def get_me(services: UseCases, caller: Caller) -> UserResponse:
    """Who is signed in."""
    return UserResponse.model_validate(await services.account.get(caller))


@router.put(
    "/password",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={403: {"description": "The current password is wrong (`password_wrong`)."}},
    **needs(Permission.SELF),
)
async def change_password(change: PasswordChange, services: UseCases, caller: Caller, visitor: From) -> None:
    """Choose a new password, by the current one; every other session ends."""
    await services.account.change_password(caller, change, visitor)
