"""Connections to hosts that a stranger chose: whatever they answer, and however, the process goes on."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

from owner.models.network import IPAddress

LOOK_UPS_AT_ONCE: Final = 64
INTERIM_ANSWERS: Final = 8  # of 100 to 199, before the one that was asked for
_FINAL: Final = 200
_SLICE: Final = 4 * 1024  # bytes that are parsed before we look what they were

_AddressInfo: TypeAlias = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]


class ForbiddenAddress(OSError):
    """The address is inside a network that we don't connect to."""

    def __init__(self) -> None:
        super().__init__("forbidden address")


class GuardedConnector(TCPConnector):
    """Connects where it may (else `ForbiddenAddress`), finds names by its own threads, and has no patience with interim answers.

    A hundred thousand of them fit into a second, each is an object, and nothing else in the process has its turn.
    """

    def __init__(
        self,
        *,
        may_connect: Callable[[IPAddress], bool],
        resolver: AbstractResolver | None = None,
        keepalive_timeout: float = 15.0,
    ) -> None:
        self._may_connect = may_connect
        super().__init__(
            limit=0,
            keepalive_timeout=keepalive_timeout,
            socket_factory=self._open_socket,
            resolver=resolver or ThreadedNames(),
        )
        protocol: type[ResponseHandler] = _Impatient
        self._factory = partial(protocol, loop=self._loop)

    def _open_socket(self, address_info: _AddressInfo) -> socket.socket:
        """A socket for this very address, written as a number or found by name: no later look-up can change it."""
        family, kind, protocol, _, address = address_info
        if not self._may_connect(ip_address(str(address[0]).partition("%")[0])):
            raise ForbiddenAddress
        return socket.socket(family, kind, protocol)


class ThreadedNames(AbstractResolver):
    """Look-ups in threads of their own: a name server that is silent must hold up nothing else in the process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOK_UPS_AT_ONCE, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        look_up = partial(
            socket.getaddrinfo,
            host,
            port,
            family=family,
            type=socket.SOCK_STREAM,
            flags=socket.AI_ADDRCONFIG,
        )
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for family, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Impatient(ResponseHandler):
    """Reads the heads of answers in slices, and looks after each how many there were."""

    _heads = 0
    _is_answered = False

    def set_response_params(self, **params: Any) -> None:
        """Called before each request."""
        self._heads, self._is_answered = 0, False
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        while len(data) > _SLICE and not self._is_answered and self.exception() is None:
            super().data_received(data[:_SLICE])
            data = data[_SLICE:]
        if self.exception() is None:
            super().data_received(data)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Called with each head and its body to come."""
        head, _ = data
        self._heads += 1
        self._is_answered = self._is_answered or head.code >= _FINAL
        if self._heads <= INTERIM_ANSWERS + 1:
            super().feed_data(data, size)
        elif self.transport is not None and self.exception() is None:
            self.set_exception(HttpProcessingError(message="too many answers"))
            self.transport.abort()
