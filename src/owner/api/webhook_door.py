"""Webhooks are let past all that only requests of people and programs need: it costs as much as a webhook itself."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from owner.api.errors import answer_to, refusal
from owner.api.middleware import declares_more, too_large
from owner.models.errors import PayloadTooLarge
from owner.models.outage_errors import DatabaseBusy
from owner.services.catalog import Services

Endpoint: TypeAlias = Callable[[Request, Services], Awaitable[Response]]

PATIENCE: Final = 10.0  # seconds, where the database answers slowly; Twilio has 15 for all its tries


class WebhookDoor:
    """Calls the routes of webhooks at once, with what they cannot do without: a bounded body and an end to waiting.

    Each of the routes reads the raw request and makes the whole answer. Whoever asks for something else on their
    paths, or elsewhere, is passed on.
    """

    def __init__(self, app: ASGIApp, *, routes: Sequence[BaseRoute], max_body_size: int) -> None:
        self.app = app
        self.max_body_size = max_body_size
        self.routes: list[tuple[re.Pattern[str], Endpoint, frozenset[str]]] = [
            (route.path_regex, route.endpoint, frozenset(route.methods or ()))
            for route in routes
            if isinstance(route, APIRoute)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._find(scope) if scope["type"] == "http" else None
        if endpoint is None:
            await self.app(scope, receive, send)
            return
        response = await self._answer(Request(scope, self._bounded(receive)), endpoint)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> Endpoint | None:
        for path, endpoint, methods in self.routes:
            found = path.match(scope["path"])
            if found is not None and scope["method"] in methods:
                scope["path_params"] = found.groupdict()
                return endpoint
        return None

    async def _answer(self, request: Request, endpoint: Endpoint) -> Response:
        """What was begun when patience ended may even be committed: a message that comes twice is stored once."""
        if declares_more(request.scope, self.max_body_size):
            return refusal(too_large(self.max_body_size))
        try:
            async with asyncio.timeout(PATIENCE):
                return await endpoint(request, request.state.services)
        except TimeoutError:
            return refusal(DatabaseBusy())
        except PayloadTooLarge as error:
            return refusal(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the table of errors has an answer
            return await answer_to(request, error)

    def _bounded(self, receive: Receive) -> Receive:
        size = 0

        async def receive_bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.max_body_size:
                raise too_large(self.max_body_size)
            return message

        return receive_bounded
