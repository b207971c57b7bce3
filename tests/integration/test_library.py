"""What people put beside conversations: labels, notes, what they have read, canned replies."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from calling import Api, calling
from factories import Tenant, make_inbound, some_number
from owner.services.catalog import Services
from reading import event_types, rows

MISSING = 2**62


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as program:
        yield program


async def a_conversation(services: Services, tenant: Tenant, **changes: Any) -> int:
    receipt = await services.inbound.receive(
        make_inbound(tenant, customer=some_number(), **changes),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    assert receipt.conv_id is not None
    return receipt.conv_id


async def a_label(api: Api, name: str = "vip") -> int:
    made = await api.call("POST", "/v1/labels", {"name": name})
    assert made.status == 201
    label_id: int = made.body["label_id"]
    return label_id


async def test_a_label_is_made_renamed_listed_and_deleted(api: Api) -> None:
    label_id = await a_label(api)

    renamed = await api.call("PATCH", f"/v1/labels/{label_id}", {"name": "gold", "color": "#b45309"})
    listed = await api.call("GET", "/v1/labels")
    deleted = await api.call("DELETE", f"/v1/labels/{label_id}")
    gone = await api.call("DELETE", f"/v1/labels/{label_id}")

    assert renamed.body == {"label_id": label_id, "name": "gold", "color": "#b45309"}
    assert listed.body == {"items": [renamed.body], "next_cursor": None}
    assert (deleted.status, gone.status) == (204, 404)


async def test_two_labels_of_one_name_are_refused_and_those_of_two_owners_are_not(
    services: Services, api: Api, globex: Tenant
) -> None:
    await a_label(api)

    again = await api.call("POST", "/v1/labels", {"name": "vip"})
    theirs = await api.call("POST", "/v1/labels", {"name": "vip"}, key=globex.api_key)

    assert (again.status, again.code, again.body["field"]) == (409, "already_exists", "name")
    assert theirs.status == 201


@pytest.mark.parametrize("change", [{"name": None}, {"name": "  "}, {"color": "red"}, {"colour": "#000000"}])
async def test_a_label_that_can_not_be_is_refused(api: Api, change: dict[str, Any]) -> None:
    label_id = await a_label(api)

    answer = await api.call("PATCH", f"/v1/labels/{label_id}", change)

    assert (answer.status, answer.code) == (422, "invalid_input")


async def test_labelling_twice_is_labelling_once(services: Services, api: Api, acme: Tenant) -> None:
    conv_id, label_id = await a_conversation(services, acme), await a_label(api)
    path = f"/v1/conversations/{conv_id}/labels/{label_id}"

    answers = [(await api.call(method, path)).status for method in ("PUT", "PUT", "DELETE", "DELETE")]

    assert answers == [204] * 4
    types = await event_types(services, acme, conv_id)
    assert types[-2:] == ["conversation.labeled", "conversation.unlabeled"]
    assert types.count("conversation.labeled") == 1


async def test_a_conversation_has_fifty_labels_at_most_however_many_are_put_on_at_once(
    services: Services, api: Api, acme: Tenant
) -> None:
    conv_id = await a_conversation(services, acme)
    paths = [f"/v1/conversations/{conv_id}/labels/{await a_label(api, f'label {n}')}" for n in range(55)]
    for path in paths[:48]:
        await api.call("PUT", path)

    answers = await asyncio.gather(*(api.call("PUT", path) for path in paths[48:]))
    again = await api.call("PUT", paths[0])

    refused = [answer for answer in answers if answer.code == "too_many_labels"]
    assert (len(refused), {answer.status for answer in refused}) == (5, {409})
    assert again.status == 204
    shown = await api.call("GET", f"/v1/conversations/{conv_id}")
    assert len(shown.body["labels"]) == 50


@pytest.mark.parametrize("what", ["label", "conversation"])
async def test_nobody_labels_with_or_on_what_is_another_owners(
    services: Services, api: Api, acme: Tenant, globex: Tenant, what: str
) -> None:
    label_id = await a_label(api)
    conv_id = await a_conversation(services, globex if what == "conversation" else acme)
    if what == "label":
        made = await api.call("POST", "/v1/labels", {"name": "theirs"}, key=globex.api_key)
        label_id = made.body["label_id"]

    answer = await api.call("PUT", f"/v1/conversations/{conv_id}/labels/{label_id}")

    assert answer.status == 404


async def test_a_note_is_kept_beside_the_conversation_and_moves_nothing(
    services: Services, api: Api, acme: Tenant
) -> None:
    conv_id = await a_conversation(services, acme)
    before = await api.call("GET", f"/v1/conversations/{conv_id}")

    note = await api.call("POST", f"/v1/conversations/{conv_id}/notes", {"content": "Called the courier."})
    changed = await api.call(
        "PUT", f"/v1/conversations/{conv_id}/notes/{note.body['note_id']}", {"content": "Called twice."}
    )
    listed = await api.call("GET", f"/v1/conversations/{conv_id}/notes")
    after = await api.call("GET", f"/v1/conversations/{conv_id}")
    messages = await api.call("GET", f"/v1/conversations/{conv_id}/messages")

    assert note.status == 201
    assert listed.body["items"] == [changed.body]
    assert changed.body["content"] == "Called twice."
    assert after.body == before.body
    assert [message["content"] for message in messages.body["items"]] == ["Oi"]


async def test_no_event_tells_what_a_note_says(services: Services, api: Api, acme: Tenant) -> None:
    conv_id = await a_conversation(services, acme)

    await api.call("POST", f"/v1/conversations/{conv_id}/notes", {"content": "a secret"})

    events = await rows(services, acme, "SELECT data::text AS data FROM events WHERE conv_id = $1", conv_id)
    assert "secret" not in str(events)


async def test_a_note_is_found_in_its_own_conversation_only(
    services: Services, api: Api, acme: Tenant
) -> None:
    here, there = await a_conversation(services, acme), await a_conversation(services, acme)
    note = await api.call("POST", f"/v1/conversations/{here}/notes", {"content": "x"})

    answer = await api.call("DELETE", f"/v1/conversations/{there}/notes/{note.body['note_id']}")

    assert answer.status == 404


async def test_each_reader_has_a_place_of_their_own(services: Services, api: Api, acme: Tenant) -> None:
    conv_id = await a_conversation(services, acme)

    to_the_end = await api.call("POST", f"/v1/conversations/{conv_id}/read")
    unread_again = await api.call("POST", f"/v1/conversations/{conv_id}/read", {"last_read_seq": 0})
    beyond = await api.call("POST", f"/v1/conversations/{conv_id}/read", {"last_read_seq": 10_000})

    assert [answer.body["unread_count"] for answer in (to_the_end, unread_again, beyond)] == [0, 1, 0]


async def a_reply(api: Api, content: str, shortcut: str = "hello") -> int:
    made = await api.call("POST", "/v1/canned-replies", {"shortcut": shortcut, "content": content})
    assert made.status == 201, made.body
    canned_reply_id: int = made.body["canned_reply_id"]
    return canned_reply_id


async def test_a_canned_reply_is_filled_in_for_its_conversation(
    services: Services, api: Api, acme: Tenant
) -> None:
    conv_id = await a_conversation(services, acme, profile_name="Ana Souza")
    canned_reply_id = await a_reply(
        api, "Oi, {{contact.first_name}} ({{ contact.name }})! {{agent.name}} #{{conversation.id}}"
    )

    preview = await api.call("GET", f"/v1/canned-replies/{canned_reply_id}/preview", conv_id=conv_id)
    sent = await api.call(
        "POST", f"/v1/conversations/{conv_id}/messages", {"canned_reply_id": canned_reply_id}
    )

    expected = f"Oi, Ana (Ana Souza)! acme #{conv_id}"
    assert preview.body == {"content": expected}
    assert (sent.status, sent.body["content"]) == (202, expected)


@pytest.mark.parametrize(
    ("written", "text"),
    [("Olá, {{contact.name|cliente}}!", "Olá, cliente!"), ("Olá{{contact.first_name}}!", "Olá!")],
)
async def test_a_name_that_nobody_knows_becomes_the_word_in_its_place(
    services: Services, api: Api, acme: Tenant, written: str, text: str
) -> None:
    conv_id, canned_reply_id = await a_conversation(services, acme), await a_reply(api, written)

    preview = await api.call("GET", f"/v1/canned-replies/{canned_reply_id}/preview", conv_id=conv_id)

    assert preview.body == {"content": text}


@pytest.mark.parametrize(
    "content", ["{{contact.phone}}", "{{contact.name", "contact.name}}", "{{}}", "{{ Contact.name }}", " "]
)
async def test_a_variable_that_nobody_can_fill_in_is_refused_when_it_is_saved(api: Api, content: str) -> None:
    answer = await api.call("POST", "/v1/canned-replies", {"shortcut": "hello", "content": content})

    assert (answer.status, answer.body["field"]) == (422, "content")


async def test_a_customer_s_name_is_never_read_as_a_template(
    services: Services, api: Api, acme: Tenant
) -> None:
    conv_id = await a_conversation(services, acme, profile_name="{{owner.name}} {{contact.name}}")
    canned_reply_id = await a_reply(api, "{{contact.name}}")

    preview = await api.call("GET", f"/v1/canned-replies/{canned_reply_id}/preview", conv_id=conv_id)

    assert preview.body == {"content": "{{owner.name}} {{contact.name}}"}


async def test_a_reply_that_grows_too_long_is_refused_and_sends_nothing(
    services: Services, api: Api, acme: Tenant
) -> None:
    conv_id = await a_conversation(services, acme, profile_name="Ana" * 100)
    canned_reply_id = await a_reply(api, "{{contact.name}}" * 20)

    answer = await api.call(
        "POST", f"/v1/conversations/{conv_id}/messages", {"canned_reply_id": canned_reply_id}
    )

    assert (answer.status, answer.body["field"]) == (422, "canned_reply_id")
    messages = await api.call("GET", f"/v1/conversations/{conv_id}/messages")
    assert len(messages.body["items"]) == 1


async def test_a_canned_reply_cannot_take_the_shortcut_of_another(api: Api) -> None:
    await a_reply(api, "Olá")
    other = await a_reply(api, "Tchau", shortcut="bye")

    answer = await api.call("PATCH", f"/v1/canned-replies/{other}", {"shortcut": "hello"})

    assert (answer.status, answer.body["code"]) == (409, "already_exists")


async def test_a_canned_reply_is_changed_and_deleted(api: Api) -> None:
    canned_reply_id = await a_reply(api, "Oi")
    path = f"/v1/canned-replies/{canned_reply_id}"

    changed = await api.call("PATCH", path, {"content": "Olá"})
    shown = await api.call("GET", path)
    deleted = await api.call("DELETE", path)
    gone = await api.call("GET", path)

    assert shown.body == changed.body
    assert (shown.body["shortcut"], shown.body["content"]) == ("hello", "Olá")
    assert (deleted.status, gone.status) == (204, 404)


async def test_a_conversation_is_shown_with_its_labels_and_what_the_reader_has_not_read(
    services: Services, api: Api, acme: Tenant
) -> None:
    first, second = await a_conversation(services, acme), await a_conversation(services, acme)
    await api.call("PUT", f"/v1/conversations/{first}/labels/{await a_label(api)}")
    await api.call("POST", f"/v1/conversations/{second}/read")

    listed = await api.call("GET", "/v1/conversations", sort="oldest")
    single = await api.call("GET", f"/v1/conversations/{first}")

    shown = [
        ([label["name"] for label in one["labels"]], one["unread_count"]) for one in listed.body["items"]
    ]
    assert shown == [(["vip"], 1), ([], 0)]
    assert single.body == listed.body["items"][0]


async def test_conversations_are_found_by_all_the_labels_that_are_named(
    services: Services, api: Api, acme: Tenant
) -> None:
    both, one = await a_conversation(services, acme), await a_conversation(services, acme)
    vip, late = await a_label(api), await a_label(api, "late")
    for conv_id, label_id in ((both, vip), (both, late), (one, vip)):
        await api.call("PUT", f"/v1/conversations/{conv_id}/labels/{label_id}")

    found = {
        query: [
            item["conv_id"]
            for item in (await api.call("GET", f"/v1/conversations?sort=oldest&{query}")).body["items"]
        ]
        for query in ("label=vip", "label=vip&label=late", "label=nobody")
    }

    assert found == {"label=vip": [both, one], "label=vip&label=late": [both], "label=nobody": []}


async def test_many_are_labelled_and_read_at_once(services: Services, api: Api, acme: Tenant) -> None:
    conv_ids = [await a_conversation(services, acme) for _ in range(2)]
    label_id = await a_label(api)

    labelled = await api.call(
        "POST",
        "/v1/conversations/bulk",
        {"action": "LABEL", "conv_ids": [*conv_ids, MISSING], "label_id": label_id},
    )
    await api.call("POST", "/v1/conversations/bulk", {"action": "READ", "conv_ids": conv_ids})
    shown = await api.call("GET", "/v1/conversations", label="vip")
    await api.call(
        "POST", "/v1/conversations/bulk", {"action": "UNLABEL", "conv_ids": conv_ids, "label_id": label_id}
    )
    after = await api.call("GET", "/v1/conversations", label="vip")

    assert [result["is_done"] for result in labelled.body["results"]] == [True, True, False]
    assert {item["unread_count"] for item in shown.body["items"]} == {0}
    assert (len(shown.body["items"]), after.body["items"]) == (2, [])
