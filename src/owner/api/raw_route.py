"""A route whose function reads the raw request and makes the whole answer, so that nothing need be done around it."""

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send


class RawRoute(APIRoute):
    """Described and found like any other, but called at once: resolving and validating costs more than a webhook."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)  # refuses it, and says which there are
            return
        request = Request(scope, receive)
        response = await self.endpoint(request, request.state.services)
        await response(scope, receive, send)
