"""Puts the simulator together: Twilio's paths, the control API, and the session that posts webhooks."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from owner.integrations.simulator import accounts, contents, control, media, messages, page
from owner.integrations.simulator.callbacks import Carrier
from owner.integrations.simulator.context import RAW_SEND, World, not_found
from owner.integrations.simulator.errors import TwilioError
from owner.integrations.simulator.faults import FaultBoard
from owner.integrations.simulator.phone import NumberUnknown
from owner.integrations.simulator.sending import create_message
from owner.integrations.simulator.store import Store
from owner.integrations.simulator.webhooks import Webhooks

ACCOUNT = "/2010-04-01/Accounts/{account_sid}"
MESSAGE = ACCOUNT + "/Messages/{message_sid}"
SERVICE = "/v1/Services/{service_sid}"  # at Twilio on a host of its own
NUMBER = ACCOUNT + "/IncomingPhoneNumbers/{number_sid}.json"

ROUTES = [
    # The first one is the hot path: routes are tried in order.
    Route(f"{ACCOUNT}/Messages.json", create_message, methods=["POST"]),
    Route(f"{ACCOUNT}/Messages.json", messages.list_messages),
    Route(f"{MESSAGE}.json", messages.fetch_message),
    Route(f"{MESSAGE}.json", messages.delete_message, methods=["DELETE"]),
    Route(f"{MESSAGE}/Media.json", media.list_media),
    Route(f"{MESSAGE}/Media/{{media_sid}}", media.fetch_media),
    Route("/cdn/{media_sid}", media.download),
    Route(f"{ACCOUNT}/IncomingPhoneNumbers.json", accounts.list_numbers),
    Route(NUMBER, accounts.fetch_number),
    Route(NUMBER, accounts.update_number, methods=["POST"]),
    Route(SERVICE, accounts.fetch_service),
    Route(SERVICE, accounts.update_service, methods=["POST"]),
    Route("/v1/ContentAndApprovals", contents.list_contents),
    Route("/v1/Content", contents.list_contents),
    Route("/v1/Content/{content_sid}", contents.fetch_content),
    Route(f"{ACCOUNT}.json", accounts.fetch_account),
    Route("/simulator/accounts", control.register_account, methods=["POST"]),
    Route("/simulator/phones/{address}/messages", control.write, methods=["POST"]),
    Route("/simulator/phones/{address}/messages", control.list_phone_messages),
    Route("/simulator/messages", control.list_all_messages),
    Route("/simulator/faults", control.arm_fault, methods=["POST"]),
    Route("/simulator/faults", control.list_faults),
    Route("/simulator/faults", control.clear_faults, methods=["DELETE"]),
    Route("/simulator/reset", control.reset, methods=["POST"]),
    Route("/simulator", page.show),
    Route("/simulator/phone/accounts", page.register, methods=["POST"]),
    Route("/simulator/phone/messages", page.write, methods=["POST"]),
    Route("/simulator/phone/faults", page.switch, methods=["POST"]),
    Route("/simulator/phone/language", page.speak, methods=["POST"]),
    Mount("/simulator/static", StaticFiles(directory=page.STATIC)),
]


class SimulatorApp(Starlette):
    """Hands the server's own `send` on: some faults need the connection under it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[RAW_SEND] = send
        await super().__call__(scope, receive, send)


def create_simulator(
    *,
    public_url: str | None = None,
    callback_delay: float = 0.3,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> SimulatorApp:
    """Make the ASGI app; serve it with uvicorn and its lifespan on.

    `public_url` begins the media URLs (without it: the Host of the control request),
    `callback_delay` is the seconds from one status of a message to the next.
    """
    store, webhooks = Store(clock), Webhooks()
    carrier = Carrier(store, webhooks, callback_delay=callback_delay)
    app = SimulatorApp(
        routes=ROUTES,
        lifespan=_lifespan,
        exception_handlers={
            TwilioError: _refuse,
            HTTPException: _refuse_path,
            NumberUnknown: control.explain,
            page.FromElsewhere: page.refuse_other_site,
            ValidationError: control.explain,
        },
    )
    app.state.world = World(store, FaultBoard(), webhooks, carrier, public_url)
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    world: World = app.state.world
    await world.webhooks.open()
    try:
        yield
    finally:
        await world.carrier.stop()
        await world.webhooks.close()


def _refuse(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, TwilioError)
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(refusal.retry_after))
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return JSONResponse(refusal.body, refusal.status, headers)


def _refuse_path(request: Request, refusal: Exception) -> Response:
    is_missing = isinstance(refusal, HTTPException) and refusal.status_code == HTTPStatus.NOT_FOUND
    return _refuse(request, not_found(request) if is_missing else TwilioError(20004))
