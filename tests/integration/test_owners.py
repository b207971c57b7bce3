"""An owner sees and changes how its own conversations behave."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from calling import Api, calling
from factories import Tenant, make_inbound, some_number
from owner.models.owner import Owner
from owner.repositories.owners import OwnerRepository
from owner.services.catalog import Services
from reading import conversations_of, rows


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as api:
        yield api


async def stored(services: Services, tenant: Tenant) -> Owner:
    async with services.database.owner(tenant.owner_id) as connection:
        return await OwnerRepository(connection).get(tenant.owner_id)


def path_of(tenant: Tenant) -> str:
    return f"/v1/owners/{tenant.owner_id}"


async def test_an_owner_is_shown_to_itself(api: Api, acme: Tenant) -> None:
    answer = await api.call("GET", path_of(acme))

    assert answer.status == 200
    assert answer.body == {
        "owner_id": acme.owner_id,
        "name": "acme",
        "email": acme.owner.email,
        "time_zone": "America/Sao_Paulo",
        "language": "pt",
        "expires_after": "P1D",
        "idle_after": "PT1H",
        "reopen_grace": "PT10M",
        "closure": {
            "confirm_at": 0.6,
            "close_at": 0.8,
            "ask": False,
            "shadow": False,
            "keywords": [],
            "replaces_lists": False,
            "never": [],
        },
        "opt_out_words": [],
        "texts": {"closing": None, "asking": None, "asking_content_sid": None},
        "suspended_at": None,
        "created_at": answer.body["created_at"],
        "updated_at": answer.body["updated_at"],
    }


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_another_owner_looks_like_one_that_is_not_there(
    services: Services, api: Api, acme: Tenant, globex: Tenant, method: str
) -> None:
    body = {"name": "taken over"} if method == "PATCH" else None

    theirs = await api.call(method, path_of(globex), body)
    missing = await api.call(method, "/v1/owners/4611686018427387904", body)

    assert (theirs.status, theirs.code) == (missing.status, missing.code) == (404, "owner_not_found")
    assert theirs.body["detail"].replace(str(globex.owner_id), "N") == "There is no owner N."
    assert (await stored(services, globex)).name == "globex"


async def test_everything_that_may_change_changes_and_is_told(
    services: Services, api: Api, acme: Tenant
) -> None:
    changes: dict[str, Any] = {
        "name": "  Acme & Filhos ",
        "time_zone": "America/Manaus",
        "language": "es",
        "expires_after": "PT48H",
        "idle_after": 90,
        "reopen_grace": "PT0S",
        "closure": {
            "confirm_at": 0.5,
            "close_at": 0.9,
            "ask": True,
            "shadow": True,
            "keywords": ["é isso aí"],
            "replaces_lists": True,
            "never": ["fim de semana"],
        },
        "opt_out_words": ["CANCELAR"],
        "texts": {
            "closing": "Até logo!",
            "asking": "Podemos encerrar?",
            "asking_content_sid": "HX0123456789abcdef0123456789abcdef",
        },
    }

    changed = await api.call("PATCH", path_of(acme), changes)

    assert changed.status == 200
    shown = await api.call("GET", path_of(acme))
    assert shown.body == changed.body
    assert {name: changed.body[name] for name in changes} == {
        **changes,
        "name": "Acme & Filhos",
        "expires_after": "P2D",
        "idle_after": "PT1H30M",
    }
    assert (await stored(services, acme)).idle_after == timedelta(minutes=90)


async def test_what_is_left_out_stays_in_nested_settings_too(api: Api, acme: Tenant) -> None:
    await api.call("PATCH", path_of(acme), {"closure": {"ask": True}, "texts": {"closing": "Até logo!"}})

    changed = await api.call(
        "PATCH", path_of(acme), {"closure": {"close_at": 0.9}, "texts": {"asking": "Fim?"}}
    )
    cleared = await api.call("PATCH", path_of(acme), {"texts": {"closing": None}})

    assert (changed.body["closure"]["ask"], changed.body["closure"]["close_at"]) == (True, 0.9)
    assert changed.body["texts"] == {"closing": "Até logo!", "asking": "Fim?", "asking_content_sid": None}
    assert cleared.body["texts"] == {"closing": None, "asking": "Fim?", "asking_content_sid": None}


async def test_a_change_is_an_event_that_names_the_fields_and_no_change_is_none(
    services: Services, api: Api, acme: Tenant
) -> None:
    await api.call("PATCH", path_of(acme), {"language": "en", "closure": {"ask": True}, "name": "acme"})
    await api.call("PATCH", path_of(acme), {"language": "en"})
    await api.call("PATCH", path_of(acme), {})

    events = await rows(
        services,
        acme,
        "SELECT actor_kind, actor_id IS NULL AS is_nobody, data FROM events WHERE type = 'owner.updated'",
    )
    assert events == [
        {"actor_kind": "API_KEY", "is_nobody": False, "data": {"fields": ["closure.ask", "language"]}}
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": None}, "name"),
        ({"email": "b@example.com"}, "email"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"time_zone": "america/sao_paulo"}, "time_zone"),
        ({"language": "de"}, "language"),
        ({"language": None}, "language"),
        ({"expires_after": "PT30S"}, "expires_after"),
        ({"expires_after": None}, "expires_after"),
        ({"idle_after": "an hour"}, "idle_after"),
        ({"reopen_grace": "P8D"}, "reopen_grace"),
        ({"closure": None}, "closure"),
        ({"closure": {"ask": None}}, "closure.ask"),
        ({"closure": {"asks": True}}, "closure.asks"),
        ({"closure": {"confirm_at": 1.1}}, "closure.confirm_at"),
        ({"closure": {"confirm_at": 0.9}}, "closure.confirm_at"),
        ({"closure": {"close_at": 0.59}}, "closure.confirm_at"),
        ({"closure": {"keywords": [" "]}}, "closure.keywords.0"),
        ({"closure": {"keywords": ["a"] * 201}}, "closure.keywords"),
        ({"opt_out_words": ["two words"]}, "opt_out_words.0"),
        ({"texts": {"closing": ""}}, "texts.closing"),
        ({"texts": {"closing": "a" * 1601}}, "texts.closing"),
        ({"texts": None}, "texts"),
        ({"suspended_at": None}, "suspended_at"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing(
    services: Services, api: Api, acme: Tenant, *, body: dict[str, Any], field: str
) -> None:
    before = await stored(services, acme)

    answer = await api.call("PATCH", path_of(acme), {"language": "en", **body})

    assert (answer.status, answer.code, answer.body["field"]) == (422, "invalid_input", field)
    assert await stored(services, acme) == before


@pytest.mark.parametrize("word", ["stop", "SAIR", "Cancelar"])
async def test_a_word_that_opts_out_is_no_closing_word(api: Api, acme: Tenant, word: str) -> None:
    answer = await api.call("PATCH", path_of(acme), {"closure": {"keywords": ["tchau", word]}})

    assert (answer.status, answer.code) == (422, "reserved_closure_keyword")
    assert answer.body["word"] == word


async def test_new_limits_are_for_conversations_that_open_from_now_on(
    services: Services, api: Api, acme: Tenant
) -> None:
    await receive(services, acme)
    await api.call("PATCH", path_of(acme), {"idle_after": "PT2H", "expires_after": "PT3H"})

    await receive(services, acme)

    before, after = await conversations_of(services, acme)
    assert (before.idle_after, after.idle_after) == (timedelta(hours=1), timedelta(hours=2))
    assert after.expires_at - after.started_at == timedelta(hours=3)


async def receive(services: Services, tenant: Tenant) -> None:
    await services.inbound.receive(
        make_inbound(tenant, customer=some_number()),
        owner=await stored(services, tenant),
        twilio_account_id=tenant.account.twilio_account_id,
    )
