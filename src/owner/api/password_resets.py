"""Routes by which people who can't sign in get a password."""

from fastapi import APIRouter, Response, status

from owner.api.dependencies import UseCases
from owner.api.routing import Route, needs
from owner.api.visitor import From
from owner.models.one_time_link import PasswordResetCreate, PasswordSet

router = APIRouter(prefix="/v1/password-resets", tags=["people"], route_class=Route)


@router.post(
    "",
    status_code=status.HTTP_202_ACCEPTED,
    response_class=Response,
    responses={429: {"description": "Too many wishes; `Retry-After` says when it will do."}},
    **needs(None),
)
async def ask_for_reset(wish: PasswordResetCreate, services: UseCases, visitor: From) -> Response:
    """Ask for a link by e-mail, valid once and for one hour. The answer is the same whoever has an account."""
    await services.password_resets.ask(wish.email, visitor)
    return Response(status_code=status.HTTP_202_ACCEPTED)


@router.put(
    "",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={404: {"description": "The link was used, is too old, or is none (`link_not_found`)."}},
    **needs(None),
)
async def set_password(choice: PasswordSet, services: UseCases) -> None:
    """Choose a password by the token of an invitation or of a reset link, once; every session ends."""
    await services.password_links.set_password(choice.token, choice.password)
