"""The client tries again where that is safe, and says plainly what was refused."""

from typing import Any

import httpx
import pytest

from owner.client import ApiError, OwnerClient, Unreachable, transport

Answers = list[httpx.Response | Exception]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.0)


def network(answers: Answers, seen: list[httpx.Request]) -> httpx.MockTransport:
    """A network that gives these answers, one after the other."""

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        following = answers.pop(0)
        if isinstance(following, Exception):
            raise following
        return following

    return httpx.MockTransport(answer)


def refusal(status: int, code: str, **headers: str) -> httpx.Response:
    problem = {"status": status, "code": code, "detail": "No.", "field": "name", "request_id": "r1"}
    return httpx.Response(status, json=problem, headers=headers)


LABEL = {"label_id": 1, "name": "vip", "color": "#000000"}


async def test_what_creates_is_tried_again_with_the_same_key() -> None:
    seen: list[httpx.Request] = []
    answers: Answers = [
        httpx.ReadTimeout("late"),
        refusal(503, "database_unavailable"),
        httpx.Response(201, json=LABEL),
    ]

    async with OwnerClient("http://api", "ok_1", transport=network(answers, seen)) as owner:
        label = await owner.labels.create(name="vip")

    assert label.label_id == 1
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
    assert len(seen) == 3


async def test_what_may_not_happen_twice_is_tried_once() -> None:
    seen: list[httpx.Request] = []
    answers: Answers = [httpx.ReadTimeout("late")]

    async with OwnerClient("http://api", "ok_1", transport=network(answers, seen)) as owner:
        with pytest.raises(Unreachable, match="ReadTimeout"):
            await owner.conversations.close(1)

    assert len(seen) == 1


async def test_a_limit_is_waited_for() -> None:
    seen: list[httpx.Request] = []
    answers: Answers = [
        refusal(429, "rate_limited", **{"Retry-After": "0"}),
        httpx.Response(200, json={"items": [LABEL], "next_cursor": None}),
    ]

    async with OwnerClient("http://api", "ok_1", transport=network(answers, seen)) as owner:
        labels = [label.name async for label in owner.labels.list()]

    assert labels == ["vip"]


async def test_a_refusal_has_the_problem_s_code_and_facts() -> None:
    answers: Answers = [refusal(409, "already_exists")]

    async with OwnerClient("http://api", "ok_1", transport=network(answers, [])) as owner:
        with pytest.raises(ApiError) as caught:
            await owner.labels.create(name="vip")

    assert (caught.value.status, caught.value.code) == (409, "already_exists")
    assert (caught.value.field, caught.value.request_id) == ("name", "r1")


@pytest.mark.parametrize("body", ["<html>bad gateway</html>", "[1]"])
async def test_an_answer_that_is_no_problem_is_told_all_the_same(body: str) -> None:
    answers: Answers = [httpx.Response(400, text=body)]

    async with OwnerClient("http://api", "ok_1", transport=network(answers, [])) as owner:
        with pytest.raises(ApiError) as caught:
            await owner.labels.get(1)

    assert (caught.value.status, caught.value.code) == (400, "unknown")


async def test_a_list_is_read_page_after_page() -> None:
    seen: list[httpx.Request] = []
    pages: list[dict[str, Any]] = [
        {"items": [LABEL], "next_cursor": "c1"},
        {"items": [{**LABEL, "label_id": 2}], "next_cursor": None},
    ]
    answers: Answers = [httpx.Response(200, json=page) for page in pages]

    async with OwnerClient("http://api", "ok_1", transport=network(answers, seen)) as owner:
        found = [label.label_id async for label in owner.labels.list(limit=1)]

    assert found == [1, 2]
    assert [request.url.params.get("cursor") for request in seen] == [None, "c1"]


async def test_a_field_of_a_later_version_comes_along() -> None:
    answers: Answers = [httpx.Response(200, json={**LABEL, "icon": "star"})]

    async with OwnerClient("http://api", "ok_1", transport=network(answers, [])) as owner:
        label = await owner.labels.get(1)

    assert label.model_extra == {"icon": "star"}


async def test_a_stream_gives_events_with_the_ids_to_go_on_from() -> None:
    event = (
        '{"event_id":7,"type":"message.received","actor_kind":"CUSTOMER","data":{},'
        '"created_at":"2026-11-24T12:00:00Z"}'
    )
    seen: list[httpx.Request] = []
    lines = f": hello\n\nid: c7\nevent: message.received\ndata: {event}\n\n: beat\n\n"
    answers: Answers = [httpx.Response(200, text=lines)]

    async with OwnerClient("http://api", "ok_1", transport=network(answers, seen)) as owner:
        got = [(last, found.type) async for last, found in owner.events.stream(last_event_id="c6")]

    assert got == [("c7", "message.received")]
    assert seen[0].headers["Last-Event-ID"] == "c6"
