"""What happens to every request: an id in logs and answer, and a limit on the body."""

import re
from typing import Final
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from owner.api.errors import http_status, problem
from owner.models.errors import PayloadTooLarge

MAXIMUM_BODY: Final = 1024 * 1024
_REQUEST_ID: Final = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")


class RequestId:
    """Binds a request id to the logs; takes the caller's if it is a sane one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given if _REQUEST_ID.match(given) else uuid4().hex.encode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id.decode())
        await self.app(scope, receive, send_with_id)


class BodyLimit:
    """Answers 413 as soon as a body is known to be too large, whether or not it says so beforehand."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not declared.isdigit() or int(declared) > MAXIMUM_BODY:
            await _refuse(scope, receive, send)
            return
        await _Counted(self.app, scope, receive, send).run()


class _Counted:
    """One request whose body is counted while it is read."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self.app, self.scope, self.receive, self.send = app, scope, receive, send
        self.received = 0
        self.is_refused = False

    async def run(self) -> None:
        try:
            await self.app(self.scope, self._receive, self._send)
        except PayloadTooLarge:
            await self._refuse()

    async def _receive(self) -> Message:
        message = await self.receive()
        self.received += len(message.get("body", b""))
        if self.received > MAXIMUM_BODY:
            await self._refuse()
            raise PayloadTooLarge
        return message

    async def _send(self, message: Message) -> None:
        if not self.is_refused:
            await self.send(message)

    async def _refuse(self) -> None:
        if not self.is_refused:
            self.is_refused = True
            await _refuse(self.scope, self.receive, self.send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    error = PayloadTooLarge(f"The request body is larger than {MAXIMUM_BODY} bytes.")
    answer = problem(
        http_status(error), code=error.code, detail=error.message, headers={"Connection": "close"}
    )
    await answer(scope, receive, send)
