"""Routes by which people who can't sign in get a password."""

from fastapi import APIRouter, status

from owner.api.dependencies import UseCases
from owner.api.routing import Route, needs
from owner.models.one_time_link import PasswordSet

router = APIRouter(prefix="/v1/password-resets", tags=["people"], route_class=Route)


@router.put(
    "",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={404: {"description": "The link was used, is too old, or is none (`link_not_found`)."}},
    **needs(None),
)
async def set_password(choice: PasswordSet, services: UseCases) -> None:
    """Choose a password by the token of an invitation or of a reset link, once; every session ends."""
    await services.password_links.set_password(choice.token, choice.password)
