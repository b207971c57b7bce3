"""What people see when something goes wrong: what it is, whether their text is safe, and the request's id."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar, Final

import structlog
from fastapi import Request, Response
from starlette.exceptions import HTTPException

from owner.api.errors import note
from owner.inbox.refusals import plain
from owner.inbox.rendering import Page, is_partial, show
from owner.models.errors import OwnerError

_CONVERSATION: Final = re.compile(r"/inbox/conversations/([0-9]{1,18})/")


@dataclass(frozen=True, slots=True)
class ErrorPage(Page):
    """A whole page, or a note on the one that is there."""

    template: ClassVar = "error.html"
    status: int
    code: str
    message: str
    request_id: str | None
    again: str | None = None  # where the same can be asked for once more
    conv_id: int | None = None  # in which it was
    written: str | None = None  # what was sent by a form; without script it stands nowhere else


async def error_page(request: Request, problem: OwnerError, status: HTTPStatus) -> Response:
    """The problem as a page of its own, or beside what the person was doing."""
    note(problem, status)
    message = plain(request.state.visit.voice, problem)
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    page = ErrorPage(
        status,
        problem.code,
        message,
        request_id,
        again=_again(request, status),
        conv_id=int(place[1]) if (place := _CONVERSATION.match(request.url.path)) else None,
        written=None if is_partial(request) else await _written(request),
    )
    headers = {"HX-Retarget": "#notices", "HX-Reswap": "beforeend"} if is_partial(request) else None
    return show(request, page, status=status, headers=headers)


def _again(request: Request, status: HTTPStatus) -> str | None:
    """Only what changes nothing, and where it was our fault."""
    if request.method != "GET" or status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def _written(request: Request) -> str | None:
    if request.method != "POST":
        return None
    try:
        content = (await request.form()).get("content")
    except (HTTPException, RuntimeError):
        return None  # the form was what is wrong, and what was read of it can't be read again
    return content if isinstance(content, str) else None
