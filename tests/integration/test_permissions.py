"""Every route with every role, and every route with what is another owner's, by the API's own description."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from factories import Tenant
from filling import TENANT_TABLES, fill
from owner.api.app import create_api
from owner.models.enums import UserRole
from owner.models.permissions import ROLES, SCOPES, Permission
from owner.models.quarantine import QuarantineReason
from owner.services.catalog import Services
from reading import rows
from visiting import Visit, visiting

MISSING = 2**62
ASKED = {"channel": "SMS", "address": "+5511987654321"}  # what a query has to name; ids aside
# Where the ids in paths come from, for an owner who has a row in every table.
IDS = {
    "api_key_id": "api_keys",
    "canned_reply_id": "canned_replies",
    "contact_id": "contacts",
    "conv_id": "conversations",
    "delivery_id": "webhook_deliveries",
    "endpoint_id": "webhook_endpoints",
    "feature_id": "features",
    "label_id": "labels",
    "media_id": "media",
    "merge_id": "contact_merges",
    "msg_id": "messages",
    "note_id": "notes",
    "owner_id": "owners",
    "session_id": "sessions",
    "twilio_account_id": "twilio_accounts",
    "user_id": "users",
}


@dataclass(frozen=True)
class Operation:
    """A route as `/openapi.json` tells of it."""

    method: str
    path: str
    permission: Permission
    body: Any
    ids: tuple[str, ...]
    query: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations() -> Iterator[Operation]:
    schema: dict[str, Any] = create_api(nullcontext).openapi()  # type: ignore[arg-type]  # it is described, not served
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if "x-permission" in operation:
                parameters = operation.get("parameters", ())
                yield Operation(
                    method.upper(),
                    path,
                    Permission(operation["x-permission"]),
                    _example(schema, operation),
                    tuple(parameter["name"] for parameter in parameters if parameter["in"] == "path"),
                    {
                        parameter["name"]: ASKED.get(parameter["name"], 1)
                        for parameter in parameters
                        if parameter["in"] == "query" and parameter["required"]
                    },
                )


def _example(schema: dict[str, Any], operation: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    body = content.get("application/json", {}).get("schema", {})
    for one in (body, *body.get("anyOf", ())):
        named = schema["components"]["schemas"].get(one.get("$ref", "").rpartition("/")[2], one)
        if named.get("examples"):
            return named["examples"][0]
    return None


OPERATIONS = list(operations())
ON_ONE_THING = [
    operation
    for operation in OPERATIONS
    if operation.ids and operation.permission is not Permission.OWNERS_WRITE
]


@pytest.fixture
async def api(services: Services) -> AsyncIterator[Visit]:
    async with visiting(services) as visit:
        yield visit


async def call(api: Visit, operation: Operation, token: str, **ids: int) -> tuple[int, dict[str, Any]]:
    """Status and problem of the answer; a stream that begins is as good as an answer."""
    path = operation.path.format(**ids)
    async with api.session.request(
        operation.method,
        api.url + path,
        json=operation.body,
        params=operation.query,
        headers={"Authorization": f"Bearer {token}"},
        timeout=aiohttp.ClientTimeout(total=20),
    ) as answer:
        is_problem = answer.content_type == "application/problem+json"
        return answer.status, json.loads(await answer.read()) if is_problem else {}


@pytest.mark.parametrize("role", UserRole)
async def test_each_role_is_let_in_where_the_table_says_and_nowhere_else(
    api: Visit, acme: Tenant, role: UserRole
) -> None:
    _, token = await api.person(acme, f"{role.lower()}-{acme.owner_id}@example.com", role)

    surprises = []
    # What signs out comes last.
    for operation in sorted(OPERATIONS, key=lambda one: one.path.endswith("/current")):
        status, problem = await call(api, operation, token, **dict.fromkeys(operation.ids, MISSING))
        is_refused = problem.get("code") == "permission_missing" and status == 403
        is_named = problem.get("permission") == operation.permission
        is_allowed = role in ROLES[operation.permission]
        if (is_refused and is_named) == is_allowed or status in {401, 500}:
            surprises.append((str(operation), status, problem))

    assert surprises == []


async def test_a_key_needs_the_very_scope_of_each_route(api: Visit, acme: Tenant) -> None:
    tokens = {
        permission: await a_key(api, acme, sorted(SCOPES - {permission}))
        for permission in {operation.permission for operation in OPERATIONS}
    }

    surprises = []
    for operation in OPERATIONS:
        ids = dict.fromkeys(operation.ids, MISSING)
        status, problem = await call(api, operation, tokens[operation.permission], **ids)
        if (status, problem.get("permission")) != (403, operation.permission):
            surprises.append((str(operation), status, problem))

    assert surprises == []


async def test_what_is_another_owner_s_looks_like_what_is_not_there(
    services: Services, api: Visit, acme: Tenant, globex: Tenant
) -> None:
    await fill(services, acme)
    theirs = {name: await an_id(services, acme, table, name) for name, table in IDS.items()}
    theirs["quarantine_id"] = await a_refused_webhook(services, api, acme)
    before = await everything(services, acme)
    session = await api.sign_in(globex.owner.email)

    surprises = []
    for operation in ON_ONE_THING:
        foreign = await call(api, operation, session, **{name: theirs[name] for name in operation.ids})
        missing = await call(api, operation, session, **dict.fromkeys(operation.ids, MISSING))
        if foreign[0] != 404 or missing[0] != 404 or shape(foreign) != shape(missing):
            surprises.append((str(operation), foreign, missing))

    assert surprises == []
    assert await everything(services, acme) == before


async def a_key(api: Visit, tenant: Tenant, scopes: list[Permission]) -> str:
    status, made = await api.call(
        "POST", "/v1/api-keys", key=tenant.api_key, json={"name": "narrow", "scopes": scopes}
    )
    assert status == 201, made
    key: str = made["api_key"]
    return key


async def a_refused_webhook(services: Services, api: Visit, tenant: Tenant) -> int:
    await services.quarantine.set_aside(
        [("Body", "Oi")],
        reason=QuarantineReason.BAD_SIGNATURE,
        path="/webhooks/twilio/inbound",
        signature="x",
        owner_id=tenant.owner_id,
    )
    status, listed = await api.call("GET", "/v1/quarantine", key=tenant.api_key)
    assert status == 200, listed
    key: int = listed["items"][0]["quarantine_id"]
    return key


async def an_id(services: Services, tenant: Tenant, table: str, name: str) -> int:
    [found, *_] = await rows(services, tenant, f"SELECT * FROM {table} ORDER BY 1, 2")
    key: int = found.get(name) or found[f"{table.removesuffix('s').removesuffix('e')}_id"]
    return key


async def everything(services: Services, tenant: Tenant) -> dict[str, list[dict[str, Any]]]:
    """All rows of an owner, but what every look at the API moves on."""
    return {
        table: await rows(services, tenant, f"SELECT * FROM {table} ORDER BY 1, 2")
        for table in TENANT_TABLES
        if table not in {"event_cursors", "api_keys", "sessions"}
    }


def shape(answer: tuple[int, dict[str, Any]]) -> str:
    """The answer without what tells one request from another: its id, and the id that was asked for."""
    status, problem = answer
    told = {name: value for name, value in problem.items() if name != "request_id"}
    return re.sub(r"\d{3,}|\b\d+\b", "N", f"{status} {told}")
