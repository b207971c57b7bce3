"""Posts signed webhooks as fast as the server takes them: raw connections, requests made before the clock starts."""

import asyncio
import base64
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import uvloop

NUMBER = "whatsapp:+551130040000"
TEXT = "Bom dia, o meu pedido ainda não chegou. Podem verificar, por favor?"
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}).*?\r\ncontent-length: (\d+).*?\r\n\r\n", re.DOTALL | re.IGNORECASE)
PATIENCE = 60.0  # seconds that the last answers may take


@dataclass(frozen=True)
class Target:
    """A connected account: where its webhooks go, and what signs them."""

    url: str
    account_sid: str
    auth_token: str


@dataclass
class Load:
    """What one round of webhooks came to."""

    seconds: float = 0.0
    acknowledged: int = 0
    refused: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.acknowledged / self.seconds


def fields(account_sid: str, message_sid: str, customer: str) -> dict[str, str]:
    """What Twilio posts for a WhatsApp message."""
    return {
        "SmsMessageSid": message_sid,
        "NumMedia": "0",
        "ProfileName": "Ana",
        "MessageType": "text",
        "SmsSid": message_sid,
        "WaId": customer,
        "SmsStatus": "received",
        "Body": TEXT,
        "To": NUMBER,
        "NumSegments": "1",
        "ReferralNumMedia": "0",
        "MessageSid": message_sid,
        "AccountSid": account_sid,
        "From": f"whatsapp:+{customer}",
        "ApiVersion": "2010-04-01",
    }


def post(target: Target, *, clients: int, seconds: float, first_customer: int, most: int) -> Load:
    """Sign `most` messages of distinct customers, then post for so long, or until they are used up."""
    requests = [_request(target, first_customer + number) for number in range(most)]
    return uvloop.run(_post(target, iter(requests), clients=clients, seconds=seconds))


async def _post(target: Target, requests: Iterator[bytes], *, clients: int, seconds: float) -> Load:
    host, _, port = urlsplit(target.url).netloc.partition(":")
    loop = asyncio.get_running_loop()
    load = Load()
    connections = [
        (await loop.create_connection(lambda: _Connection(requests, load), host, int(port)))[1]
        for _ in range(clients)
    ]
    start = perf_counter()
    for connection in connections:
        connection.begin(until=start + seconds)
    async with asyncio.timeout(seconds + PATIENCE):
        await asyncio.gather(*(connection.finished for connection in connections))
    load.seconds = perf_counter() - start
    for connection in connections:
        connection.transport.close()
    load.latencies.sort()
    return load


class _Connection(asyncio.Protocol):
    """One request after the other; none is begun after the end, all that were begun are waited for."""

    transport: asyncio.Transport

    def __init__(self, requests: Iterator[bytes], load: Load) -> None:
        self.requests = requests
        self.load = load
        self.received = b""
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's has the methods, not the base

    def begin(self, *, until: float) -> None:
        self.until = until
        self._send()

    def data_received(self, data: bytes) -> None:
        self.received += data
        answer = ANSWER.match(self.received)
        if answer is None or len(self.received) < answer.end() + int(answer[2]):
            return
        self.received = b""
        self.load.latencies.append(perf_counter() - self.sent_at)
        if answer[1] == b"200":
            self.load.acknowledged += 1
        else:
            self.load.refused += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_exception(exc or ConnectionError("the server closed a connection"))

    def _send(self) -> None:
        self.sent_at = perf_counter()
        request = next(self.requests, None) if self.sent_at < self.until else None
        if request is None:
            self.finished.set_result(None)
            return
        self.transport.write(request)


def _request(target: Target, number: int) -> bytes:
    form = fields(target.account_sid, f"SM{uuid4().hex}", f"55119{number:08d}")
    signed = target.url + "".join(name + value for name, value in sorted(form.items()))
    signature = base64.b64encode(hmac.digest(target.auth_token.encode(), signed.encode(), "sha1")).decode()
    body = urlencode(form)
    address = urlsplit(target.url)
    return (
        f"POST {address.path} HTTP/1.1\r\n"
        f"Host: {address.netloc}\r\n"
        "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"X-Twilio-Signature: {signature}\r\n"
        "I-Twilio-Idempotency-Token: " + str(uuid4()) + "\r\n"
        "User-Agent: TwilioProxy/1.1\r\n"
        "Accept: */*\r\n"
        "\r\n"
        f"{body}"
    ).encode()
