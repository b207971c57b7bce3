"""People are invited, choose a password by a link that works once, and a company never loses its last administrator."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from conftest import TurnableClock
from factories import Tenant
from owner.models.enums import UserRole
from owner.models.secret_token import hash_token
from owner.services.catalog import Services
from reading import rows
from visiting import PASSWORD, Visit, visiting


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Visit]:
    async with visiting(services) as visit:
        yield visit


def some_email() -> str:
    return f"bruno-{uuid4()}@example.com"


async def invite(api: Visit, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    body = {"email": some_email(), "name": "Bruno", **changes}
    status, invited = await api.call("POST", "/v1/users", key=tenant.api_key, json=body)
    assert status == 201, invited
    return invited  # type: ignore[no-any-return]  # JSON


async def choose(api: Visit, token: str, password: str = PASSWORD) -> tuple[int, Any]:
    return await api.call("PUT", "/v1/password-resets", key=None, json={"token": token, "password": password})


async def test_an_invited_person_chooses_a_password_and_signs_in(
    services: Services, api: Visit, acme: Tenant
) -> None:
    invited = await invite(api, acme)
    link = invited["invitation"]
    [stored] = await rows(services, acme, "SELECT * FROM one_time_links")

    status, _ = await choose(api, link["token"])
    await api.sign_in(invited["email"])
    _, after = await api.call("GET", f"/v1/users/{invited['user_id']}", key=acme.api_key)

    assert (invited["role"], invited["is_invited"], invited["is_active"]) == ("AGENT", True, True)
    assert link["url"] == f"https://owner.example/inbox/password?token={link['token']}"
    assert stored["token_hash"] == hash_token(link["token"])
    assert status == 204
    assert after["is_invited"] is False


async def test_a_link_works_once(api: Visit, acme: Tenant) -> None:
    token = (await invite(api, acme))["invitation"]["token"]
    await choose(api, token)

    status, problem = await choose(api, token, "another password")

    assert (status, problem["code"]) == (404, "link_not_found")


async def test_a_password_that_somebody_would_guess_is_refused_and_the_link_lives_on(
    api: Visit, acme: Tenant
) -> None:
    invited = await invite(api, acme)
    token = invited["invitation"]["token"]

    well_known = await choose(api, token, "12345678")
    about_them = await choose(api, token, invited["email"])

    for status, problem in (well_known, about_them):
        assert (status, problem["code"], problem["field"]) == (422, "password_guessable", "password")
    assert (await choose(api, token))[0] == 204


async def test_of_two_uses_of_a_link_at_once_one_is_taken(api: Visit, acme: Tenant) -> None:
    invited = await invite(api, acme)
    passwords = [f"correct horse {n}" for n in range(2)]

    answers = await asyncio.gather(
        *(choose(api, invited["invitation"]["token"], password) for password in passwords)
    )

    assert sorted(status for status, _ in answers) == [204, 404]
    taken = passwords[[status for status, _ in answers].index(204)]
    await api.sign_in(invited["email"], taken)


async def test_an_invitation_lasts_seven_days(api: Visit, acme: Tenant, clock: TurnableClock) -> None:
    token = (await invite(api, acme))["invitation"]["token"]
    clock.turn(days=7)

    status, problem = await choose(api, token)

    assert (status, problem["code"]) == (404, "link_not_found")


async def test_a_second_invitation_voids_the_first(api: Visit, acme: Tenant) -> None:
    invited = await invite(api, acme)
    path = f"/v1/users/{invited['user_id']}/invitation"

    status, again = await api.call("POST", path, key=acme.api_key)
    first, _ = await choose(api, invited["invitation"]["token"])
    second, _ = await choose(api, again["invitation"]["token"])
    too_late, problem = await api.call("POST", path, key=acme.api_key)

    assert (status, first, second) == (201, 404, 204)
    assert (too_late, problem["code"]) == (409, "invitation_accepted")


async def test_who_was_shut_out_meanwhile_can_not_use_the_link(api: Visit, acme: Tenant) -> None:
    invited = await invite(api, acme)
    path = f"/v1/users/{invited['user_id']}"
    await api.call("PATCH", path, key=acme.api_key, json={"is_active": False})
    await api.call("PATCH", path, key=acme.api_key, json={"is_active": True})

    status, _ = await choose(api, invited["invitation"]["token"])

    assert status == 404


async def test_one_company_invites_an_e_mail_once_and_another_may_too(
    api: Visit, acme: Tenant, globex: Tenant
) -> None:
    invited = await invite(api, acme)
    body = {"email": invited["email"].upper(), "name": "Bruno"}

    again, problem = await api.call("POST", "/v1/users", key=acme.api_key, json=body)
    other, _ = await api.call("POST", "/v1/users", key=globex.api_key, json=body)

    assert (again, problem["code"], problem["field"]) == (409, "already_exists", "email")
    assert other == 201


async def test_a_repeated_invitation_gets_the_same_answer_which_is_stored_encrypted(
    services: Services, api: Visit, acme: Tenant
) -> None:
    body, headers = {"email": some_email(), "name": "Bruno"}, {"Idempotency-Key": "once"}

    answers = [
        await api.call("POST", "/v1/users", key=acme.api_key, json=body, headers=headers) for _ in range(2)
    ]
    [kept] = await rows(services, acme, "SELECT * FROM idempotency_keys")

    assert answers[0] == answers[1]
    token = answers[0][1]["invitation"]["token"]
    assert token.encode() not in kept["body"]
    assert (await choose(api, token))[0] == 204


async def test_people_are_listed_by_role_and_access_page_by_page(api: Visit, acme: Tenant) -> None:
    agents = [(await invite(api, acme))["user_id"] for _ in range(3)]
    viewer = (await invite(api, acme, role="VIEWER"))["user_id"]
    await api.call("PATCH", f"/v1/users/{agents[0]}", key=acme.api_key, json={"is_active": False})

    async def listed(query: str) -> list[int]:
        _, page = await api.call("GET", f"/v1/users?{query}", key=acme.api_key)
        return [user["user_id"] for user in page["items"]]

    _, first = await api.call("GET", "/v1/users?limit=3", key=acme.api_key)
    _, rest = await api.call("GET", f"/v1/users?cursor={first['next_cursor']}", key=acme.api_key)
    everybody = [user["user_id"] for user in (*first["items"], *rest["items"])]

    assert everybody == [viewer, *reversed(agents), acme.user_id]
    assert await listed("role=AGENT&is_active=true") == [agents[2], agents[1]]
    assert await listed("is_active=false") == [agents[0]]


async def test_another_companys_people_look_like_nobody(api: Visit, acme: Tenant, globex: Tenant) -> None:
    invited = await invite(api, acme)
    path = f"/v1/users/{invited['user_id']}"

    answers = [
        await api.call("GET", path, key=globex.api_key),
        await api.call("PATCH", path, key=globex.api_key, json={"name": "Eve"}),
        await api.call("POST", f"{path}/invitation", key=globex.api_key),
    ]

    assert [(status, problem["code"]) for status, problem in answers] == [(404, "user_not_found")] * 3


async def test_a_change_is_told_with_what_changed_and_without_names(
    services: Services, api: Visit, acme: Tenant
) -> None:
    invited = await invite(api, acme)
    change = {"name": "Bruna", "role": "SUPPORT", "is_active": True}

    for _ in range(2):
        status, shown = await api.call(
            "PATCH", f"/v1/users/{invited['user_id']}", key=acme.api_key, json=change
        )
    events = await rows(services, acme, "SELECT * FROM events WHERE type = 'user.updated'")

    assert (status, shown["name"], shown["role"]) == (200, "Bruna", "SUPPORT")
    assert [event["data"] for event in events] == [{"user_id": invited["user_id"], "role": "SUPPORT"}]


@pytest.mark.parametrize(
    "body", [{"name": None}, {"role": None}, {"is_active": None}, {"role": "BOSS"}, {"email": "a@b"}]
)
async def test_a_change_that_can_not_be_meant_is_refused(api: Visit, acme: Tenant, body: Any) -> None:
    status, problem = await api.call("PATCH", f"/v1/users/{acme.user_id}", key=acme.api_key, json=body)

    assert (status, problem["field"]) == (422, next(iter(body)))


@pytest.mark.parametrize("change", [{"role": "AGENT"}, {"is_active": False}])
async def test_the_last_administrator_can_not_be_demoted_or_shut_out(
    api: Visit, acme: Tenant, change: dict[str, Any]
) -> None:
    await invite(api, acme, role="ADMIN")  # has no password yet, so can't stand in

    status, problem = await api.call("PATCH", f"/v1/users/{acme.user_id}", key=acme.api_key, json=change)
    await api.person(acme, some_email(), UserRole.ADMIN)
    allowed, _ = await api.call("PATCH", f"/v1/users/{acme.user_id}", key=acme.api_key, json=change)

    assert (status, problem["code"]) == (409, "last_admin")
    assert allowed == 200


async def test_two_administrators_who_demote_each_other_at_once_leave_one(
    services: Services, api: Visit, acme: Tenant
) -> None:
    ana = await api.sign_in(acme.owner.email)
    bruno_id, bruno = await api.person(acme, some_email(), UserRole.ADMIN)

    for _ in range(5):
        answers = await asyncio.gather(
            api.call("PATCH", f"/v1/users/{bruno_id}", key=ana, json={"role": "AGENT"}),
            api.call("PATCH", f"/v1/users/{acme.user_id}", key=bruno, json={"role": "AGENT"}),
        )
        left = await rows(services, acme, "SELECT user_id FROM users WHERE role = 'ADMIN'")
        assert len(left) == 1
        assert min(status for status, _ in answers) == 200
        await rows(services, acme, "UPDATE users SET role = 'ADMIN' RETURNING user_id")


async def test_a_key_lets_nobody_do_more_than_it_may_itself(api: Visit, acme: Tenant) -> None:
    create = {"name": "people", "scopes": ["users:read", "users:write"]}
    _, made = await api.call("POST", "/v1/api-keys", key=acme.api_key, json=create)
    key = made["api_key"]
    body = {"email": some_email(), "name": "Eve", "role": "ADMIN"}
    waiting = await invite(api, acme, role="ADMIN")

    answers = [
        await api.call("POST", "/v1/users", key=key, json=body),
        await api.call("PATCH", f"/v1/users/{waiting['user_id']}", key=key, json={"role": "AGENT"}),
        await api.call("PATCH", f"/v1/users/{waiting['user_id']}", key=key, json={"is_active": False}),
        await api.call("POST", f"/v1/users/{waiting['user_id']}/invitation", key=key),
    ]
    renamed, _ = await api.call("PATCH", f"/v1/users/{waiting['user_id']}", key=key, json={"name": "Eva"})

    assert [(status, problem["code"]) for status, problem in answers] == [(403, "permission_missing")] * 4
    assert renamed == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PATCH", "/v1/users/me", "GET"), ("DELETE", "/v1/users/me/second-factor", "POST, PUT")],
)
async def test_oneself_is_nobodys_id(api: Visit, acme: Tenant, method: str, path: str, allowed: str) -> None:
    headers = {"Authorization": f"Bearer {acme.api_key}"}
    async with api.session.request(method, api.url + path, headers=headers, json={}) as response:
        assert (response.status, response.headers["Allow"]) == (405, allowed)
