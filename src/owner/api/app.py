"""Puts the routes together."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from fastapi import FastAPI

from owner import __version__
from owner.api import (
    account,
    api_keys,
    canned_replies,
    closure,
    consents,
    contact_merges,
    contact_privacy,
    contacts,
    conversation_reads,
    conversation_work,
    conversations,
    docs,
    events,
    features,
    health,
    labels,
    media,
    message_search,
    messages,
    notes,
    owners,
    password_resets,
    quarantine,
    reports,
    second_factor,
    sessions,
    twilio_accounts,
    users,
    webhook_deliveries,
    webhook_endpoints,
    webhooks,
)
from owner.api.errors import install_error_handlers
from owner.api.middleware import BodyLimit, RequestId
from owner.api.openapi import describe, operation_name
from owner.api.shutdown import ConnectionClose, Draining
from owner.api.webhook_door import WebhookDoor
from owner.models.attachment import LARGEST_UPLOAD
from owner.services.catalog import Services

REST: Final = (  # one per line, in the order of the API's page
    conversations,
    conversation_work,
    messages,
    message_search,
    media,
    notes,
    labels,
    conversation_reads,
    canned_replies,
    owners,
    twilio_accounts,
    quarantine,
    webhook_endpoints,
    webhook_deliveries,
    events,
    features,
    closure,
    reports,
    sessions,
    second_factor,
    account,  # before `users`, whose paths hold its own
    users,
    password_resets,
    api_keys,
    consents,
    contact_merges,
    contact_privacy,
    contacts,
)
MAXIMUM_BODY: Final = 1024 * 1024
MAXIMUM_UPLOAD: Final = LARGEST_UPLOAD + MAXIMUM_BODY
DESCRIPTION: Final = """
Conversations with your customers over SMS and WhatsApp. Authenticate with `Authorization: Bearer <api key>`;
errors are `application/problem+json` with a stable `code`; lists are `{"items": [], "next_cursor": null}`.
"""


def create_api(
    connect: Callable[[], AbstractAsyncContextManager[Services]],
    *,
    draining: Draining | None = None,
    uploads: re.Pattern[str] | None = None,
) -> FastAPI:
    """The application; `connect` opens the use cases for as long as it runs, `uploads` are paths that take files."""
    draining = draining or Draining()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, object]]:
        async with connect() as services:
            yield {"services": services, "draining": draining}

    app = FastAPI(
        title="Owner",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,  # ours makes the document in a thread
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_name,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # asked for at each request otherwise
    )
    install_error_handlers(app)
    # Not FastAPI's `max_body_size`: that one is outermost and would answer in plain text, without an id.
    app.add_middleware(BodyLimit, max_body_size=MAXIMUM_BODY, uploads=uploads, max_upload_size=MAXIMUM_UPLOAD)
    app.add_middleware(WebhookDoor, routes=webhooks.router.routes, max_body_size=MAXIMUM_BODY)
    app.add_middleware(RequestId)
    app.add_middleware(ConnectionClose, draining=draining)
    for nouns in (*REST, webhooks):
        app.include_router(nouns.router)
    app.include_router(health.router)
    docs.install(app)
    describe(app)
    return app
