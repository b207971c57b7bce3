"""HTTP with bounds: a request's head has a size, and a request that has begun has to be there after a while."""

from asyncio import Transport
from asyncio.events import TimerHandle
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD: Final = 64 * 1024  # bytes of request line and headers
LINGER: Final = (
    0.5  # seconds, once the process listens no more, for the request that a connection was made for
)
RECEIVE_WITHIN: Final = 30.0  # seconds for the whole of a request, at most 1 MB; also for the first byte


class BoundedProtocol(HttpToolsProtocol):
    """Without it a client can send headers, or nothing, for as long as it likes, and each costs memory or a socket."""

    _is_in_head = True
    _is_receiving = True
    _head_size = 0
    _patience: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience = self.loop.call_later(RECEIVE_WITHIN, self._end)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head and self._is_receiving:
            self._head_size += len(data)
            if self._head_size > LONGEST_HEAD and not self.transport.is_closing():
                self.send_400_response("The request's head is too large.")
        if not self._is_receiving:
            self._stop_waiting()
        elif self._patience is None:
            self._patience = self.loop.call_later(RECEIVE_WITHIN, self._end)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._is_in_head = self._is_receiving = True
        self._head_size = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_receiving = False
        super().on_message_complete()

    def shutdown(self) -> None:
        """A connection that was just made, or just answered, may bring a request any moment: uvicorn would reset it."""
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]  # None at first
            self.loop.call_later(LINGER, super().shutdown)
        else:
            super().shutdown()

    def _end(self) -> None:
        self._patience = None
        self.transport.close()

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
