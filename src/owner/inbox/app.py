"""Puts the pages together and adds them to the API's application."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

from owner.api.app import create_api
from owner.api.shutdown import Draining
from owner.inbox import (
    approved,
    bulk,
    canned,
    conversation_work,
    conversations,
    doors,
    files,
    live,
    overview,
    presence,
)
from owner.inbox.rendering import STATIC, STATIC_URL
from owner.inbox.settings import (
    account,
    api_keys,
    closure,
    company,
    features,
    labels,
    people,
    quarantine,
    replies,
    sections,
    twilio,
    webhook_log,
    webhooks,
)
from owner.services.catalog import Services

SETTINGS: Final = (
    sections,
    account,
    people,
    company,
    closure,
    replies,
    labels,
    features,
    twilio,
    api_keys,
    webhooks,
    webhook_log,
    quarantine,
)
PAGES: Final = (
    doors,
    conversations,
    conversation_work,
    approved,
    bulk,
    canned,
    files,
    live,
    overview,
    presence,
    *SETTINGS,
)
UPLOADS: Final = re.compile(r"/inbox/conversations/\d+/messages")


class _KeptFiles(StaticFiles):
    """Files whose address changes with their content, so browsers need not ask again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


def create_site(
    connect: Callable[[], AbstractAsyncContextManager[Services]], *, draining: Draining | None = None
) -> FastAPI:
    """The whole application: REST, webhooks and the pages for people."""
    app = create_api(connect, draining=draining, uploads=UPLOADS)
    app.mount(STATIC_URL, _KeptFiles(directory=STATIC), name="inbox-static")
    for pages in PAGES:
        app.include_router(pages.router, include_in_schema=False)
    app.add_api_route("/", doors.go_home, include_in_schema=False)
    return app
