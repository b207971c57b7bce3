"""How a webhook is carried: what an answer becomes, and that no name and no number leads into our own network."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from consuming import Consumer, consuming
from owner.integrations.webhook_sender import READ_AT_MOST, HttpWebhookSender
from owner.models.network import parse_networks
from owner.models.webhook_delivery import STORED_ANSWER, AttemptError, WebhookAnswer

LOOPBACK = parse_networks("127.0.0.0/8")


class Names(AbstractResolver):
    """Names and what they lead to; `turns` are given one look-up after the other."""

    def __init__(self, *turns: list[str]) -> None:
        self.turns = list(turns)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        turn = self.turns[min(self.asked, len(self.turns) - 1)]
        self.asked += 1
        if not turn:
            raise OSError("no such name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in turn
        ]

    async def close(self) -> None:
        return


async def send(
    url: str, *, allowed: list[object] | None = None, resolver: Names | None = None, timeout: float = 5
) -> WebhookAnswer:
    networks = LOOPBACK if allowed is None else [ip_network(str(network)) for network in allowed]
    sender = HttpWebhookSender(allowed=networks, resolver=resolver, timeout=timeout)
    answer = await sender.send(url, headers={"webhook-id": "whd_1"}, body=b"{}")
    await sender.aclose()
    return answer


@asynccontextmanager
async def answering(raw: bytes, *, then: Callable[[], Awaitable[object]] | None = None) -> AsyncIterator[str]:
    """A server that says `raw` to whatever it is asked."""

    async def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(raw)
        await writer.drain()
        if then is not None:
            await then()
        writer.close()

    server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_a_2xx_is_a_success_with_the_beginning_of_its_body() -> None:
    async with consuming(status=202, answer=b"taken \x00\xff") as consumer:
        answer = await send(consumer.url)

    assert (answer.status, answer.failure) == (202, None)
    assert answer.body == "taken \ufffd\ufffd"
    assert [delivered.body for delivered in consumer.received] == ["{}"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"],
)
async def test_a_number_that_leads_into_our_network_is_not_connected_to(host: str) -> None:
    async with consuming() as consumer:
        port = consumer.url.rpartition(":")[2]
        answer = await send(f"http://{host}:{port}", allowed=[])

    # The client itself takes some spellings for no host at all.
    assert answer.error in {AttemptError.FORBIDDEN_ADDRESS, AttemptError.NAME_NOT_FOUND}
    assert consumer.received == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.5"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["127.0.0.1", "127.0.0.2"],
        ["::1", "127.0.0.1"],
    ],
)
async def test_a_name_that_leads_into_our_network_is_not_connected_to(addresses: list[str]) -> None:
    async with consuming() as consumer:
        port = consumer.url.rpartition(":")[2]
        answer = await send(f"http://hooks.example.com:{port}", allowed=[], resolver=Names(addresses))

    assert answer.error is AttemptError.FORBIDDEN_ADDRESS
    assert consumer.received == []


async def test_a_name_that_changes_after_a_check_is_checked_again_where_it_counts() -> None:
    # As an attacker's name server answers: an address on the internet while somebody looks, then one of ours.
    names = Names(["203.0.113.7"], ["127.0.0.1"])
    async with consuming() as consumer:
        await names.resolve("hooks.example.com")
        port = consumer.url.rpartition(":")[2]
        answer = await send(f"http://hooks.example.com:{port}", allowed=[], resolver=names)

    assert names.asked == 2
    assert answer.error is AttemptError.FORBIDDEN_ADDRESS
    assert consumer.received == []


async def test_the_operator_can_let_it_into_a_network() -> None:
    async with consuming() as consumer:
        port = consumer.url.rpartition(":")[2].partition("/")[0]
        answer = await send(f"http://hooks.example.com:{port}/", resolver=Names(["127.0.0.1"]))

    assert answer.status == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_wherever_it_leads(status: int) -> None:
    async with consuming() as inner, consuming(status=status, headers={"location": inner.url}) as consumer:
        answer = await send(consumer.url)

    assert (answer.status, answer.failure) == (status, AttemptError.REDIRECT)
    assert len(consumer.received) == 1
    assert inner.received == []


async def test_a_long_body_is_neither_read_nor_kept() -> None:
    async with consuming(answer=b"a" * (READ_AT_MOST * 20)) as consumer:
        answer = await send(consumer.url)

    assert (answer.failure, len(answer.body)) == (None, STORED_ANSWER)


async def test_a_compressed_body_is_not_unpacked() -> None:
    async with consuming(answer=b"\x1f\x8b not really", headers={"content-encoding": "gzip"}) as consumer:
        answer = await send(consumer.url)

    assert (answer.failure, answer.status) == (None, 200)


async def test_a_consumer_that_says_nothing_is_left_alone_in_time() -> None:
    async with consuming() as consumer:
        consumer.lets_go.clear()
        answer = await send(consumer.url, timeout=0.2)
        consumer.lets_go.set()

    assert answer.error is AttemptError.TIMEOUT


async def test_a_status_counts_although_the_body_never_ends() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\n\r\nhalf", then=lambda: asyncio.sleep(0.5)) as url:
        answer = await send(url, timeout=0.2)

    assert (answer.status, answer.failure, answer.body) == (200, None, "half")


async def test_retry_after_comes_along() -> None:
    async with consuming(status=503, headers={"retry-after": "120"}) as consumer:
        answer = await send(consumer.url)

    assert (answer.status, answer.retry_after) == (503, "120")


async def test_what_is_no_http_is_said_so() -> None:
    async with answering(b"SSH-2.0-OpenSSH_9.9\r\n\r\n") as url:
        assert (await send(url)).error is AttemptError.INVALID_ANSWER
    async with answering(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000 + b"\r\n\r\n") as url:
        assert (await send(url)).error is AttemptError.INVALID_ANSWER


async def test_whoever_hangs_up_or_is_not_there_is_not_connected() -> None:
    async with answering(b"") as url:
        assert (await send(url)).error is AttemptError.NOT_CONNECTED
    assert (await send(url)).error is AttemptError.NOT_CONNECTED


async def test_a_name_without_an_address_is_said_so() -> None:
    answer = await send("http://hooks.example.com/", resolver=Names([]))

    assert answer.error is AttemptError.NAME_NOT_FOUND


async def test_a_name_that_can_be_none_is_said_so() -> None:
    answer = await send("http://" + ".".join(["a" * 63] * 5) + "/")

    assert answer.error is AttemptError.NAME_NOT_FOUND


async def test_a_server_without_a_valid_certificate_gets_nothing() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n") as url:
        answer = await send(url.replace("http:", "https:"))

    assert answer.error is AttemptError.TLS


async def test_one_sender_serves_many_and_opens_again_after_it_was_closed() -> None:
    sender = HttpWebhookSender(allowed=LOOPBACK)
    async with consuming() as consumer:

        async def once(consumer: Consumer) -> int | None:
            return (await sender.send(consumer.url, headers={"webhook-id": "whd_1"}, body=b"{}")).status

        statuses = await asyncio.gather(*(once(consumer) for _ in range(20)))
        await sender.aclose()
        statuses.append(await once(consumer))
        await sender.aclose()

    assert statuses == [200] * 21


async def test_a_consumer_that_never_comes_to_its_answer_is_hung_up_on() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with answering(10_000 * hints) as url:
        answer = await send(url)

    assert (answer.status, answer.error) == (None, AttemptError.INVALID_ANSWER)


async def test_a_few_interim_answers_are_waited_out() -> None:
    hints = 2 * b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with answering(hints + b"HTTP/1.1 204 No Content\r\n\r\n") as url:
        answer = await send(url)

    assert answer.status == 204


async def test_answers_that_nobody_asked_for_are_not_taken_for_the_next_ones() -> None:
    async with answering(10_000 * b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as url:
        answer = await send(url)

    assert (answer.status, answer.error) == (200, None)
