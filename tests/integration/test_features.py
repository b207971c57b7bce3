"""What an owner switches on, checked against what the product knows."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from calling import Answer, Api, calling
from factories import Tenant, make_inbound, some_number
from owner.models.feature_schemas import FEATURES, name_pattern
from owner.repositories.ai_results import AIResultRepository
from owner.services.catalog import Services
from reading import rows

SEEDS = {"name": "AI Chat Assistant", "enabled": True, "config_json": {"model": "gpt-4", "temperature": 0.7}}


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as api:
        yield api


async def create(api: Api, **changes: Any) -> Answer:
    return await api.call("POST", "/v1/features", {**SEEDS, **changes})


async def test_the_seeds_example_works(api: Api) -> None:
    made = await create(api)

    assert made.status == 201
    assert {name: made.body[name] for name in SEEDS} == SEEDS
    path = f"/v1/features/{made.body['feature_id']}"
    assert (await api.call("GET", path)).body == made.body
    listed = await api.call("GET", "/v1/features")
    assert listed.body == {"items": [made.body], "next_cursor": None}


@pytest.mark.parametrize(
    "name", ["ai_chat_assistant", "AI-Chat-Assistant", " aichatassistant ", "AI  CHAT_assistant"]
)
async def test_case_blanks_and_hyphens_make_no_other_name(api: Api, name: str) -> None:
    made = await create(api, name=name)
    again = await create(api)

    assert (made.status, made.body["name"]) == (201, "AI Chat Assistant")
    assert (again.status, again.code, again.body["field"]) == (409, "already_exists", "name")


async def test_an_owner_keeps_features_of_its_own_programs(api: Api) -> None:
    config = {"minimum_orders": 20, "hours": ["09:00", "18:00"]}

    made = await create(api, name=" VIP desk ", config_json=config)
    path = f"/v1/features/{made.body['feature_id']}"
    changed = await api.call("PATCH", path, {"enabled": False, "config_json": {"temperature": "hot"}})
    again = await create(api, name="VIP desk", config_json={})

    assert (made.status, made.body["name"], made.body["config_json"]) == (201, "VIP desk", config)
    assert (changed.body["enabled"], changed.body["config_json"]) == (False, {"temperature": "hot"})
    assert (again.status, again.code) == (409, "already_exists")


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
async def test_a_feature_has_a_name_that_can_be_read(api: Api, name: str) -> None:
    answer = await create(api, name=name, config_json={})

    assert (answer.status, answer.code, answer.body["field"]) == (422, "invalid_input", "name")


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"temperature": 2.1}, "config_json.temperature"),
        ({"temperature": "hot"}, "config_json.temperature"),
        ({"max_tokens": 0}, "config_json.max_tokens"),
        ({"modell": "gpt-4"}, "config_json.modell"),
        ({"threshold": 0.5}, "config_json.threshold"),
    ],
)
async def test_a_configuration_of_another_kind_is_refused_with_its_field(
    services: Services, api: Api, acme: Tenant, *, config: dict[str, Any], field: str
) -> None:
    refused = await create(api, config_json=config)
    made = await create(api)
    path = f"/v1/features/{made.body['feature_id']}"
    unchanged = await api.call("PATCH", path, {"enabled": False, "config_json": config})

    for answer in (refused, unchanged):
        assert (answer.status, answer.code, answer.body["field"]) == (422, "invalid_input", field)
        assert answer.body["errors"][0]["field"] == field
    assert (await api.call("GET", path)).body == made.body


async def test_a_feature_is_switched_off_and_configured_anew(
    services: Services, api: Api, acme: Tenant
) -> None:
    path = f"/v1/features/{(await create(api)).body['feature_id']}"

    off = await api.call("PATCH", path, {"enabled": False})
    anew = await api.call("PATCH", path, {"config_json": {"max_tokens": 200}})
    same = await api.call("PATCH", path, {"enabled": False})
    null = await api.call("PATCH", path, {"enabled": None})

    assert (off.body["enabled"], off.body["config_json"]) == (False, SEEDS["config_json"])
    assert (anew.body["enabled"], anew.body["config_json"]) == (False, {"max_tokens": 200})
    assert same.body == anew.body
    assert (null.status, null.body["field"]) == (422, "enabled")
    assert await feature_events(services, acme) == ["feature.created", "feature.updated", "feature.updated"]


async def feature_events(services: Services, tenant: Tenant) -> list[str]:
    found = await rows(
        services, tenant, "SELECT type FROM events WHERE type LIKE 'feature.%' ORDER BY event_id"
    )
    return [row["type"] for row in found]


async def test_a_forgotten_feature_is_gone_and_can_be_made_again(
    services: Services, api: Api, acme: Tenant
) -> None:
    path = f"/v1/features/{(await create(api)).body['feature_id']}"

    gone = await api.call("DELETE", path)
    twice = await api.call("DELETE", path)
    again = await create(api)

    assert (gone.status, gone.body, twice.status, again.status) == (204, None, 404, 201)
    assert "feature.deleted" in await feature_events(services, acme)


async def test_a_feature_with_results_stays(services: Services, api: Api, acme: Tenant) -> None:
    feature_id = (await create(api)).body["feature_id"]
    receipt = await services.inbound.receive(
        make_inbound(acme, customer=some_number()),
        owner=acme.owner,
        twilio_account_id=acme.account.twilio_account_id,
    )
    async with services.database.owner(acme.owner_id) as connection:
        await AIResultRepository(connection).add(
            {"owner_id": acme.owner_id, "msg_id": receipt.msg_id, "feature_id": feature_id, "result_json": {}}
        )

    answer = await api.call("DELETE", f"/v1/features/{feature_id}")

    assert (answer.status, answer.code) == (409, "conflict")
    assert (await api.call("GET", f"/v1/features/{feature_id}")).status == 200


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PATCH", {"enabled": False}), ("DELETE", None)])
async def test_another_owners_feature_looks_like_one_that_is_not_there(
    api: Api, globex: Tenant, method: str, body: Any
) -> None:
    made = await create(api)

    theirs = await api.call(method, f"/v1/features/{made.body['feature_id']}", body, key=globex.api_key)

    assert (theirs.status, theirs.code) == (404, "not_found")
    assert (await api.call("GET", "/v1/features", key=globex.api_key)).body["items"] == []


async def test_every_feature_comes_with_a_schema_that_a_form_can_be_made_from(api: Api) -> None:
    answer = await api.call("GET", "/v1/feature-schemas")

    schemas = {item["name"]: item for item in answer.body["items"]}
    assert set(schemas) == set(FEATURES)
    temperature = schemas["AI Chat Assistant"]["config_schema"]["properties"]["temperature"]
    assert (temperature["minimum"], temperature["maximum"]) == (0, 2)
    assert all(not item["is_in_effect"] for item in schemas.values())


@pytest.mark.parametrize("name", FEATURES)
async def test_each_feature_can_be_made_with_nothing_but_its_name(api: Api, name: str) -> None:
    made = await api.call("POST", "/v1/features", {"name": name})

    assert (made.status, made.body["enabled"], made.body["config_json"]) == (201, False, {})


@pytest.mark.parametrize("written", ["Closure NLP", "closure_nlp", "CLOSURE-NLP", " closure nlp "])
def test_the_described_pattern_knows_each_way_to_write_a_name(written: str) -> None:
    assert re.search(name_pattern("Closure NLP"), written)


@pytest.mark.parametrize("other", ["Closure", "Closure NLP 2", "AI Chat Assistant"])
def test_the_described_pattern_tells_names_apart(other: str) -> None:
    assert not re.search(name_pattern("Closure NLP"), other)
