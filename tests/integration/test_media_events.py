"""What became of a customer's file is told, once and with the same fate as the file."""

import asyncio
from datetime import timedelta
from typing import Any, Final

import pytest

from calling import calling
from conftest import TurnableClock
from factories import Tenant, make_inbound, some_number, some_sid
from fakes import FakeGateway
from owner.models.attachment import Upload
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.models.event import SYSTEM
from owner.models.media import AWAY_FOR, QUICK_ATTEMPTS, SPREADS_FOR
from owner.models.message import Attachment, MessageCreate
from owner.services.catalog import Services
from owner.services.ports import FetchedMedia, MediaStore
from reading import event_types, events_of, rows, settled
from working import a_program

PICTURE: Final = b"\x89PNG\r\n\x1a\n"
KINDS: Final = ("media.stored", "media.failed")


class Killed(BaseException):
    """Nothing handles it, as nothing handles the end of a process."""


class KilledAfterKeeping:
    """Keeps one file, and ends before anything else can be done."""

    def __init__(self, store: MediaStore) -> None:
        self.store = store

    async def put(self, key: str, content: bytes) -> None:
        await self.store.put(key, content)
        raise Killed

    async def get(self, key: str) -> bytes | None:
        return await self.store.get(key)

    async def delete(self, key: str) -> None:
        await self.store.delete(key)


async def a_file(
    services: Services, tenant: Tenant, gateway: FakeGateway, answer: FetchedMedia | Exception
) -> tuple[int, int]:
    """A customer's picture that nobody has fetched yet, and what the provider says to who asks for it."""
    url = f"https://api.twilio.com/{some_sid('ME')}"
    gateway.media[url] = answer
    receipt = await services.inbound.receive(
        make_inbound(
            tenant, customer=some_number(), attachments=[Attachment(url=url, content_type="image/jpeg")]
        ),
        owner=tenant.owner,
        twilio_account_id=tenant.account.twilio_account_id,
    )
    [file] = await rows(services, tenant, "SELECT media_id FROM media WHERE msg_id = $1", receipt.msg_id)
    return receipt.conv_id or 0, file["media_id"]


async def told_of(services: Services, tenant: Tenant, conv_id: int) -> list[dict[str, Any]]:
    """What was told of files of a conversation."""
    events = await events_of(services, tenant, conv_id)
    return [{"type": event.type, **event.data} for event in events if event.type in KINDS]


async def test_a_file_is_told_of_when_it_is_here(
    services: Services, acme: Tenant, gateway: FakeGateway
) -> None:
    conv_id, media_id = await a_file(services, acme, gateway, FetchedMedia(PICTURE, "image/png"))

    await services.media.fetch(acme.owner_id, media_id)

    [message] = await rows(services, acme, "SELECT msg_id FROM messages")
    event = (await events_of(services, acme, conv_id))[-1]
    assert (event.type, event.actor_kind, event.msg_id) == ("media.stored", "SYSTEM", message["msg_id"])
    assert event.data == {"media_id": media_id, "content_type": "image/png", "size": len(PICTURE)}


async def test_a_file_that_is_fetched_twice_is_told_of_once(
    services: Services, acme: Tenant, gateway: FakeGateway
) -> None:
    conv_id, media_id = await a_file(services, acme, gateway, FetchedMedia(PICTURE, "image/png"))

    await asyncio.gather(*[services.media.fetch(acme.owner_id, media_id) for _ in range(3)])
    await services.media.fetch(acme.owner_id, media_id)

    assert (await event_types(services, acme, conv_id)).count("media.stored") == 1


async def test_a_file_that_is_refused_for_good_is_told_of_once(
    services: Services, acme: Tenant, gateway: FakeGateway
) -> None:
    problem = ProviderError("The file is too large.", kind=ProviderProblem.PERMANENT)
    conv_id, media_id = await a_file(services, acme, gateway, problem)

    for _ in range(2):
        await services.media.fetch(acme.owner_id, media_id)

    assert await told_of(services, acme, conv_id) == [
        {"type": "media.failed", "media_id": media_id, "attempts": 1}
    ]


@pytest.mark.parametrize(
    ("problem", "patience"),
    [
        (ProviderError("Not there.", kind=ProviderProblem.RETRY, http_status=404), SPREADS_FOR),
        (ProviderError("Wrong token.", kind=ProviderProblem.CREDENTIALS, http_status=401), AWAY_FOR),
        (OutcomeUnknown(), AWAY_FOR),
    ],
    ids=["not there", "wrong token", "no answer"],
)
async def test_a_file_is_waited_for_as_long_as_it_may_come_and_then_told_of_once(
    services: Services,
    acme: Tenant,
    gateway: FakeGateway,
    clock: TurnableClock,
    *,
    problem: Exception,
    patience: timedelta,
) -> None:
    conv_id, media_id = await a_file(services, acme, gateway, problem)

    for _ in range(QUICK_ATTEMPTS - 1):
        with pytest.raises(type(problem)):
            await services.media.fetch(acme.owner_id, media_id)
    clock.turn(seconds=patience.total_seconds() - 60)
    await services.media.fetch(acme.owner_id, media_id)  # and asks nobody to come again within seconds
    before = await told_of(services, acme, conv_id)
    clock.turn(seconds=120)
    for _ in range(2):
        await services.media.fetch(acme.owner_id, media_id)

    assert before == []
    assert await told_of(services, acme, conv_id) == [
        {"type": "media.failed", "media_id": media_id, "attempts": QUICK_ATTEMPTS + 1}
    ]


