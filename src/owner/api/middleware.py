"""What happens to every request: an id in logs and answer, headers for browsers, a look at its size."""

import re
from collections.abc import Sequence
from secrets import token_hex
from typing import Final

import structlog
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from owner.api.errors import refusal
from owner.models.errors import PayloadTooLarge
from owner.services.catalog import Services

# What a browser may make of an answer that says nothing else: no page, no type of its own guess, nothing to keep.
SAFE_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# Where browsers reach us by HTTPS they try nothing else for a year. Of subdomains only the operator's proxy knows.
HTTPS_ONLY: Final = (b"strict-transport-security", b"max-age=31536000")
_REQUEST_ID: Final = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")


class RequestId:
    """Binds a request id to the logs, the caller's if it is a sane one; adds the headers that an answer left out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wanted = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = wanted if _REQUEST_ID.match(wanted) else token_hex(16).encode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message["headers"]
                said = {name.lower() for name, _ in given}
                safe = [header for header in _safe_headers(scope) if header[0] not in said]
                message["headers"] = [*given, *safe, (b"x-request-id", request_id)]
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id.decode())
        await self.app(scope, receive, send_with_id)


def _safe_headers(scope: Scope) -> Sequence[tuple[bytes, bytes]]:
    services: Services = scope["state"]["services"]
    return (*SAFE_HEADERS, HTTPS_ONLY) if services.public_url.startswith("https://") else SAFE_HEADERS


class BodyLimit:
    """Refuses, as a problem, what says itself that it is too large; Starlette counts what says nothing.

    `uploads` are paths that take more.
    """

    def __init__(
        self, app: ASGIApp, max_body_size: int, *, uploads: re.Pattern[str] | None, max_upload_size: int
    ) -> None:
        self.uploads = uploads
        self.usual = _Limited(app, max_body_size)
        self.larger = _Limited(app, max_upload_size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_upload = self.uploads is not None and self.uploads.fullmatch(scope.get("path", ""))
        await (self.larger if is_upload else self.usual)(scope, receive, send)


class _Limited:
    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self.app = RequestBodyLimitMiddleware(app, max_body_size)
        self.max_body_size = max_body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not declares_more(scope, self.max_body_size):
            await self.app(scope, receive, send)
            return
        await refusal(too_large(self.max_body_size))(scope, receive, send)


def declares_more(scope: Scope, most: int) -> bool:
    """Whether a request says itself that its body is larger."""
    declared = next((value for name, value in scope.get("headers", ()) if name == b"content-length"), b"0")
    return declared.isdigit() and int(declared) > most


def too_large(most: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The request body is larger than {most} bytes.")
