"""A second factor is set up by both, asked for at every sign-in, and no code works twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pyotp
import pytest

from conftest import TurnableClock
from factories import Tenant
from owner.models.enums import UserRole
from owner.models.user import User
from owner.services.catalog import Services
from reading import rows
from visiting import PASSWORD, Visit, visiting

PATH = "/v1/users/me/second-factor"


@dataclass
class Authenticator:
    """The app on a person's phone."""

    clock: TurnableClock
    secret: str = field(repr=False)
    recovery_codes: list[str] = field(default_factory=list, repr=False)

    def code(self, *, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(self.clock.now(), counter_offset=steps)


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Visit]:
    async with visiting(services) as visit:
        yield visit


@pytest.fixture(autouse=True)
def _still(clock: TurnableClock) -> None:
    """The time stands still unless a test turns it: a code lasts as long as it takes."""
    clock.frozen_at = datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)


async def set_up(api: Visit, clock: TurnableClock, token: str) -> Authenticator:
    status, secret = await api.call("POST", PATH, key=token, json={"password": PASSWORD})
    assert status == 201, secret
    phone = Authenticator(clock, secret["secret"])
    status, codes = await api.call("PUT", PATH, key=token, json={"code": phone.code()})
    assert status == 200, codes
    phone.recovery_codes = codes["recovery_codes"]
    clock.turn(seconds=30)
    return phone


@pytest.fixture
async def ana(api: Visit, acme: Tenant) -> str:
    """The session of acme's administrator."""
    return await api.sign_in(acme.owner.email)


@pytest.fixture
async def phone(api: Visit, clock: TurnableClock, ana: str) -> Authenticator:
    return await set_up(api, clock, ana)


async def try_to_sign_in(api: Visit, tenant: Tenant, **more: Any) -> tuple[int, Any]:
    wanted = {"email": tenant.owner.email, "password": PASSWORD, **more}
    return await api.call("POST", "/v1/sessions", key=None, json=wanted)


async def test_an_authenticator_gets_what_it_needs_and_the_database_no_secret(
    services: Services, api: Visit, acme: Tenant, ana: str
) -> None:
    status, made = await api.call("POST", PATH, key=ana, json={"password": PASSWORD})
    uri = urlsplit(made["otpauth_uri"])
    [user] = await rows(services, acme, "SELECT * FROM users")

    assert status == 201
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query)["secret"] == [made["secret"]]
    assert parse_qs(uri.query)["issuer"] == ["Owner"]
    assert made["secret"].encode() not in user["totp_secret_encrypted"]
    assert (await try_to_sign_in(api, acme))[0] == 201  # not confirmed, so it does not count


async def test_setting_it_up_takes_the_password_and_a_code(api: Visit, acme: Tenant, ana: str) -> None:
    unasked, problem = await api.call("PUT", PATH, key=ana, json={"code": "000000"})
    wrong, refused = await api.call("POST", PATH, key=ana, json={"password": "wrong"})
    await api.call("POST", PATH, key=ana, json={"password": PASSWORD})
    mistyped, rejected = await api.call("PUT", PATH, key=ana, json={"code": "recovery"})

    assert (unasked, problem["code"]) == (409, "second_factor_missing")
    assert (wrong, refused["code"], refused["field"]) == (403, "password_wrong", "password")
    assert (mistyped, rejected["code"]) == (403, "code_rejected")


async def test_without_the_code_nobody_signs_in(api: Visit, acme: Tenant, phone: Authenticator) -> None:
    wrong_password, rejected = await try_to_sign_in(api, acme, password="wrong")
    missing, problem = await try_to_sign_in(api, acme)
    wrong, refused = await try_to_sign_in(api, acme, totp_code="000000")
    right, _ = await try_to_sign_in(api, acme, totp_code=phone.code())

    assert (wrong_password, rejected["code"]) == (401, "sign_in_rejected")
    assert (missing, problem["code"], problem["field"]) == (401, "second_factor_required", "totp_code")
    assert (wrong, refused["code"]) == (401, "second_factor_required")
    assert right == 201


async def test_a_code_works_once_and_so_does_none_before_it(
    api: Visit, acme: Tenant, clock: TurnableClock, phone: Authenticator
) -> None:
    clock.turn(seconds=60)
    statuses = [
        (await try_to_sign_in(api, acme, totp_code=phone.code(steps=steps)))[0] for steps in (0, 0, -1, 1, 1)
    ]

    assert statuses == [201, 401, 401, 201, 401]


async def test_of_two_uses_of_a_code_at_once_one_is_taken(
    api: Visit, acme: Tenant, phone: Authenticator
) -> None:
    for code in (phone.code(), phone.recovery_codes[0]):
        answers = await asyncio.gather(*(try_to_sign_in(api, acme, totp_code=code) for _ in range(2)))

        assert sorted(status for status, _ in answers) == [201, 401]


async def test_the_code_that_switched_it_on_signs_nobody_in(
    api: Visit, acme: Tenant, clock: TurnableClock, ana: str
) -> None:
    _, secret = await api.call("POST", PATH, key=ana, json={"password": PASSWORD})
    code = Authenticator(clock, secret["secret"]).code()
    await api.call("PUT", PATH, key=ana, json={"code": code})

    status, _ = await try_to_sign_in(api, acme, totp_code=code)

    assert status == 401


async def test_each_recovery_code_signs_in_once_however_it_is_typed(
    services: Services, api: Visit, acme: Tenant, phone: Authenticator
) -> None:
    first, second, *others = phone.recovery_codes

    statuses = [
        (await try_to_sign_in(api, acme, totp_code=code))[0]
        for code in (first, first, second.replace("-", " ").lower(), "AAAA-BBBB-CCCC-DDDD")
    ]
    left = await rows(services, acme, "SELECT * FROM recovery_codes")

    assert statuses == [201, 401, 201, 401]
    assert len(left) == len(others) == 8
    assert all(code.encode() not in bytes(row["code_hash"]) for row in left for code in others)


