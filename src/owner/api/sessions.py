"""Routes by which people sign in and out."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.api.visitor import From
from owner.models.entity import LARGEST_ID, Page
from owner.models.permissions import Permission
from owner.models.session import SessionCreate, SessionCreated, SessionResponse

router = APIRouter(prefix="/v1/sessions", tags=["people"], route_class=Route)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses={
        401: {
            "description": "Wrong e-mail or password (`sign_in_rejected`), or the code of the second factor is"
            " missing or wrong (`second_factor_required`)."
        },
        409: {"description": "Right for several companies (`owner_choice_required`): `owners` names them."},
        429: {"description": "Too many tries; `Retry-After` says when it will do."},
    },
    **needs(None),
)
async def sign_in(create: SessionCreate, services: UseCases, visitor: From) -> SessionCreated:
    """Sign in with e-mail and password; the token is shown this once.

    A session ends 14 days after its last use, and after 90 days at the latest. Repeating a sign-in begins another
    session, so there is no `Idempotency-Key` here.
    """
    return await services.sessions.sign_in(create, visitor)


@router.get("", **needs(Permission.SELF))
async def list_sessions(
    services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[SessionResponse]:
    """One's own sessions, newest first."""
    page = await services.sessions.list_page(caller, limit=limit, cursor=cursor)
    items = [SessionResponse.model_validate(session) for session in page.items]
    for item in items:
        item.is_current = item.session_id == caller.session_id
    return Page[SessionResponse](items=items, next_cursor=page.next_cursor)


@router.delete("/current", status_code=status.HTTP_204_NO_CONTENT, **needs(Permission.SELF))
async def sign_out(services: UseCases, caller: Caller) -> None:
    """End the session that asks."""
    await services.sessions.end(caller, caller.session_id or 0)


@router.delete("/others", status_code=status.HTTP_204_NO_CONTENT, **needs(Permission.SELF))
async def sign_out_everywhere_else(services: UseCases, caller: Caller) -> None:
    """End all of one's own sessions but the one that asks. A second time changes nothing."""
    await services.sessions.end_others(caller)


@router.delete("/{session_id:int}", status_code=status.HTTP_204_NO_CONTENT, **needs(Permission.SELF))
async def end_session(
    session_id: Annotated[int, Path(ge=1, le=LARGEST_ID)], services: UseCases, caller: Caller
) -> None:
    """End one of one's own sessions, as on a device that was lost."""
    await services.sessions.end(caller, session_id)
