"""Completes the API's description: permissions, every refusal, and links from what was made to what can be done with it."""

from collections.abc import Iterator
from threading import Lock
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from owner.api.errors import Problem
from owner.api.routing import IDEMPOTENT, OR_PLATFORM, PERMISSION
from owner.models.permissions import PLATFORM, ROLES, Permission

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_REFUSALS: Final[dict[str, str]] = {
    "400": "The cursor is not one that this list gave out (`invalid_cursor`).",
    "401": "No valid API key or session token.",
    "403": "The role or scopes are too low; `permission` names what is missing.",
    "404": "There is nothing here, or it is another owner's.",
    "409": "The state of things does not allow it; `code` says why.",
    "413": "The body is larger than 1 MB.",
    "415": "The body is not JSON.",
    "422": "The request is not valid; `field` and `errors` say where.",
    "429": "A limit is used up; `Retry-After` says when it will do.",
    "503": "The database is away; try again.",
}
PROBLEM: Final[dict[str, Any]] = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
}
_RATE_HEADERS: Final = {
    name: {"description": text, "schema": {"type": "integer"}}
    for name, text in {
        "Retry-After": "Seconds until it makes sense to try again.",
        "RateLimit-Limit": "What the tightest limit allows.",
        "RateLimit-Remaining": "What is left of it.",
        "RateLimit-Reset": "Seconds until it is whole again.",
    }.items()
}


def operation_name(route: APIRoute) -> str:
    """The function's name: short, and stable for generated clients."""
    return route.name


def describe(app: FastAPI) -> None:
    """Let `/openapi.json` tell the whole truth.

    It is made when somebody asks for it first, which takes a second: ask in a thread, so that nobody else waits.
    """
    generate, one_makes_it = app.openapi, Lock()

    def openapi() -> dict[str, Any]:
        with one_makes_it:
            if app.openapi_schema is None:
                app.openapi_schema = _complete(generate())
            return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(schema: dict[str, Any]) -> dict[str, Any]:
    # REST first, though webhooks are looked for before it.
    schema["paths"] = dict(sorted(schema["paths"].items(), key=lambda path: not path[0].startswith("/v1/")))
    components = schema["components"]
    components["schemas"]["Problem"] = _problem_schema()
    components["responses"] = {status: _refusal(status) for status in _REFUSALS}
    for path, operation in _operations(schema):
        operation["summary"] = operation["summary"].capitalize()
        _leave_out_null(operation)
        _share_success(operation)
        if path.startswith("/v1/"):
            _tell_permission(operation)
            _tell_refusals(path, operation)
    _link(schema)
    _as_integers(schema)
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    return schema


def _as_integers(schema: Any) -> None:
    """Bounds of whole numbers are written as such: as a fraction, a large one is another number to its reader."""
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for value in inner:
        _as_integers(value)
    if isinstance(schema, dict):
        for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if isinstance(schema.get(bound), float) and schema[bound].is_integer():
                schema[bound] = int(schema[bound])


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield path, methods[method]


def _leave_out_null(operation: dict[str, Any]) -> None:
    """A parameter that may be left out is not one that may be null: a URL has no null."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
        if len(kinds) == 1:
            del schema["anyOf"]
            parameter["schema"] = {**kinds[0], **schema}


def _share_success(operation: dict[str, Any]) -> None:
    """Two ways to succeed have one shape."""
    successes = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    content = next((answer["content"] for answer in successes if "content" in answer), None)
    for answer in successes:
        if content is not None and "content" not in answer and "204" not in operation["responses"]:
            answer["content"] = content


def _problem_schema() -> dict[str, Any]:
    """Open, because a problem brings the facts that its code is about."""
    return {**Problem.model_json_schema(), "additionalProperties": True}


def _refusal(status: str) -> dict[str, Any]:
    headers = {"headers": _RATE_HEADERS} if status == "429" else {}
    return {"description": _REFUSALS[status], **PROBLEM, **headers}


def _tell_permission(operation: dict[str, Any]) -> None:
    named = operation.pop(PERMISSION, None)  # FastAPI leaves out what is None
    if operation.pop(IDEMPOTENT, False):
        operation["x-idempotency-key"] = True
    if named is None:
        operation.pop("security", None)
        return
    operation[PERMISSION] = named
    permission = Permission(named)
    lets_platform_in = operation.pop(OR_PLATFORM, False) or permission in PLATFORM
    holders = [role.value for role in ROLES[permission]]
    people = ", ".join(sorted(holders)) or "nobody"
    programs = {
        Permission.SELF: "not for API keys",
        Permission.OWNERS_WRITE: "platform keys only",
    }.get(permission, "API keys with this scope" + (", platform keys" if lets_platform_in else ""))
    sentence = f"Permission: `{permission}` — {people}; {programs}."
    operation["description"] = f"{operation.get('description', '')}\n\n{sentence}".strip()


def _tell_refusals(path: str, operation: dict[str, Any]) -> None:
    """What may be answered besides what the route itself names."""
    statuses = {"422", "503"}
    if PERMISSION in operation:
        statuses |= {"401", "403", "429"}
    if "{" in path:
        statuses.add("404")
    if "requestBody" in operation:
        statuses |= {"404", "409", "413", "415"}
    elif operation.get("operationId", "").startswith(("get", "list")) is False:
        statuses.add("409")
    if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", ())):
        statuses.add("400")
    responses = operation["responses"]
    statuses |= {status for status in responses if status >= "400"}
    for status in sorted(statuses):
        own = responses.get(status, {}).get("description")
        if own is None or status == "422":
            responses[status] = {"$ref": f"#/components/responses/{status}"}
        elif "content" not in responses[status]:
            responses[status] = {**_refusal(status), "description": own}


def _link(schema: dict[str, Any]) -> None:
    """From what a POST made to the paths that take its id."""
    for path, methods in schema["paths"].items():
        for status, response in methods.get("post", {}).get("responses", {}).items():
            if not status.startswith("2"):
                continue
            links = {
                operation["operationId"]: {
                    "operationId": operation["operationId"],
                    "parameters": {name: f"$response.body#/{name}"},
                }
                for name in _ids_made(schema, response)
                for below, operation in _operations(schema)
                if below.startswith(f"{path}/{{{name}}}") and below.count("{") == path.count("{") + 1
            }
            if links:
                response["links"] = links


def _ids_made(schema: dict[str, Any], response: dict[str, Any]) -> Iterator[str]:
    body = response.get("content", {}).get("application/json", {}).get("schema", {})
    name = body.get("$ref", "").rpartition("/")[2]
    properties = schema["components"]["schemas"].get(name, {}).get("properties", {})
    yield from (field for field in properties if field.endswith("_id"))
