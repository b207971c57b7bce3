"""Routes of people, as those see them who let them in."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.entity import LARGEST_ID, Page
from owner.models.enums import UserRole
from owner.models.one_time_link import LinkResponse
from owner.models.permissions import Permission
from owner.models.user import User, UserCreate, UserInvited, UserResponse, UserUpdate

router = APIRouter(prefix="/v1/users", tags=["people"], route_class=Route)
# The paths say `int`, so that `me` is none of these.
UserId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("", **needs(Permission.USERS_READ))
async def list_users(
    services: UseCases,
    caller: Caller,
    *,
    role: UserRole | None = None,
    is_active: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[UserResponse]:
    """People of the company, newest first."""
    page = await services.users.list_page(
        caller.owner_id, role=role, is_active=is_active, limit=limit, cursor=cursor
    )
    return Page[UserResponse].model_validate(page)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses={409: {"description": "A person with this e-mail exists already (`already_exists`)."}},
    **needs(Permission.USERS_WRITE, creates=True),
)
async def invite_user(create: UserCreate, services: UseCases, caller: Caller) -> UserInvited:
    """Invite a person, who chooses a password by a link that is valid for seven days.

    The link is sent by e-mail where the operator set that up; elsewhere it is in the answer, to be handed on. Nobody
    can give a role that may more than they may themselves.
    """
    return _invited(*await services.users.invite(caller, create))


@router.get("/{user_id:int}", **needs(Permission.USERS_READ))
async def get_user(user_id: UserId, services: UseCases, caller: Caller) -> UserResponse:
    """One person."""
    return UserResponse.model_validate(await services.users.get(caller.owner_id, user_id))


@router.patch(
    "/{user_id:int}",
    responses={409: {"description": "Nobody would be left who can configure the company (`last_admin`)."}},
    **needs(Permission.USERS_WRITE),
)
async def update_user(
    user_id: UserId, update: UserUpdate, services: UseCases, caller: Caller
) -> UserResponse:
    """Change a person's name or role, or shut them out.

    A role counts from the next request on; whoever is shut out loses every session and link.
    """
    return UserResponse.model_validate(await services.users.update(caller, user_id, update))


@router.post(
    "/{user_id:int}/invitation",
    status_code=status.HTTP_201_CREATED,
    responses={409: {"description": "They have chosen a password already (`invitation_accepted`)."}},
    **needs(Permission.USERS_WRITE, creates=True),
)
async def invite_user_again(user_id: UserId, services: UseCases, caller: Caller) -> UserInvited:
    """Send a new link to a person who has not used the first, which becomes void."""
    return _invited(*await services.users.invite_again(caller, user_id))


@router.delete(
    "/{user_id:int}/second-factor", status_code=status.HTTP_204_NO_CONTENT, **needs(Permission.USERS_WRITE)
)
async def reset_second_factor(user_id: UserId, services: UseCases, caller: Caller) -> None:
    """Take a person's second factor away, because it is lost. One's own takes password and code."""
    await services.second_factor.reset(caller, user_id)


def _invited(user: User, link: LinkResponse | None) -> UserInvited:
    shown = UserResponse.model_validate(user)
    return UserInvited(**shown.model_dump(), invitation=link)