async def test_a_file_comes_after_twilio_was_away_for_hours(
    services: Services, acme: Tenant, gateway: FakeGateway, clock: TurnableClock
) -> None:
    conv_id, media_id = await a_file(services, acme, gateway, OutcomeUnknown())
    for _ in range(QUICK_ATTEMPTS - 1):
        with pytest.raises(OutcomeUnknown):
            await services.media.fetch(acme.owner_id, media_id)
    for _ in range(3):
        clock.turn(hours=1)
        await services.media.fetch(acme.owner_id, media_id)
    gateway.media = dict.fromkeys(gateway.media, FetchedMedia(PICTURE, "image/png"))

    clock.turn(minutes=2)
    found = await services.outbox_sweep.sweep()
    await services.media.fetch(acme.owner_id, media_id)

    assert found >= 1
    assert [told["type"] for told in await told_of(services, acme, conv_id)] == ["media.stored"]


async def test_a_process_that_is_killed_between_bytes_and_commit_has_told_nothing_and_another_tells_it_once(
    services: Services, acme: Tenant, gateway: FakeGateway, clock: TurnableClock
) -> None:
    conv_id, media_id = await a_file(services, acme, gateway, FetchedMedia(PICTURE, "image/png"))
    store = services.media.store
    services.media.store = KilledAfterKeeping(store)

    with pytest.raises(Killed):
        await services.media.fetch(acme.owner_id, media_id)
    before = await told_of(services, acme, conv_id)
    services.media.store = store
    clock.turn(minutes=10)
    found = await services.outbox_sweep.sweep()
    await services.media.fetch(acme.owner_id, media_id)

    assert before == []
    assert found >= 1
    assert [told["type"] for told in await told_of(services, acme, conv_id)] == ["media.stored"]


async def test_a_file_of_ours_is_here_when_its_message_is_told_of(services: Services, acme: Tenant) -> None:
    customer = some_number()
    receipt = await services.inbound.receive(
        make_inbound(acme, customer=customer),
        owner=acme.owner,
        twilio_account_id=acme.account.twilio_account_id,
    )
    conv_id = receipt.conv_id or 0
    create = MessageCreate(content="Segue", media_urls=services.attachments.urls_to_come(1))

    sent = await services.attachments.send_as(
        a_program(acme), conv_id, create, [Upload("a.png", "image/png", PICTURE)]
    )

    [file] = await rows(services, acme, "SELECT media_id FROM media WHERE msg_id = $1", sent.msg_id)
    assert (await services.media.open(acme.owner_id, file["media_id"])).content == PICTURE
    assert "message.queued" in await event_types(services, acme, conv_id)
    assert await told_of(services, acme, conv_id) == []


async def test_what_stays_of_a_file_after_an_erasure_is_what_it_was_and_how_large(
    services: Services, acme: Tenant, gateway: FakeGateway
) -> None:
    conv_id, media_id = await a_file(services, acme, gateway, FetchedMedia(PICTURE, "image/png"))
    await services.media.fetch(acme.owner_id, media_id)
    [contact] = await rows(services, acme, "SELECT contact_id FROM contacts")

    await services.contact_erasure.erase(acme.owner_id, contact["contact_id"], by=SYSTEM)
    await services.media.fetch(acme.owner_id, media_id)

    assert await told_of(services, acme, conv_id) == [
        {"type": "media.stored", "media_id": media_id, "content_type": "image/png", "size": len(PICTURE)}
    ]


async def test_programs_find_files_in_the_list_of_events_and_can_have_them_then(
    services: Services, acme: Tenant, globex: Tenant, gateway: FakeGateway
) -> None:
    conv_id, media_id = await a_file(services, acme, gateway, FetchedMedia(PICTURE, "image/png"))
    await settled(services.database)

    async with calling(services, acme.api_key) as api:
        early = await api.call("GET", "/v1/events", type="media.stored")
        await services.media.fetch(acme.owner_id, media_id)
        await settled(services.database)
        listed = await api.call("GET", "/v1/events", type="media.stored")
        theirs = await api.call("GET", "/v1/events", type="media.stored", key=globex.api_key)
        url = f"{api.url}/v1/media/{listed.body['items'][0]['data']['media_id']}"
        async with api.session.get(url, headers={"Authorization": f"Bearer {acme.api_key}"}) as served:
            content = await served.read()

    assert (early.body["items"], theirs.body["items"]) == ([], [])
    [event] = listed.body["items"]
    assert (event["conv_id"], event["actor_kind"]) == (conv_id, "SYSTEM")
    assert content == PICTURE
