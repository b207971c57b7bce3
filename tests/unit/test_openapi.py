"""The API's description is complete: who may call what, with which input, and every way in which it may be refused."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from owner.api.app import create_api
from owner.models.permissions import ROLES, Permission

METHODS = ("get", "post", "put", "patch", "delete")


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in SCHEMA["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


SCHEMA: dict[str, Any] = create_api(nullcontext).openapi()  # type: ignore[arg-type]  # it is described, not served
OPERATIONS = dict(operations())
REST = {name: operation for name, operation in OPERATIONS.items() if " /v1/" in name}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_route_says_what_it_does(name: str) -> None:
    operation = OPERATIONS[name]

    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]


def test_every_route_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", REST)
def test_a_route_with_a_permission_tells_who_has_it_and_wants_a_key(name: str) -> None:
    operation = REST[name]
    if "x-permission" not in operation:
        assert "security" not in operation
        return

    permission = Permission(operation["x-permission"])
    assert f"Permission: `{permission}`" in operation["description"]
    assert all(role in operation["description"] for role in ROLES[permission])
    assert operation["security"]
    assert {"401", "403", "429"} <= set(operation["responses"])


@pytest.mark.parametrize("name", REST)
def test_every_refusal_is_a_problem(name: str) -> None:
    for status, answer in REST[name]["responses"].items():
        if status >= "400":
            shared = SCHEMA["components"]["responses"].get(answer.get("$ref", "").rpartition("/")[2], answer)
            assert list(shared["content"]) == ["application/problem+json"], status


@pytest.mark.parametrize("name", [name for name in REST if "requestBody" in REST[name]])
def test_every_body_has_an_example(name: str) -> None:
    body = REST[name]["requestBody"]["content"]["application/json"]["schema"]
    named = [body, *body.get("anyOf", ())]
    schemas = [
        SCHEMA["components"]["schemas"].get(one.get("$ref", "").rpartition("/")[2], one) for one in named
    ]

    assert any(schema.get("examples") for schema in schemas)


def test_every_permission_of_the_table_opens_something() -> None:
    used = {operation.get("x-permission") for operation in REST.values()}

    missing = {permission.value for permission in Permission} - used
    # A finer rule within routes that every agent may call: whose conversations they may give away.
    assert missing == {Permission.CONVERSATIONS_SUPERVISE}
