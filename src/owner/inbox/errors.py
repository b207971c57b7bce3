"""What people see when something goes wrong: what it is, whether their text is safe, and the request's id."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

import structlog
from fastapi import Request, Response

from owner.api.errors import note
from owner.inbox.refusals import plain
from owner.inbox.rendering import Page, is_partial, show
from owner.models.errors import OwnerError


@dataclass(frozen=True, slots=True)
class ErrorPage(Page):
    """A whole page, or a note on the one that is there."""

    template: ClassVar = "error.html"
    status: int
    code: str
    message: str
    request_id: str | None
    again: str | None = None  # where the same can be asked for once more


def error_page(request: Request, problem: OwnerError, status: HTTPStatus) -> Response:
    """The problem as a page of its own, or beside what the person was doing."""
    note(problem, status)
    message = plain(request.state.visit.voice, problem)
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    page = ErrorPage(status, problem.code, message, request_id, _again(request, status))
    headers = {"HX-Retarget": "#notices", "HX-Reswap": "beforeend"} if is_partial(request) else None
    return show(request, page, status=status, headers=headers)


def _again(request: Request, status: HTTPStatus) -> str | None:
    """Only what changes nothing, and where it was our fault."""
    if request.method != "GET" or status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
