"""What every page does before its own lines: who looks, may they, how often, and did a page of ours send this."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, Final, cast
from urllib.parse import quote

import structlog
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from owner.api.errors import http_status
from owner.api.routing import PERMISSION
from owner.db.connections import as_guest
from owner.inbox.errors import error_page
from owner.inbox.rendering import is_partial
from owner.inbox.security import protect, refuse_other_origin, refuse_without_token
from owner.inbox.visit import Signed, Visit, session_cookie, voice_of
from owner.logs import get_logger
from owner.models.errors import InvalidInput, OwnerError, PayloadTooLarge, Unauthenticated
from owner.models.permissions import Permission
from owner.services.catalog import Services

log = get_logger(__name__)
SIGN_IN: Final = "/inbox/sign-in"
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_SAFE: Final = frozenset({"GET", "HEAD"})


class PageRoute(APIRoute):
    """A route of the page; its decorator says `**needs(...)`, as a REST route's does."""

    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()
        permission: Permission | None = (self.openapi_extra or {})[PERMISSION]

        async def handler(request: Request) -> Response:
            with as_guest():  # as with REST: what Twilio calls finds a free connection
                return protect(await _answer(request, permission, handle))

        return handler


async def _answer(request: Request, permission: Permission | None, handle: _Handler) -> Response:
    """The page, or a calm one that says what went wrong."""
    request.state.visit = Visit(request.url.path, voice_of(request))
    try:
        await _admit(request, permission)
        return await handle(request)
    except Unauthenticated:
        return _to_sign_in(request)
    except ClientDisconnect:
        raise
    except HTTPException as refusal:
        return await _unreadable(request, refusal)
    except RequestValidationError as problem:
        return await error_page(request, InvalidInput(told(problem)), HTTPStatus.UNPROCESSABLE_ENTITY)
    except OwnerError as problem:
        return await error_page(request, problem, http_status(problem))
    except Exception:
        log.exception("page_crashed")
        return await error_page(request, OwnerError(), HTTPStatus.INTERNAL_SERVER_ERROR)


async def visit_of(request: Request) -> Visit:
    """Asynchronous, because FastAPI runs other functions in a thread."""
    return cast("Visit", request.state.visit)


async def person_of(request: Request) -> Signed:
    return cast("Visit", request.state.visit).person


Visiting = Annotated[Visit, Depends(visit_of)]
Person = Annotated[Signed, Depends(person_of)]


async def _admit(request: Request, permission: Permission | None) -> None:
    """Find out who looks; refuse who may not, and what no page of ours sent."""
    services = cast("Services", request.state.services)
    is_safe = request.method in _SAFE
    if not is_safe:
        refuse_other_origin(request, services.public_url)
    token = request.cookies.get(session_cookie(services))
    if token is None:
        if permission is not None:
            raise Unauthenticated
        return
    try:
        request.state.visit = await _visit(request, token)
    except Unauthenticated:
        if permission is not None:
            raise
        return
    if not is_safe:
        await refuse_without_token(request, token)
    caller = request.state.visit.person.caller
    if permission is not None:
        caller.require(permission)
    await services.rate_limits.count_request(caller)


async def _visit(request: Request, token: str) -> Visit:
    services = cast("Services", request.state.services)
    caller = await services.access.authenticate(token)
    structlog.contextvars.bind_contextvars(owner_id=caller.owner_id)
    user, owner = await services.visits.describe(caller)
    return Visit(request.url.path, voice_of(request, owner), Signed(caller, user, owner, token))


def _to_sign_in(request: Request) -> Response:
    """To the sign-in page, and from there back to where they were."""
    if is_partial(request):
        # The page stays as it is, with its draft; its script says what happened and offers the way.
        return Response(
            status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Trigger": "signed-out", "HX-Reswap": "none"}
        )
    place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = SIGN_IN if request.method not in _SAFE else f"{SIGN_IN}?next={quote(place)}"
    return RedirectResponse(target, HTTPStatus.SEE_OTHER)


async def _unreadable(request: Request, refusal: HTTPException) -> Response:
    """A form that is too large, or is none; raises again where nobody is there any more."""
    if isinstance(refusal.__cause__, ClientDisconnect):
        raise refusal
    is_too_large = refusal.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    problem = PayloadTooLarge() if is_too_large else InvalidInput("The form can't be read.")
    return await error_page(request, problem, http_status(problem))


def told(problem: RequestValidationError | ValidationError) -> str:
    """The first thing that is wrong."""
    found = problem.errors()[0]
    words: str = found["msg"].removeprefix("Value error, ")
    return f"{found['loc'][-1]}: {words}" if found["loc"] else words
