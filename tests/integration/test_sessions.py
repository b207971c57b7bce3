"""People sign in with e-mail and password, stay signed in for a while, and nobody learns who has an account."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from conftest import TurnableClock
from factories import Tenant
from owner.models.access_errors import SignInRejected
from owner.models.enums import UserRole
from owner.models.outage_errors import RateLimited
from owner.models.owner import OwnerCreate
from owner.models.secret_token import hash_token
from owner.models.session import SessionCreate, Visitor
from owner.services.catalog import Services
from owner.services.passwords import is_password
from owner.services.rate_limits import RateLimitService, RateLimitSettings
from reading import rows
from visiting import PASSWORD, Visit, visiting


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Visit]:
    async with visiting(services) as visit:
        yield visit


async def is_let_in(api: Visit, token: str) -> bool:
    status, _ = await api.call("GET", "/v1/users/me", key=token)
    assert status in {200, 401}
    return status == 200


async def test_a_person_signs_in_works_and_signs_out(api: Visit, acme: Tenant) -> None:
    status, made = await api.call(
        "POST",
        "/v1/sessions",
        key=None,
        json={"email": acme.owner.email.upper(), "password": PASSWORD},
        headers={"User-Agent": "Inbox/1"},
    )
    token = made["token"]
    _, me = await api.call("GET", "/v1/users/me", key=token)
    _, sessions = await api.call("GET", "/v1/sessions", key=token)
    conversations, _ = await api.call("GET", "/v1/conversations", key=token)
    ended, _ = await api.call("DELETE", "/v1/sessions/current", key=token)

    assert status == 201
    assert token.startswith("os_")
    assert (made["owner_id"], made["user_id"]) == (acme.owner_id, acme.user_id)
    assert (me["user_id"], me["role"], me["email"]) == (acme.user_id, "ADMIN", acme.owner.email)
    [session] = sessions["items"]
    assert (session["session_id"], session["user_agent"]) == (made["session_id"], "Inbox/1")
    assert session["is_current"] is True
    assert (conversations, ended) == (200, 204)
    assert not await is_let_in(api, token)


async def test_only_a_hash_of_the_token_is_stored(services: Services, api: Visit, acme: Tenant) -> None:
    token = await api.sign_in(acme.owner.email)

    [session] = await rows(services, acme, "SELECT * FROM sessions")

    assert session["token_hash"] == hash_token(token)
    assert token.removeprefix("os_") not in str(session)


async def test_a_wrong_password_and_an_unknown_e_mail_get_the_same_answer(api: Visit, acme: Tenant) -> None:
    answers = []
    for email, password in ((acme.owner.email, "wrong"), ("nobody@example.com", PASSWORD)):
        status, problem = await api.call(
            "POST", "/v1/sessions", key=None, json={"email": email, "password": password}
        )
        del problem["request_id"]
        answers.append((status, problem))

    assert answers[0] == answers[1]
    assert (answers[0][0], answers[0][1]["code"]) == (401, "sign_in_rejected")


@pytest.mark.parametrize("case", ["known", "unknown", "invited", "inactive", "suspended", "other owner"])
async def test_every_sign_in_that_is_refused_compares_one_password(
    services: Services, api: Visit, acme: Tenant, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    compared = []

    async def counting(password: str, password_hash: str | None) -> bool:
        compared.append(password)
        return await is_password(password, password_hash)

    monkeypatch.setattr("owner.services.sessions.is_password", counting)
    wanted: dict[str, Any] = {"email": acme.owner.email, "password": PASSWORD}
    match case:
        case "known":
            wanted["password"] = "wrong"
        case "unknown":
            wanted["email"] = f"{uuid4()}@example.com"
        case "invited":
            wanted["email"] = f"{uuid4()}@example.com"
            invite = {"email": wanted["email"], "name": "Bruno"}
            await api.call("POST", "/v1/users", key=acme.api_key, json=invite)
        case "inactive":
            await rows(services, acme, "UPDATE users SET is_active = false RETURNING user_id")
        case "suspended":
            await rows(services, acme, "UPDATE owners SET suspended_at = now() RETURNING owner_id")
        case _:
            wanted["owner_id"] = acme.owner_id + 1_000_000

    with pytest.raises(SignInRejected):
        await services.sessions.sign_in(SessionCreate(**wanted), Visitor("203.0.113.7"))

    assert len(compared) == 1


@pytest.fixture
async def twins(services: Services) -> tuple[str, list[int]]:
    """An e-mail that two companies know, with one password."""
    email = f"{uuid4()}@example.com"
    owner_ids = []
    for name in ("acme", "globex"):
        mail = f"{uuid4()}@example.com"
        made = await services.tenants.create(OwnerCreate(name=name, email=mail, password=PASSWORD))
        async with services.database.owner(made.owner_id) as connection:
            await connection.execute("UPDATE users SET email = $1", email)
        owner_ids.append(made.owner_id)
    return email, owner_ids


async def test_who_works_for_two_companies_says_which_but_is_asked_after_the_right_password_only(
    api: Visit, twins: tuple[str, list[int]]
) -> None:
    email, owner_ids = twins
    wanted = {"email": email, "password": PASSWORD}

    wrong, refused = await api.call("POST", "/v1/sessions", key=None, json={**wanted, "password": "wrong"})
    status, problem = await api.call("POST", "/v1/sessions", key=None, json=wanted)
    chosen, session = await api.call(
        "POST", "/v1/sessions", key=None, json={**wanted, "owner_id": owner_ids[1]}
    )

    assert (wrong, refused["code"]) == (401, "sign_in_rejected")
    assert (status, problem["code"], problem["field"]) == (409, "owner_choice_required", "owner_id")
    assert [one["owner_id"] for one in problem["owners"]] == owner_ids
    assert (chosen, session["owner_id"]) == (201, owner_ids[1])


async def test_with_different_passwords_the_password_decides_the_company(
    services: Services, api: Visit, twins: tuple[str, list[int]]
) -> None:
    email, owner_ids = twins
    token = await api.sign_in(email, owner_id=owner_ids[1])
    change = {"current_password": PASSWORD, "new_password": "a better horse"}
    await api.call("PUT", "/v1/users/me/password", key=token, json=change)

    made = [
        await services.sessions.sign_in(SessionCreate(email=email, password=password), Visitor("::1"))
        for password in (PASSWORD, "a better horse")
    ]

    assert [session.owner_id for session in made] == owner_ids


async def test_a_session_goes_on_while_it_is_used_and_ends_after_ninety_days_at_the_latest(
    api: Visit, acme: Tenant, clock: TurnableClock
) -> None:
    token = await api.sign_in(acme.owner.email)

    seen = []
    for _ in range(6):
        clock.turn(days=13, hours=23)
        seen.append(await is_let_in(api, token))
    clock.turn(days=6, hours=6)
    too_late = await is_let_in(api, token)

    assert seen == [True] * 6
    assert not too_late


async def test_a_session_that_nobody_used_for_two_weeks_is_over(
    services: Services, api: Visit, acme: Tenant, clock: TurnableClock
) -> None:
    token = await api.sign_in(acme.owner.email)
    clock.turn(days=14)

    assert not await is_let_in(api, token)
    await api.sign_in(acme.owner.email)
    assert len(await rows(services, acme, "SELECT session_id FROM sessions")) == 1


async def test_the_last_use_is_written_down_once_a_minute(
    services: Services, api: Visit, acme: Tenant, clock: TurnableClock
) -> None:
    clock.frozen_at = datetime(2026, 1, 5, tzinfo=UTC)
    token = await api.sign_in(acme.owner.email)

    versions = []
    for seconds in (0, 30, 30, 1):
        clock.turn(seconds=seconds)
        assert await is_let_in(api, token)
        [row] = await rows(services, acme, "SELECT last_seen_at - created_at AS after FROM sessions")
        versions.append(row["after"].total_seconds())

    assert versions == [0, 0, 60, 60]


async def test_a_person_sees_and_ends_their_own_sessions_only(api: Visit, acme: Tenant) -> None:
    mine = [await api.sign_in(acme.owner.email) for _ in range(3)]
    _, theirs = await api.person(acme, f"{uuid4()}@example.com")
    _, page = await api.call("GET", "/v1/sessions?limit=2", key=mine[2])
    _, rest = await api.call("GET", f"/v1/sessions?cursor={page['next_cursor']}", key=mine[2])
    ids = [session["session_id"] for session in (*page["items"], *rest["items"])]

    ended, _ = await api.call("DELETE", f"/v1/sessions/{ids[-1]}", key=mine[2])
    again, problem = await api.call("DELETE", f"/v1/sessions/{ids[-1]}", key=mine[2])
    foreign, _ = await api.call("DELETE", f"/v1/sessions/{ids[0]}", key=theirs)

    assert len(ids) == 3
    assert ended == 204
    assert (again, problem["code"]) == (404, "session_not_found")
    assert foreign == 404
    assert [await is_let_in(api, token) for token in mine] == [False, True, True]


async def test_programs_have_no_account(api: Visit, acme: Tenant) -> None:
    for method, path in (
        ("GET", "/v1/users/me"),
        ("GET", "/v1/sessions"),
        ("DELETE", "/v1/sessions/current"),
    ):
        status, problem = await api.call(method, path, key=acme.api_key)

        assert (status, problem["permission"]) == (403, "self")


async def test_the_role_is_read_at_each_request(api: Visit, acme: Tenant) -> None:
    user_id, token = await api.person(acme, f"{uuid4()}@example.com", UserRole.SUPPORT)
    before, _ = await api.call("GET", "/v1/api-keys", key=token)

    await api.call("PATCH", f"/v1/users/{user_id}", key=acme.api_key, json={"role": "ADMIN"})
    after, _ = await api.call("GET", "/v1/api-keys", key=token)

    assert (before, after) == (403, 200)


async def test_who_is_deactivated_is_signed_out_and_stays_out(api: Visit, acme: Tenant) -> None:
    email = f"{uuid4()}@example.com"
    user_id, token = await api.person(acme, email)

    status, shown = await api.call(
        "PATCH", f"/v1/users/{user_id}", key=acme.api_key, json={"is_active": False}
    )
    again, _ = await api.call("POST", "/v1/sessions", key=None, json={"email": email, "password": PASSWORD})
    await api.call("PATCH", f"/v1/users/{user_id}", key=acme.api_key, json={"is_active": True})

    assert (status, shown["is_active"], again) == (200, False, 401)
    assert not await is_let_in(api, token)
    await api.sign_in(email)


async def test_people_of_a_suspended_company_are_out_until_it_is_resumed(
    services: Services, api: Visit, acme: Tenant
) -> None:
    token = await api.sign_in(acme.owner.email)

    await rows(services, acme, "UPDATE owners SET suspended_at = now() RETURNING owner_id")
    suspended = await is_let_in(api, token)
    await rows(services, acme, "UPDATE owners SET suspended_at = NULL RETURNING owner_id")

    assert not suspended
    assert await is_let_in(api, token)


async def test_a_new_password_needs_the_present_one_and_ends_the_other_sessions(
    api: Visit, acme: Tenant
) -> None:
    mine, other = [await api.sign_in(acme.owner.email) for _ in range(2)]
    change = {"current_password": "wrong", "new_password": "a better horse"}

    refused, problem = await api.call("PUT", "/v1/users/me/password", key=mine, json=change)
    still = await is_let_in(api, other)
    changed, _ = await api.call(
        "PUT", "/v1/users/me/password", key=mine, json={**change, "current_password": PASSWORD}
    )

    assert (refused, problem["code"], problem["field"]) == (403, "password_wrong", "current_password")
    assert still
    assert changed == 204
    assert [await is_let_in(api, token) for token in (mine, other)] == [True, False]
    await api.sign_in(acme.owner.email, "a better horse")


async def test_a_new_password_that_somebody_would_guess_is_refused(api: Visit, acme: Tenant) -> None:
    token = await api.sign_in(acme.owner.email)
    change = {"current_password": PASSWORD, "new_password": acme.owner.email}

    status, problem = await api.call("PUT", "/v1/users/me/password", key=token, json=change)

    assert (status, problem["code"], problem["field"]) == (422, "password_guessable", "new_password")
    await api.sign_in(acme.owner.email)


async def test_of_two_password_changes_at_once_one_is_taken(api: Visit, acme: Tenant) -> None:
    token = await api.sign_in(acme.owner.email)
    changes = [{"current_password": PASSWORD, "new_password": f"better horse {n}"} for n in range(2)]

    answers = await asyncio.gather(
        *(api.call("PUT", "/v1/users/me/password", key=token, json=change) for change in changes)
    )

    assert sorted(status for status, _ in answers) == [204, 403]


async def test_sign_ins_are_counted_for_each_e_mail_and_each_address_and_nobody_is_locked_out_for_good(
    services: Services, acme: Tenant
) -> None:
    limits = RateLimitService(RateLimitSettings(sign_in_per_ip=3, sign_in_per_email=2))
    services.sessions.rate_limits = limits

    async def refused_by(email: str, address: str) -> type[Exception]:
        with pytest.raises((SignInRejected, RateLimited)) as problem:
            await services.sessions.sign_in(SessionCreate(email=email, password="wrong"), Visitor(address))
        return problem.type

    known = [await refused_by(acme.owner.email, f"203.0.113.{n}") for n in range(3)]
    unknown_email = f"{uuid4()}@example.com"
    unknown = [await refused_by(unknown_email, f"203.0.113.{n}") for n in range(10, 13)]
    one_address = [await refused_by(f"{uuid4()}@example.com", "198.51.100.1") for _ in range(4)]
    services.sessions.rate_limits = RateLimitService(RateLimitSettings())
    made = await services.sessions.sign_in(
        SessionCreate(email=acme.owner.email, password=PASSWORD), Visitor("203.0.113.99")
    )

    assert known == unknown == [SignInRejected, SignInRejected, RateLimited]
    assert one_address == [SignInRejected] * 3 + [RateLimited]
    assert made.user_id == acme.user_id


@pytest.mark.parametrize("token", ["os_", "os_" + "a" * 43, "op_x", "xx_" + "a" * 43, "os_\\x00'; DROP"])
async def test_a_made_up_token_lets_nobody_in(api: Visit, token: str) -> None:
    assert not await is_let_in(api, token)


@pytest.mark.parametrize(
    "body",
    [
        {"email": "ana@example.com"},
        {"email": "ana", "password": "x"},
        {"email": "ana@example.com", "password": "x", "remember": True},
        {"email": "a\x00@example.com", "password": "x"},
        {"email": "ana@example.com", "password": "x" * 1025},
        {"email": "ana@example.com", "password": "x", "owner_id": 0},
    ],
)
async def test_a_sign_in_that_can_not_be_meant_is_refused(api: Visit, body: dict[str, Any]) -> None:
    status, problem = await api.call("POST", "/v1/sessions", key=None, json=body)

    assert (status, problem["code"]) == (422, "invalid_input")


async def test_a_person_signs_out_everywhere_else(api: Visit, acme: Tenant) -> None:
    here, there, elsewhere = [await api.sign_in(acme.owner.email) for _ in range(3)]

    ended, _ = await api.call("DELETE", "/v1/sessions/others", key=here)
    again, _ = await api.call("DELETE", "/v1/sessions/others", key=here)

    assert (ended, again) == (204, 204)
    assert [await is_let_in(api, token) for token in (here, there, elsewhere)] == [True, False, False]
