"""The API's description is complete: who may call what, with which input, and every way in which it may be refused."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from pydantic import ValidationError

from owner.api.app import create_api
from owner.models.bulk import BulkRead
from owner.models.conversation_dtos import ConversationAssign
from owner.models.entity import DTO
from owner.models.feature_schemas import AIChatAssistantConfig
from owner.models.label import LabelCreate
from owner.models.message import MessageCreate
from owner.models.owner import ClosureUpdate
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


@pytest.mark.parametrize("wrong", [True, "1"])
@pytest.mark.parametrize(
    ("model", "given"),
    [
        (ClosureUpdate, "close_at"),
        (AIChatAssistantConfig, "temperature"),
        (AIChatAssistantConfig, "max_tokens"),
        (ConversationAssign, "assignee_id"),
        (MessageCreate, "expected_last_msg_id"),
        (BulkRead, "conv_ids"),
    ],
    ids=str,
)
def test_a_number_is_neither_text_nor_truth(model: type[DTO], given: str, wrong: object) -> None:
    usual = {"content": "Oi"} if model is MessageCreate else {"action": "READ"} if model is BulkRead else {}

    for value, is_taken in ((1, True), (wrong, False)):
        with nullcontext() if is_taken else pytest.raises(ValidationError):
            model.model_validate({**usual, given: [value] if given == "conv_ids" else value})


@pytest.mark.parametrize("name", ["vip", " vip ", "ação 🚚", "\ufeffvip"])
def test_what_is_white_space_is_the_same_for_who_describes_and_who_reads(name: str) -> None:
    found = LabelCreate.model_validate({"name": name}).name

    assert found == name.strip()


@pytest.mark.parametrize("name", ["", " ", "\x85", "\ufeff", "\x1c", "a\nb", "a\x1bb"])
def test_what_nobody_can_see_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        LabelCreate.model_validate({"name": name})
