"""Puts the routes together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from owner import __version__
from owner.api import conversations, docs, health, media, messages, webhooks
from owner.api.errors import Problem, install_error_handlers
from owner.api.middleware import DeclaredSize, RequestId
from owner.services.catalog import Services

MAXIMUM_BODY: Final = 1024 * 1024
DESCRIPTION: Final = """
Conversations with your customers over SMS and WhatsApp. Authenticate with `Authorization: Bearer <api key>`;
errors are `application/problem+json` with a stable `code`; lists are `{"items": [], "next_cursor": null}`.
"""
_PROBLEM: Final[dict[str, Any]] = {
    "content": {"application/problem+json": {"schema": Problem.model_json_schema()}}
}
REST_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "The cursor is not one that this list gave out.", **_PROBLEM},
    401: {"description": "No valid API key.", **_PROBLEM},
    404: {"description": "There is nothing here, or it is another owner's.", **_PROBLEM},
    409: {"description": "The state of things does not allow it; `code` says why.", **_PROBLEM},
    422: {"description": "The request is not valid; `field` says where.", **_PROBLEM},
}
WEBHOOK_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    403: {"description": "Not signed by a connected account.", **_PROBLEM},
    413: {"description": "Larger than 1 MB.", **_PROBLEM},
    415: {"description": "Not a form.", **_PROBLEM},
}


def create_api(connect: Callable[[], AbstractAsyncContextManager[Services]]) -> FastAPI:
    """The application; `connect` opens the use cases for as long as it runs."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Services]]:
        async with connect() as services:
            yield {"services": services}

    app = FastAPI(
        title="Owner",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    install_error_handlers(app)
    # Not FastAPI's `max_body_size`: that one is outermost and would answer in plain text, without an id.
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MAXIMUM_BODY)
    app.add_middleware(DeclaredSize, max_body_size=MAXIMUM_BODY)
    app.add_middleware(RequestId)
    for rest in (conversations.router, messages.router, media.router):
        app.include_router(rest, responses=REST_PROBLEMS)
    app.include_router(webhooks.router, responses=WEBHOOK_PROBLEMS)
    app.include_router(health.router)
    docs.install(app)
    return app
