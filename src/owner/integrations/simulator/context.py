"""What every route of the simulator reaches for: the one world, the caller's account, the form."""

import asyncio
import base64
import binascii
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qs

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.types import Send

from owner.integrations.simulator.callbacks import Carrier
from owner.integrations.simulator.errors import TwilioError
from owner.integrations.simulator.faults import FaultBoard
from owner.integrations.simulator.store import Account, Message, Store
from owner.integrations.simulator.webhooks import Webhooks

RAW_SEND = "simulator.raw_send"
LINGER_NOT_AT_ALL = struct.pack("ii", 1, 0)  # closing sends RST instead of FIN


@dataclass(slots=True)
class World:
    store: Store
    faults: FaultBoard
    webhooks: Webhooks
    carrier: Carrier
    public_url: str | None

    def base_url(self, request: Request) -> str:
        return (self.public_url or str(request.base_url)).rstrip("/")

    async def reset(self) -> None:
        """Begin anew: no accounts, no messages, no faults, nothing under way."""
        await self.carrier.stop()
        self.faults.armed.clear()
        self.store.clear()


@dataclass(frozen=True, slots=True)
class Form:
    values: Mapping[str, list[str]]

    def __getitem__(self, name: str) -> str:
        """The last value given, or an empty string."""
        return self.values.get(name, [""])[-1]

    def every(self, name: str) -> list[str]:
        return [value for value in self.values.get(name, []) if value]


def world_of(request: Request) -> World:
    return cast("World", request.app.state.world)


async def form_of(request: Request) -> Form:
    # Not request.form(): that wants python-multipart, and this is the hot path.
    body = await request.body()
    return Form(parse_qs(body.decode(errors="replace"), keep_blank_values=True))


def account_of(request: Request) -> Account:
    """The account in the path, if the caller holds one of its tokens."""
    return _opened(request, request.path_params["account_sid"])


def caller_of(request: Request) -> Account:
    """The account whose credentials came along, where the path names none."""
    return _opened(request, _credentials(request)[0])


def _opened(request: Request, account_sid: str) -> Account:
    account = world_of(request).store.accounts.get(account_sid)
    username, password = _credentials(request)
    if account is None or username != account.sid or not password:
        raise TwilioError(20003)
    if password not in (account.auth_token, account.secondary_auth_token):
        raise TwilioError(20003)
    return account


def message_of(request: Request) -> Message:
    message = world_of(request).store.find(account_of(request), request.path_params["message_sid"])
    if message is None:
        raise not_found(request)
    return message


def whole(query: QueryParams, name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isdecimal() else default


def not_found(request: Request) -> TwilioError:
    return TwilioError(20404, request.url.path)


async def fall_silent(request: Request, seconds: float) -> None:
    """Say nothing until the caller gives up or the time is over, then drop the connection."""
    try:
        async with asyncio.timeout(seconds):
            await _gone(request)
    except TimeoutError:
        await hang_up(request)


async def hang_up(request: Request) -> None:
    """Reset the TCP connection under the request. ASGI has no word for it: this reaches into uvicorn."""
    send: Send = request.scope[RAW_SEND]
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise TypeError("dropping a connection needs uvicorn")
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT_AT_ALL)
    transport.abort()
    await _gone(request)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _credentials(request: Request) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return username, password
