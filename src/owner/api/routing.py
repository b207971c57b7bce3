"""What every REST route does before its own lines: who calls, may they, how often, with known parameters only."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any, Final, cast

import structlog
from fastapi import Request, Response, params
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute

from owner.db.connections import as_guest
from owner.models.errors import Forbidden, InvalidInput, Unauthenticated, Unavailable
from owner.models.permissions import Permission
from owner.models.principal import Principal
from owner.services.catalog import Services
from owner.services.idempotency import Answer, RequestIdentity
from owner.services.rate_limits import Allowance

PERMISSION: Final = "x-permission"
IDEMPOTENT: Final = "x-idempotent"
OR_PLATFORM: Final = "x-or-platform"
IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "A value of your own: the same key with the same body gets the same answer for 24 hours.",
}
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def needs(
    permission: Permission | None, *, creates: bool = False, or_platform: bool = False, **extra: Any
) -> dict[str, Any]:
    """What a route's decorator is given: who may call it (None: everybody), and whether it makes something.

    `or_platform` lets the operator's keys in too, which don't have the permission elsewhere. `extra` goes into the operation's description in OpenAPI, such as examples.
    """
    described: dict[str, Any] = {PERMISSION: permission, **extra}
    if or_platform:
        described[OR_PLATFORM] = True
    if creates:
        described[IDEMPOTENT] = True
        described["parameters"] = [*described.get("parameters", ()), IDEMPOTENCY_KEY]
    return {"openapi_extra": described}


class Route(APIRoute):
    """A REST route; its decorator says `**needs(...)`, without which it can't be made."""

    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()
        extra = self.openapi_extra or {}
        if PERMISSION not in extra:
            raise TypeError(f"{self.path} does not say which permission it needs.")
        permission: Permission | None = extra[PERMISSION]
        known = _query_parameters(self.dependant)
        is_idempotent = extra.get(IDEMPOTENT, False)
        or_platform = extra.get(OR_PLATFORM, False)

        async def handler(request: Request) -> Response:
            with as_guest():  # what Twilio calls finds a free connection even if these requests use up theirs
                return await respond(request)

        async def respond(request: Request) -> Response:
            # Kept for refusals too: they are told what is left as well.
            allowance = request.state.allowance = (
                await _admit(request, permission, or_platform=or_platform) if permission else None
            )
            _refuse_unknown_parameters(request, known)
            is_repeatable = is_idempotent and "idempotency-key" in request.headers
            response = await (_once(request, handle) if is_repeatable else handle(request))
            if allowance is not None:
                response.headers.update(allowance.headers)
            return response

        return handler


def _query_parameters(dependant: Dependant) -> set[str]:
    elsewhere = params.Path | params.Header | params.Cookie
    return {
        field.alias for field in get_flat_params(dependant) if not isinstance(field.field_info, elsewhere)
    }


async def _admit(request: Request, permission: Permission, *, or_platform: bool) -> Allowance | None:
    """Find out who calls, refuse who may not, count the request; the route finds the caller in the state."""
    services = cast("Services", request.state.services)
    caller = await _identify(request)
    structlog.contextvars.bind_contextvars(owner_id=caller.owner_id)
    request.state.caller = caller
    if not (or_platform and caller.is_platform):
        caller.require(permission)
    return await services.rate_limits.count_request(caller)


async def is_still_admitted(request: Request, permission: Permission) -> bool:
    """Whether who called could call again; yes while nobody can tell, because the database is away."""
    try:
        (await _identify(request)).require(permission)
    except (Unauthenticated, Forbidden):
        return False
    except Unavailable:
        return True
    return True


async def _identify(request: Request) -> Principal:
    services = cast("Services", request.state.services)
    return await services.access.authenticate(_bearer_token(request.headers))


def _bearer_token(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()


def _refuse_unknown_parameters(request: Request, known: set[str]) -> None:
    for name in request.query_params:
        if name not in known:
            there_are = f"there are {', '.join(sorted(known))}" if known else "there are none"
            raise InvalidInput(f"There is no query parameter {name!r} here; {there_are}.", field=name)


async def _once(request: Request, handle: _Handler) -> Response:
    """Answer a repeated request as it was answered before."""
    services = cast("Services", request.state.services)
    caller = cast("Principal", request.state.caller)
    identity = RequestIdentity.of(
        key=request.headers["idempotency-key"],
        method=request.method,
        path=request.url.path,
        query=request.url.query,
        body=await request.body(),
        caller=caller.actor,
    )
    answer = await services.idempotency.run(caller.owner_id, identity, _producing(request, handle))
    response = Response(answer.body, answer.status, media_type=answer.media_type)
    if answer.is_replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _producing(request: Request, handle: _Handler) -> Callable[[], Awaitable[Answer]]:
    async def produce() -> Answer:
        response = await handle(request)
        return Answer(
            HTTPStatus(response.status_code), bytes(response.body), response.media_type or "application/json"
        )

    return produce
