"""Posts signed webhooks as fast as the server takes them: bare sockets, requests made before the clock starts.

It shares the machine with what it measures, so it does next to nothing: one process, one `epoll`, one `recv` and
one `send` a message, and its own processor time is part of the result.
"""

import base64
import hmac
import random
import re
import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from product import Target

TEXTS = (
    "Bom dia, o meu pedido ainda não chegou. Podem verificar, por favor?",
    "Oi! Qual é o prazo de entrega para Campinas?",
    "Preciso trocar o tamanho da camiseta que comprei ontem, como faço?",
    "Vocês têm esse modelo em azul?",
    "O código de rastreio não funciona no site da transportadora.",
    "Hello, could you send me the invoice of my last order again?",
    "Paguei duas vezes o mesmo boleto e queria o dinheiro de volta.",
    "Hola, ¿a qué hora abren mañana?",
)
GOODBYES = (
    "Era só isso, obrigado! Pode encerrar.",
    "Resolvido, obrigada, tchau!",
    "That's all, thank you, bye!",
)
ONE_GOODBYE_IN = 10
KNOWN = 100  # customers of each owner who write again and again
NEW_FROM = 10_000_000  # numbers of customers from here on have never written before
PATIENCE = 60.0  # seconds that the last answers may take
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LARGEST_ANSWER = 65_536


@dataclass
class Load:
    """What one run of webhooks came to."""

    seconds: float = 0.0
    processor_seconds: float = 0.0  # the client's own
    acknowledged: int = 0
    refused: int = 0
    latencies: list[float] = field(default_factory=list)  # sorted

    @property
    def per_second(self) -> float:
        return self.acknowledged / self.seconds

    def percentile(self, share: float) -> float:
        return self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)]


def fields(target: Target, customer: int, text: str) -> dict[str, str]:
    """What Twilio posts for a WhatsApp message."""
    sid = f"SM{uuid4().hex}"
    number = f"55119{customer:08d}"
    return {
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "ProfileName": "Ana",
        "MessageType": "text",
        "SmsSid": sid,
        "WaId": number,
        "SmsStatus": "received",
        "Body": text,
        "To": target.number,
        "NumSegments": "1",
        "ReferralNumMedia": "0",
        "MessageSid": sid,
        "AccountSid": target.account_sid,
        "From": f"whatsapp:+{number}",
        "ApiVersion": "2010-04-01",
    }


def greet(targets: Sequence[Target], *, clients: int) -> Load:
    """Every known customer writes for the first time."""
    requests = [
        signed_request(target, fields(target, customer, TEXTS[0]))
        for customer in range(1, KNOWN + 1)
        for target in targets
    ]
    return send_all(targets[0].url, requests, clients=clients, seconds=PATIENCE)


def post(targets: Sequence[Target], *, clients: int, seconds: float, first_new: int, most: int) -> Load:
    """Sign `most` messages, then post for so long, or until they are used up."""
    requests = list(_mixed(targets, first_new=first_new, count=most))
    return send_all(targets[0].url, requests, clients=clients, seconds=seconds)


def _mixed(targets: Sequence[Target], *, first_new: int, count: int) -> Iterator[bytes]:
    """Half from new and half from known customers, of any owner; one in ten says goodbye."""
    chance = random.Random(first_new)
    for number in range(count):
        target = chance.choice(targets)
        is_known = chance.random() < 0.5
        customer = chance.randint(1, KNOWN) if is_known else NEW_FROM + first_new + number
        text = chance.choice(GOODBYES if number % ONE_GOODBYE_IN == 0 else TEXTS)
        yield signed_request(target, fields(target, customer, text))


def signed_request(target: Target, form: dict[str, str]) -> bytes:
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
        f"I-Twilio-Idempotency-Token: {uuid4()}\r\n"
        "User-Agent: TwilioProxy/1.1\r\n"
        "Accept: */*\r\n"
        "\r\n"
        f"{body}"
    ).encode()


def send_all(url: str, requests: Sequence[bytes], *, clients: int, seconds: float) -> Load:
    """Each connection sends its next request when it has its answer; all that were sent are waited for."""
    host, _, port = urlsplit(url).netloc.partition(":")
    connections = {}
    for _ in range(clients):
        opened = socket.create_connection((host, int(port)))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connections[opened.fileno()] = opened
    try:
        return _Sender(connections, iter(requests)).run(seconds)
    finally:
        for opened in connections.values():
            opened.close()


class _Sender:
    def __init__(self, connections: dict[int, socket.socket], requests: Iterator[bytes]) -> None:
        self.connections = connections
        self.requests = requests
        self.load = Load()
        self.sent_at: dict[int, float] = {}
        self.partial: dict[int, bytes] = {}

    def run(self, seconds: float) -> Load:
        used, start = time.process_time(), perf_counter()
        self.until = start + seconds
        poll = select.epoll()
        for number in self.connections:
            poll.register(number, select.EPOLLIN)
            self._send(number)
        while self.sent_at:
            answered = poll.poll(PATIENCE)
            if not answered:
                raise SystemExit("The server has not answered for a minute.")
            for number, _ in answered:
                self._receive(number)
        self.load.seconds = perf_counter() - start
        self.load.processor_seconds = time.process_time() - used
        self.load.latencies.sort()
        poll.close()
        return self.load

    def _send(self, number: int) -> None:
        now = perf_counter()
        request = next(self.requests, None) if now < self.until else None
        if request is None:
            self.sent_at.pop(number, None)
            return
        self.sent_at[number] = now
        self.connections[number].sendall(request)

    def _receive(self, number: int) -> None:
        received = self.connections[number].recv(_LARGEST_ANSWER)
        if not received:
            raise SystemExit("The server closed a connection.")
        if number in self.partial:
            received = self.partial.pop(number) + received
        if not is_complete(received):
            self.partial[number] = received
            return
        self.load.latencies.append(perf_counter() - self.sent_at[number])
        if received.startswith(b"HTTP/1.1 2"):
            self.load.acknowledged += 1
        else:
            self.load.refused += 1
        self._send(number)


def is_complete(answer: bytes) -> bool:
    if answer.endswith(b"<Response/>"):
        return True
    head, end, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)
