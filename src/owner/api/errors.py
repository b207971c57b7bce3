"""Turns the error tree into `application/problem+json` (RFC 9457), by one table."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from owner.logs import Seldom, get_logger
from owner.models import errors
from owner.models.entity import DTO
from owner.models.outage_errors import (
    Collision,
    DatabaseBusy,
    DatabaseTooSlow,
    Overloaded,
    RateLimited,
)
from owner.services.rate_limits import Allowance

log = get_logger(__name__)
_seldom = Seldom(every=10.0)

HTTP_STATUS: Final[dict[type[errors.OwnerError], HTTPStatus]] = {
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.InvalidCursor: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.PayloadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.ProviderError: HTTPStatus.BAD_GATEWAY,
    errors.OutcomeUnknown: HTTPStatus.GATEWAY_TIMEOUT,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.OwnerError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
RETRY_AFTER: Final = "2"  # seconds, where the database is away or everything is busy


class Problem(DTO):
    """What went wrong, as RFC 9457 has it; `code` is stable, `detail` is for people."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None
    request_id: str | None = None


def install_error_handlers(app: FastAPI) -> None:
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def answer_to(request: Request, error: Exception) -> Response:
    """What the handler of the nearest ancestor of the error's class answers."""
    handler = next(_HANDLERS[ancestor] for ancestor in type(error).__mro__ if ancestor in _HANDLERS)
    return await handler(request, error)


def refusal(error: errors.OwnerError) -> JSONResponse:
    """An answer to a request that was not read to its end, so the connection ends with it."""
    return problem(http_status(error), code=error.code, detail=error.message, headers={"Connection": "close"})


def http_status(error: errors.OwnerError) -> HTTPStatus:
    """The table's entry for the nearest ancestor of the error's class."""
    return next(HTTP_STATUS[ancestor] for ancestor in type(error).__mro__ if ancestor in HTTP_STATUS)


def problem(
    status: HTTPStatus,
    *,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """A problem+json answer; facts come along unless they would hide what every problem has."""
    own = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "code": code,
        "detail": detail,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
    }
    content = {**own, **(facts or {}), **own}
    return JSONResponse(_plain(content), status, headers, media_type="application/problem+json")


async def _on_owner_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.OwnerError)
    status = http_status(error)
    note(error, status)
    facts = {**error.facts, **({"field": error.field} if error.field else {})}
    headers = {**_allowance(request), **_headers_of(error)}
    return problem(status, code=error.code, detail=error.message, headers=headers, facts=facts)


def note(error: errors.OwnerError, status: HTTPStatus) -> None:
    """Write into the log what those who run the product look for: what failed, and who was not let in."""
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        _log_outage(error)
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request_failed", code=error.code, status=status.value)
    elif isinstance(error, errors.Unauthenticated | errors.Forbidden):
        log.info("request_refused", code=error.code, status=status.value)
    elif isinstance(error, RateLimited) and (times := _seldom.times(error.code)):
        log.info("request_refused", code=error.code, status=status.value, times=times)


def _log_outage(error: errors.OwnerError) -> None:
    """That the database is away it says itself, once."""
    if type(error) is errors.DatabaseUnavailable:
        return
    if times := _seldom.times(error.code):
        log.error("request_failed", code=error.code, status=503, times=times)


def _allowance(request: Request) -> Mapping[str, str]:
    """What is left of the caller's limit, if the request was counted before it was refused."""
    allowance: Allowance | None = getattr(request.state, "allowance", None)
    return allowance.headers if allowance is not None else {}


def _headers_of(error: errors.OwnerError) -> dict[str, str]:
    match error:
        case errors.Unauthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case errors.DatabaseUnavailable() | DatabaseBusy() | DatabaseTooSlow() | Collision():
            return {"Retry-After": RETRY_AFTER}
        case RateLimited(limit=limit, remaining=remaining, retry_after=seconds):
            return {
                "Retry-After": str(seconds),
                "RateLimit-Limit": str(limit),
                "RateLimit-Remaining": str(remaining),
                "RateLimit-Reset": str(seconds),
            }
        case Overloaded(retry_after=seconds):
            return {"Retry-After": str(seconds)}
    return {}


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if _is_other_than_json(request, error):
        return await _on_owner_error(request, errors.UnsupportedMediaType("Send application/json."))
    found = [
        {"field": _field_of(item["loc"]), "detail": item["msg"].removeprefix("Value error, ")}
        for item in error.errors()
    ]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        code="invalid_input",
        detail="; ".join(f"{item['field']}: {item['detail']}" for item in found),
        headers=_allowance(request),
        facts={"field": found[0]["field"] if found else None, "errors": found},
    )


def _is_other_than_json(request: Request, error: RequestValidationError) -> bool:
    """A body that bears another name, as with `curl -d` alone, is not read at all."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_unread = any(item["loc"] == ("body",) and item["type"] != "missing" for item in error.errors())
    return is_unread and content_type != "application/json" and not content_type.endswith("+json")


def _field_of(place: Sequence[str | int]) -> str:
    """The field's path within its part of the request; the part itself where nothing in it can be named."""
    names = [str(part) for part in place[1:]]
    is_position = place[0] == "body" and all(name.isdigit() for name in names)
    return str(place[0]) if is_position else ".".join(names)


async def _on_hang_up(_request: Request, _error: Exception) -> Response:
    """The caller left before the whole request was here: nothing was begun, and nobody reads the answer."""
    log.info("request_abandoned")
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: no such path, no such method, a body that can't be read."""
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, ClientDisconnect):
        return await _on_hang_up(request, error)
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.BAD_REQUEST:  # a body that is no text at all, told like one that is no JSON
        detail = "body: it can't be read as JSON in UTF-8"
        return problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, code="invalid_input", detail=detail, facts={"field": "body"}
        )
    ours = {status: kind.code for kind, status in HTTP_STATUS.items()}
    code = ours.get(status, status.phrase.lower().replace(" ", "_"))
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = await asyncio.to_thread(
            _allowed_methods, request
        )  # which may be the first to ask for the document
        headers |= {"Allow": ", ".join(allowed)} if allowed else {}
    return problem(status, code=code, detail=str(error.detail), headers=headers)


def _allowed_methods(request: Request) -> list[str]:
    """What the path takes, by all of its routes: the framework names only those of the first.

    Where a path is a word in one route and an id in another, the word counts: `/v1/users/me` is nobody's id. Of
    pages, which are in no document, the framework alone knows.
    """
    paths: Mapping[str, Mapping[str, Any]] = request.app.openapi()["paths"]
    fitting = [path for path in paths if compile_path(path)[0].match(request.url.path)]
    nearest = min(fitting, key=lambda path: path.count("{"), default=None)
    return sorted(method.upper() for method in paths[nearest]) if nearest else []


async def _on_surprise(_request: Request, error: Exception) -> JSONResponse:
    log.error("request_crashed", exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        code="internal_error",
        detail="Something went wrong on our side; tell the operator the request id.",
    )


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """Facts of an error as JSON knows them."""
    return {
        key: value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)
        for key, value in content.items()
    }


_HANDLERS: Final[dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]] = {
    errors.OwnerError: _on_owner_error,
    RequestValidationError: _on_invalid_request,
    HTTPException: _on_http_exception,
    ClientDisconnect: _on_hang_up,
    Exception: _on_surprise,
}
