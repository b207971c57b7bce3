"""The main job over real processes: a customer writes, is answered, says goodbye, and everything is explained."""

import base64
from datetime import timedelta
from http import HTTPStatus

import pytest

from e2e.stage import Stage, eventually
from factories import Tenant, some_number

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TEMPLATE = "HX" + 32 * "a"


@pytest.fixture(scope="module")
async def running(stage: Stage) -> Stage:
    await stage.serve()
    await stage.work()
    return stage


@pytest.fixture(scope="module")
async def acme(running: Stage) -> Tenant:
    return await running.tenant("acme")


@pytest.fixture(scope="module")
async def globex(running: Stage) -> Tenant:
    return await running.tenant("globex", idle_after=timedelta(seconds=1))


async def test_a_conversation_from_the_first_word_to_the_explained_end(running: Stage, acme: Tenant) -> None:
    ana = f"whatsapp:{some_number()}"

    conv_id = await running.write(acme, ana, "Oi! Meu pedido 1042 ainda não chegou.", profile_name="Ana")
    pending = await running.get(acme, "/v1/conversations?status=PENDING")
    msg_id = await running.send(acme, conv_id, "Oi, Ana! Saiu agora.")
    read = await running.reaches(acme, msg_id, "READ")
    answered = await running.get(acme, f"/v1/conversations/{conv_id}")
    await running.write(acme, ana, "Não, era só isso. Muito obrigada, tchau!")
    closed = await running.get(acme, f"/v1/conversations/{conv_id}")
    said = (await running.get(acme, f"/v1/conversations/{conv_id}/messages"))["items"]
    events = (await running.get(acme, f"/v1/conversations/{conv_id}/events?limit=100"))["items"]

    assert conv_id in [item["conv_id"] for item in pending["items"]]
    assert answered["status"] == "PROGRESS"
    assert closed["status"] == "USER_CLOSED"
    assert [message["direction"] for message in said] == ["INBOUND", "OUTBOUND", "INBOUND"]
    taken = await running.taken(ana)
    assert [one["message_sid"] for one in taken] == [read["provider_sid"]]
    assert {one["status_code"] for one in taken[0]["callbacks"]} == {HTTPStatus.NO_CONTENT}
    types = [event["type"] for event in events]
    assert types[0] == "conversation.opened"
    told = [name for name in types if name in {"message.sent", "message.delivered", "message.read"}]
    assert told == ["message.sent", "message.delivered", "message.read"]
    [end] = [event for event in events if event["type"] == "conversation.closed"]
    assert end["actor_kind"] == "DETECTOR"
    assert end["data"]["closure"]["confidence"] >= 0.8
    assert end["data"]["closure"]["signals"]


async def test_a_tenant_set_up_by_commands_answers_its_first_customer(running: Stage) -> None:
    bruno, ours = some_number(), some_number("+5521")

    tenant = await running.json_of(
        *["tenant", "create", "initech", "--email", "it@initech.example"],
        *["--password", "correct-horse", "--json"],
    )
    account_sid, auth_token = "AC" + 32 * "7", 32 * "8"
    account = await running.json_of(
        *["twilio", "connect", "--owner", str(tenant["owner_id"]), "--account-sid", account_sid],
        *["--auth-token", auth_token, "--number", ours, "--json"],
    )
    await running.simulator.register_account(
        account_sid, auth_token, numbers=[ours], inbound_url=account["inbound_url"]
    )
    answer = await running.simulator.write(bruno, ours, "Bom dia")
    headers = {"Authorization": f"Bearer {tenant['api_key']}"}
    async with running.session.get(f"{running.url}/v1/conversations", headers=headers) as listed:
        conversations = (await listed.json())["items"]

    assert answer["status_code"] == HTTPStatus.OK
    assert [one["status"] for one in conversations] == ["PENDING"]


@pytest.mark.parametrize("channel", ["", "whatsapp:"])
async def test_a_picture_is_fetched_and_served_to_its_owners_key_only(
    running: Stage, acme: Tenant, globex: Tenant, channel: str
) -> None:
    ana = channel + some_number()
    picture = {"content_type": "image/png", "data_base64": base64.b64encode(PNG).decode()}

    conv_id = await running.write(acme, ana, "Chegou assim", media=[picture])

    async def is_here() -> dict[str, object] | None:
        [message] = (await running.get(acme, f"/v1/conversations/{conv_id}/messages"))["items"]
        [media] = message["media"]
        return media if media["is_available"] else None

    media = await eventually(is_here, "the picture is fetched")
    url = f"{running.url}{media['url']}"
    async with running.session.get(url, headers={"Authorization": f"Bearer {acme.api_key}"}) as served:
        assert served.status == HTTPStatus.OK
        assert served.content_type == "image/png"
        assert await served.read() == PNG
    async with running.session.get(url, headers={"Authorization": f"Bearer {globex.api_key}"}) as refused:
        assert refused.status == HTTPStatus.NOT_FOUND
    async with running.session.get(url) as refused:
        assert refused.status == HTTPStatus.UNAUTHORIZED


async def test_a_template_goes_out_where_free_text_may_not(running: Stage, acme: Tenant) -> None:
    ana = f"whatsapp:{some_number()}"
    create = {"channel": "WHATSAPP", "customer_address": ana}

    status, conversation = await running.ask(acme, "POST", "/v1/conversations", create)
    path = f"/v1/conversations/{conversation['conv_id']}/messages"
    refused, problem = await running.ask(acme, "POST", path, {"content": "Oi, Ana!"})
    template = {"content_sid": TEMPLATE, "content_variables": {"1": "1042"}}
    accepted, message = await running.ask(acme, "POST", path, template)
    await running.reaches(acme, message["msg_id"], "READ")

    assert status == HTTPStatus.CREATED
    assert (refused, problem["code"]) == (HTTPStatus.CONFLICT, "reply_window_closed")
    assert accepted == HTTPStatus.ACCEPTED
    assert await running.phone(ana) == ["Seu pedido 1042 saiu."]


async def test_the_worker_ends_what_is_idle_and_what_is_over_age(running: Stage, globex: Tenant) -> None:
    initech = await running.tenant("initech", expires_after=timedelta(seconds=1))
    ana, bruno, carla = some_number(), some_number(), some_number()

    idle = await running.write(globex, ana)
    await running.send(globex, idle, "Oi! Como posso ajudar?")
    waiting = await running.write(globex, carla)
    over_age = await running.write(initech, bruno)

    async def ended() -> bool:
        first = await running.rows(globex, "SELECT status FROM conversations WHERE conv_id = $1", idle)
        second = await running.rows(initech, "SELECT status FROM conversations WHERE conv_id = $1", over_age)
        return (first[0]["status"], second[0]["status"]) == ("IDLE_TIMEOUT", "EXPIRED")

    await eventually(ended, "the schedule ends both")
    assert (await running.get(globex, f"/v1/conversations/{waiting}"))["status"] == "PENDING"
    events = (await running.get(globex, f"/v1/conversations/{idle}/events"))["items"]
    assert events[-1]["actor_kind"] == "TIMER" or "TIMER" in [event["actor_kind"] for event in events]
