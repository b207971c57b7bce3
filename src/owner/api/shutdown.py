"""How an API process ends: it is told apart, gives every connection back, and lets nobody's request fail."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Draining:
    """Whether the process is about to end."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        """`seconds` is how long it still serves everybody once it was told to end."""
        self.seconds = seconds
        self.has_begun = False

    @contextmanager
    def on_signal(self, end: Callable[[], None]) -> Iterator[None]:
        """At SIGTERM drain; then, at SIGINT, or when told twice, `end` what has no end, and tell who handled them before."""
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def pass_on(number: int) -> None:
            end()
            if callable(handler := before[signal.Signals(number)]):
                handler(number, None)

        def handle(number: int, _frame: FrameType | None) -> None:
            is_patient = number == signal.SIGTERM and not self.has_begun
            self.has_begun = True
            loop.call_soon_threadsafe(loop.call_later, self.seconds if is_patient else 0.0, pass_on, number)

        for number in before:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class ConnectionClose:
    """Has clients make new connections, to whoever serves then, while this process drains."""

    def __init__(self, app: ASGIApp, *, draining: Draining) -> None:
        self.app = app
        self.draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_close(message: Message) -> None:
            if self.draining.has_begun and message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await self.app(scope, receive, send_and_close if scope["type"] == "http" else send)