async def test_nobody_finds_a_code_by_trying_them_all(api: Visit, clock: TurnableClock, ana: str) -> None:
    _, secret = await api.call("POST", PATH, key=ana, json={"password": PASSWORD})
    phone = Authenticator(clock, secret["secret"])
    wrong = f"{(int(phone.code()) + 500_000) % 1_000_000:06}"

    guesses = [(await api.call("PUT", PATH, key=ana, json={"code": wrong}))[0] for _ in range(21)]
    status, problem = await api.call("PUT", PATH, key=ana, json={"code": phone.code()})

    assert guesses == [403] * 20 + [429]
    assert (status, problem["code"]) == (429, "rate_limited")


async def test_who_is_kept_out_by_somebody_s_guesses_comes_in_by_a_recovery_code(
    services: Services, api: Visit, acme: Tenant, phone: Authenticator
) -> None:
    user = User.model_validate(dict((await rows(services, acme, "SELECT * FROM users"))[0]))
    for _ in range(20):
        await services.rate_limits.count_wrong_code(user)

    shut, problem = await try_to_sign_in(api, acme, totp_code=phone.code())
    let_in, _ = await try_to_sign_in(api, acme, totp_code=phone.recovery_codes[0])

    assert (shut, problem["code"], let_in) == (429, "rate_limited", 201)


async def test_a_failed_sign_in_uses_no_code_up(
    services: Services, api: Visit, acme: Tenant, phone: Authenticator
) -> None:
    code = phone.code()
    await try_to_sign_in(api, acme, totp_code=code, password="wrong")

    status, _ = await try_to_sign_in(api, acme, totp_code=code)

    assert status == 201


async def test_switching_it_off_takes_both_factors(
    api: Visit, acme: Tenant, ana: str, phone: Authenticator
) -> None:
    attempts = [
        {"password": "wrong", "code": phone.code()},
        {"password": PASSWORD, "code": "000000"},
        {"password": PASSWORD, "code": phone.recovery_codes[0]},
        {"password": PASSWORD, "code": phone.code()},
    ]

    answers = [await api.call("POST", f"{PATH}/disable", key=ana, json=body) for body in attempts]

    assert [status for status, _ in answers] == [403, 403, 204, 409]
    assert [problem["code"] for _, problem in (*answers[:2], answers[3])] == [
        "password_wrong",
        "code_rejected",
        "second_factor_missing",
    ]
    assert (await try_to_sign_in(api, acme))[0] == 201


async def test_an_active_second_factor_is_not_replaced_by_another(
    api: Visit, acme: Tenant, ana: str, phone: Authenticator
) -> None:
    answers = [
        await api.call("POST", PATH, key=ana, json={"password": PASSWORD}),
        await api.call("PUT", PATH, key=ana, json={"code": phone.code()}),
    ]

    assert [(status, problem["code"]) for status, problem in answers] == [(409, "second_factor_active")] * 2


async def test_an_administrator_takes_another_persons_away_but_not_their_own(
    services: Services, api: Visit, acme: Tenant, clock: TurnableClock, *, ana: str, phone: Authenticator
) -> None:
    email = f"{uuid4()}@example.com"
    bruno_id, bruno = await api.person(acme, email, UserRole.AGENT)
    await set_up(api, clock, bruno)
    path = "/v1/users/{}/second-factor"

    by_agent, _ = await api.call("DELETE", path.format(acme.user_id), key=bruno)
    own, problem = await api.call("DELETE", path.format(acme.user_id), key=ana)
    others, _ = await api.call("DELETE", path.format(bruno_id), key=ana)
    again, _ = await api.call("DELETE", path.format(bruno_id), key=ana)
    events = await rows(services, acme, "SELECT * FROM events WHERE type = 'user.second_factor_disabled'")

    assert (by_agent, own, problem["code"], others, again) == (403, 403, "forbidden", 204, 204)
    assert [event["data"]["user_id"] for event in events] == [bruno_id]
    await api.sign_in(email)


async def test_a_weaker_key_can_not_take_an_administrators_away(
    api: Visit, acme: Tenant, phone: Authenticator
) -> None:
    create = {"name": "people", "scopes": ["users:read", "users:write"]}
    _, made = await api.call("POST", "/v1/api-keys", key=acme.api_key, json=create)

    status, problem = await api.call("DELETE", f"/v1/users/{acme.user_id}/second-factor", key=made["api_key"])

    assert (status, problem["code"]) == (403, "permission_missing")


async def test_a_reset_password_does_not_switch_it_off(
    services: Services, api: Visit, acme: Tenant, phone: Authenticator
) -> None:
    link = await services.password_resets.make_link(acme.owner.email)
    await services.password_links.set_password(link.token, "a better horse")

    status, problem = await try_to_sign_in(api, acme, password="a better horse")

    assert (status, problem["code"]) == (401, "second_factor_required")


async def test_whether_somebody_has_one_is_shown(
    api: Visit, acme: Tenant, clock: TurnableClock, ana: str
) -> None:
    shown = [await api.call("GET", "/v1/users/me", key=ana)]
    await api.call("POST", PATH, key=ana, json={"password": PASSWORD})
    shown.append(await api.call("GET", "/v1/users/me", key=ana))
    await set_up(api, clock, ana)
    shown.append(await api.call("GET", f"/v1/users/{acme.user_id}", key=acme.api_key))

    assert [user["has_second_factor"] for _, user in shown] == [False, False, True]
