"""How much a key, an owner and a day allow; who is told what is left, and who is never refused."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from calling import Answer, Api, calling
from conftest import database_url
from factories import Tenant, some_number, some_sid
from owner.db.embedded import EmbeddedServer
from owner.models.api_key import hash_key, new_key
from owner.models.errors import Misconfigured
from owner.models.outage_errors import RateLimited
from owner.models.permissions import ALL_SCOPES
from owner.repositories.api_keys import ApiKeyRepository
from owner.services.catalog import Services
from owner.services.messages import MessageService
from owner.services.rate_limits import RateLimitService, RateLimitSettings
from owner.services.secrets_box import new_secret_key
from reading import rows

OFF = RateLimitSettings(
    key_per_minute=0,
    owner_per_minute=0,
    messages_per_day=0,
    sign_in_per_ip=0,
    sign_in_per_email=0,
    password_reset=0,
)
PATH = "/v1/conversations"


@asynccontextmanager
async def limited(
    services: Services, tenant: Tenant, limits: RateLimitSettings, *, redis_url: str | None = None
) -> AsyncIterator[Api]:
    """The API with limits of its own."""
    rate_limits = RateLimitService(limits, redis_url=redis_url)
    messages = MessageService(
        services.database,
        clock=services.messages.clock,
        conversations=services.conversations,
        rate_limits=rate_limits,
        templates=services.templates,
    )
    try:
        async with calling(
            replace(services, rate_limits=rate_limits, messages=messages), tenant.api_key
        ) as api:
            yield api
    finally:
        await rate_limits.aclose()


async def another_key(services: Services, tenant: Tenant) -> str:
    key = new_key()
    async with services.database.owner(tenant.owner_id) as connection:
        await ApiKeyRepository(connection).add(
            {
                "owner_id": tenant.owner_id,
                "name": "another",
                "prefix": key[:8],
                "key_hash": hash_key(key),
                "scopes": [ALL_SCOPES],
            }
        )
    return key


async def ask(api: Api, times: int, *, key: str | None = None) -> list[Answer]:
    return [await api.call("GET", PATH, key=key) for _ in range(times)]


def limit_headers(answer: Answer) -> tuple[str | None, str | None]:
    return answer.headers.get("RateLimit-Limit"), answer.headers.get("RateLimit-Remaining")


async def test_each_answer_tells_what_is_left_and_one_too_many_when_to_come_again(
    services: Services, acme: Tenant
) -> None:
    async with limited(services, acme, replace(OFF, key_per_minute=2)) as api:
        first, second, third = await ask(api, 3)

    assert [limit_headers(answer) for answer in (first, second, third)] == [
        ("2", "1"),
        ("2", "0"),
        ("2", "0"),
    ]
    assert (first.status, second.status, third.status) == (200, 200, 429)
    assert (third.code, third.body["limit"]) == ("rate_limited", 2)
    assert 1 <= int(third.headers["Retry-After"]) <= 60
    assert third.headers["Retry-After"] == third.headers["RateLimit-Reset"] == str(third.body["retry_after"])


async def test_each_key_has_a_limit_of_its_own_and_all_keys_of_an_owner_have_one_together(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    other = await another_key(services, acme)
    async with limited(services, acme, replace(OFF, key_per_minute=2, owner_per_minute=3)) as api:
        ours = await ask(api, 3)
        others = await ask(api, 2, key=other)
        theirs = await ask(api, 1, key=globex.api_key)

    assert [answer.status for answer in ours] == [200, 200, 429]
    assert [answer.status for answer in others] == [200, 429]
    assert others[1].body["limit"] == 3  # the owner's
    assert [answer.status for answer in theirs] == [200]


async def test_the_tighter_of_two_limits_is_told(services: Services, acme: Tenant) -> None:
    async with limited(services, acme, replace(OFF, key_per_minute=9, owner_per_minute=5)) as api:
        [answer] = await ask(api, 1)

    assert limit_headers(answer) == ("5", "4")


async def test_a_refusal_and_a_repeated_answer_tell_what_is_left_too(
    services: Services, acme: Tenant
) -> None:
    body, once = {"channel": "SMS", "customer_address": some_number()}, {"Idempotency-Key": "a"}
    async with limited(services, acme, replace(OFF, key_per_minute=10)) as api:
        missing = await api.call("GET", f"{PATH}/1000000000")
        invalid = await api.call("POST", PATH, {"colour": "red"})
        unreadable = await api.call("POST", PATH, [])
        unknown = await api.call("GET", PATH, colour="red")
        first = await api.call("POST", PATH, body, headers=once)
        again = await api.call("POST", PATH, body, headers=once)

    answers = (missing, invalid, unreadable, unknown, first, again)
    assert [answer.status for answer in answers] == [404, 422, 422, 422, 201, 201]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["9", "8", "7", "6", "5", "4"]


async def test_a_caller_who_may_not_and_one_whom_nobody_knows_are_not_counted(
    services: Services, acme: Tenant
) -> None:
    async with limited(services, acme, replace(OFF, key_per_minute=1)) as api:
        unknown = await ask(api, 3, key="ok_unknown")
        known = await ask(api, 1)

    assert [answer.status for answer in (*unknown, *known)] == [401, 401, 401, 200]


async def test_nought_turns_a_limit_off(services: Services, acme: Tenant) -> None:
    async with limited(services, acme, OFF) as api:
        answers = await ask(api, 5)

    assert {answer.status for answer in answers} == {200}
    assert limit_headers(answers[-1]) == (None, None)


async def test_an_owner_sends_so_many_messages_a_day_and_refused_ones_do_not_count(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    async with limited(services, acme, replace(OFF, messages_per_day=2)) as api:
        opened = await api.call("POST", PATH, {"channel": "SMS", "customer_address": some_number()})
        path = f"{PATH}/{opened.body['conv_id']}/messages"
        missing = await api.call("POST", f"{PATH}/1000000000/messages", {"content": "Oi"})
        sent = [await api.call("POST", path, {"content": "Oi"}) for _ in range(3)]
        theirs = await api.call(
            "POST", PATH, {"channel": "SMS", "customer_address": some_number()}, key=globex.api_key
        )
        their_path = f"{PATH}/{theirs.body['conv_id']}/messages"
        their_message = await api.call("POST", their_path, {"content": "Oi"}, key=globex.api_key)

    assert missing.status == 404
    assert [answer.status for answer in sent] == [202, 202, 429]
    assert "a day" in sent[2].body["detail"]
    assert int(sent[2].headers["Retry-After"]) > 3_600
    assert len(await rows(services, acme, "SELECT FROM messages")) == 2
    assert their_message.status == 202


async def test_what_twilio_signed_is_never_refused_by_a_limit(services: Services, acme: Tenant) -> None:
    one_each = RateLimitSettings(1, 1, 1, 1, 1, 1)
    async with limited(services, acme, one_each) as api:
        statuses = [await deliver(api, acme) for _ in range(5)]

    assert statuses == [200] * 5
    assert len(await rows(services, acme, "SELECT FROM messages")) == 5


async def deliver(api: Api, tenant: Tenant) -> int:
    path = f"/webhooks/twilio/{tenant.account.webhook_key}/inbound"
    form = {
        "MessageSid": some_sid(),
        "AccountSid": tenant.account.account_sid,
        "From": some_number(),
        "To": tenant.sms,
        "Body": "Oi",
        "NumMedia": "0",
    }
    signature = RequestValidator(tenant.auth_token).compute_signature(f"https://owner.example{path}", form)
    async with api.session.post(
        api.url + path, data=form, headers={"X-Twilio-Signature": signature}
    ) as response:
        return response.status


async def test_sign_in_is_bounded_by_address_and_by_e_mail() -> None:
    by_address = RateLimitService(replace(OFF, sign_in_per_ip=2))
    by_email = RateLimitService(replace(OFF, sign_in_per_email=2))

    assert await refused_after(by_address, email="{}@example.com", address="192.0.2.1") == 2
    assert await refused_after(by_email, email="ana@example.com", address="192.0.2.{}") == 2


async def refused_after(limits: RateLimitService, *, email: str, address: str) -> int:
    """How many tries pass before one is refused."""
    for tries in range(10):
        try:
            await limits.count_sign_in(email=email.format(tries), address=address.format(tries))
        except RateLimited:
            return tries
    return 10


@pytest.fixture
def redis(tmp_path: Path) -> Iterator["Redis"]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed here (apt-get install redis-server)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Redis(program, port, tmp_path)
    server.start()
    yield server
    server.kill()


class Redis:
    """A Redis of its own, without a trace on the disk."""

    def __init__(self, program: str, port: int, folder: Path) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self.command = [
            program,
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(folder),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if b"Ready to accept connections" in line:
                return
        raise AssertionError("redis-server did not start")

    def freeze(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


async def test_processes_that_share_a_redis_count_together(
    services: Services, acme: Tenant, redis: Redis
) -> None:
    limits = replace(OFF, key_per_minute=3)
    async with (
        limited(services, acme, limits, redis_url=redis.url) as one,
        limited(services, acme, limits, redis_url=redis.url) as other,
    ):
        answers = [await api.call("GET", PATH) for api in (one, other, one, other)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]


@pytest.mark.parametrize("accident", ["kill", "freeze"])
async def test_a_redis_that_goes_away_lets_requests_through(
    services: Services, acme: Tenant, redis: Redis, accident: str
) -> None:
    limits = replace(OFF, key_per_minute=1)
    async with limited(services, acme, limits, redis_url=redis.url) as api:
        before = await ask(api, 2)
        getattr(redis, accident)()
        after = await ask(api, 3)

    assert [answer.status for answer in before] == [200, 429]
    assert [answer.status for answer in after] == [200, 200, 200]


@pytest.mark.parametrize("url", ["localhost", "http://localhost", "redis://localhost:port"])
def test_a_url_that_is_no_redis_is_said_at_the_start(url: str) -> None:
    with pytest.raises(Misconfigured, match="OWNER_REDIS_URL"):
        RateLimitService(OFF, redis_url=url)


def doctor(server: EmbeddedServer, database_name: str, home: Path, redis_url: str) -> tuple[int, str]:
    environment: dict[str, Any] = {
        **os.environ,
        "OWNER_HOME": str(home),
        "OWNER_DATABASE_URL": database_url(server, database_name),
        "OWNER_SECRET_KEY": new_secret_key(),
        "OWNER_REDIS_URL": redis_url,
    }
    done = subprocess.run(
        [sys.executable, "-m", "owner", "doctor"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    return done.returncode, done.stdout


async def test_the_doctor_tells_whether_the_redis_answers(
    server: EmbeddedServer, database_name: str, tmp_path: Path, redis: Redis
) -> None:
    well, words = doctor(server, database_name, tmp_path, redis.url)
    redis.kill()
    away, complaint = doctor(server, database_name, tmp_path, redis.url)
    wrong, correction = doctor(server, database_name, tmp_path, "nonsense")

    assert (well, away, wrong) == (0, 1, 1)
    assert "redis: fine" in words
    assert "no limit holds" in complaint
    assert "OWNER_REDIS_URL must be like" in correction
