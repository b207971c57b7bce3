"""Outbound webhooks: each event reaches each endpoint that wants it, whatever breaks on the way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from conftest import TurnableClock
from consuming import Consumer, consuming
from databases import new_database, url_of
from factories import Tenant, make_inbound, make_tenant, some_number
from fakes import FakeGateway
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.models.errors import TooManyWebhookEndpoints, WebhookEndpointDisabled, WebhookUrlForbidden
from owner.models.event import SYSTEM
from owner.models.message import Attachment
from owner.models.webhook_delivery import (
    CLAIM,
    SCHEDULE,
    AttemptError,
    WebhookDeliveryStatus,
    WebhookReplay,
)
from owner.models.webhook_endpoint import (
    AT_ONCE,
    FAILING_FOR,
    MAXIMUM_ENDPOINTS,
    DisabledReason,
    WebhookEndpoint,
    WebhookEndpointUpdate,
)
from owner.repositories.webhook_deliveries import DeliveryFilter, listing
from owner.services.catalog import Services
from owner.services.ports import FetchedMedia
from owner.services.secrets_box import FernetBox, new_secret_key
from owner.services.webhook_courier import OWNER_AT_ONCE
from reading import rows
from telling import an_endpoint, deliver, deliveries_of, fan_out, happens, tell, wired_for_consumers

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
async def services(database: Database, clock: TurnableClock, gateway: FakeGateway) -> AsyncIterator[Services]:
    """All use cases, which may call consumers on this machine."""
    wired = wired_for_consumers(database, clock, gateway)
    yield wired
    await wired.webhook_courier.aclose()


@pytest.fixture
async def consumer() -> AsyncIterator[Consumer]:
    async with consuming() as running:
        yield running


async def reload(services: Services, endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return await services.webhook_endpoints.get(endpoint.owner_id, endpoint.endpoint_id)


async def event_types(services: Services, tenant: Tenant) -> list[str]:
    found = await rows(
        services, tenant, "SELECT type FROM events WHERE type LIKE 'webhook.%' ORDER BY event_id"
    )
    return [row["type"] for row in found]


def update(**changes: Any) -> WebhookEndpointUpdate:
    return WebhookEndpointUpdate.model_validate(changes)


async def test_a_customers_message_is_told_signed_and_without_its_text(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    endpoint, secret = await an_endpoint(services, acme, consumer.url)
    receipt = await services.inbound.receive(
        make_inbound(acme, "Meu segredo", customer=some_number()),
        owner=acme.owner,
        twilio_account_id=acme.account.twilio_account_id,
    )

    await tell(services, acme, endpoint)

    told = {delivered.type: delivered for delivered in consumer.received}
    assert told.keys() == {"conversation.opened", "message.received"}
    message = told["message.received"]
    verified = Webhook(secret).verify(message.body, message.headers)
    assert (verified["data"]["conv_id"], verified["data"]["msg_id"]) == (receipt.conv_id, receipt.msg_id)
    assert verified["data"]["owner_id"] == acme.owner_id
    assert verified["data"]["actor_kind"] == "CUSTOMER"
    assert verified["timestamp"].endswith("Z")
    assert message.headers["content-type"] == "application/json"
    assert all("segredo" not in delivered.body for delivered in consumer.received)


async def test_a_customers_file_is_told_after_its_message_and_without_its_address(
    services: Services, acme: Tenant, gateway: FakeGateway, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url, "message.received", "media.*")
    url = "https://api.twilio.com/segredo"
    gateway.media[url] = FetchedMedia(b"%PDF-1.7", "application/pdf")
    receipt = await services.inbound.receive(
        make_inbound(
            acme, customer=some_number(), attachments=[Attachment(url=url, content_type="application/pdf")]
        ),
        owner=acme.owner,
        twilio_account_id=acme.account.twilio_account_id,
    )
    [file] = await rows(services, acme, "SELECT media_id FROM media")

    await tell(services, acme, endpoint)
    await services.media.fetch(acme.owner_id, file["media_id"])
    await tell(services, acme, endpoint)

    assert [(told.type, told.sequence) for told in consumer.received] == [
        ("message.received", 1),
        ("media.stored", 2),
    ]
    told = consumer.received[-1].content["data"]
    assert (told["conv_id"], told["msg_id"]) == (receipt.conv_id, receipt.msg_id)
    assert told["data"] == {"media_id": file["media_id"], "content_type": "application/pdf", "size": 8}
    assert "segredo" not in consumer.received[-1].body


async def test_a_consumer_that_was_down_for_hours_gets_each_event_once_with_the_id_it_always_had(
    services: Services, acme: Tenant, clock: TurnableClock, consumer: Consumer
) -> None:
    clock.turn(hours=-6)  # so that it is now when the consumer is back, and the package verifies times too
    endpoint, secret = await an_endpoint(services, acme, consumer.url)
    consumer.status = 503
    first_ids: dict[int, str] = {}
    for conv_id in range(1, 6):
        await happens(services, acme, *["message.received"] * 4, conv_id=conv_id)
    await fan_out(services, acme)
    for hours in (0, 1, 2, 2):
        clock.turn(hours=hours)
        await happens(services, acme, "message.sent", conv_id=7)
        await tell(services, acme, endpoint)
    for refused in consumer.received:
        event_id = refused.content["data"]["event_id"]
        assert first_ids.setdefault(event_id, refused.id) == refused.id
    consumer.received.clear()

    consumer.status = 200
    clock.turn(hours=1)
    await deliver(services, endpoint)
    while any(delivery.next_attempt_at for delivery in await deliveries_of(services, acme)):
        clock.turn(hours=6)
        await deliver(services, endpoint)

    assert len(consumer.received) == len(set(consumer.ids)) == 24
    assert {
        delivered.content["data"]["event_id"]: delivered.id for delivered in consumer.received
    } == first_ids
    assert all(delivered.is_signed_by(secret) for delivered in consumer.received)
    assert {delivery.status for delivery in await deliveries_of(services, acme)} == {"DELIVERED"}
    in_time = [
        d
        for d in consumer.received
        if d.headers["webhook-timestamp"] == consumer.received[0].headers["webhook-timestamp"]
    ]
    assert in_time
    Webhook(secret).verify(in_time[0].body, in_time[0].headers)


async def test_attempts_are_made_when_the_schedule_says_and_not_a_second_sooner(
    services: Services, acme: Tenant, clock: TurnableClock, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    clock.frozen_at = services.webhook_courier.clock.now()
    consumer.status = 500
    await happens(services, acme, "message.received")
    await tell(services, acme, endpoint)

    for attempt, wait in enumerate(SCHEDULE[1:], start=1):
        clock.turn(seconds=wait.total_seconds() - 1)
        await deliver(services, endpoint)
        assert len(consumer.received) == attempt
        clock.turn(seconds=1)
        await deliver(services, endpoint)
        assert len(consumer.received) == attempt + 1

    clock.turn(days=10)
    await deliver(services, endpoint)
    [delivery] = await deliveries_of(services, acme)
    assert (delivery.status, delivery.attempts, len(consumer.received)) == ("FAILED", 10, 10)
    assert len(set(consumer.ids)) == len({delivered.body for delivered in consumer.received}) == 1
    assert [attempt.status for attempt in delivery.attempt_log] == [500] * 10
    assert delivery.attempt_log[0].response_body == "ok"


async def test_sequences_count_per_endpoint_and_conversation_without_a_hole(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    everything, _ = await an_endpoint(services, acme, consumer.url, "*")
    async with consuming() as other:
        received_only, _ = await an_endpoint(services, acme, other.url, "message.received")
        for _ in range(3):
            await happens(services, acme, "message.received", "message.sent", conv_id=1)
            await happens(services, acme, "message.received", conv_id=2)
            await fan_out(services, acme)
        await deliver(services, everything)
        await deliver(services, received_only)

        def sequences(of: Consumer, conv_id: int) -> list[int | None]:
            return [delivered.sequence for delivered in of.received if delivered.conversation == conv_id]

        assert sequences(consumer, 1) == [1, 2, 3, 4, 5, 6]
        assert sequences(consumer, 2) == [1, 2, 3]
        assert sequences(other, 1) == [1, 2, 3]
        assert all(
            delivered.sequence is None for delivered in consumer.received if delivered.conversation is None
        )


async def test_within_a_conversation_deliveries_go_one_by_one_and_between_conversations_at_once(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    consumer.lets_go.clear()
    for conv_id in (1, 2, 3):
        await happens(services, acme, *["message.received"] * 5, conv_id=conv_id)
    await fan_out(services, acme)

    delivering = asyncio.create_task(deliver(services, endpoint))
    await consumer.is_called(3)
    await asyncio.sleep(0.1)  # time for a fourth, which must not come
    on_their_way = [delivered.conversation for delivered in consumer.received]
    consumer.lets_go.set()
    await delivering

    assert sorted(on_their_way, key=str) == [1, 2, 3]
    for conv_id in (1, 2, 3):
        order = [d.sequence for d in consumer.received if d.conversation == conv_id]
        assert order == [1, 2, 3, 4, 5]


async def test_an_event_that_waits_for_its_next_attempt_holds_up_no_later_one(
    services: Services, acme: Tenant, clock: TurnableClock, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    consumer.status = 500
    await happens(services, acme, "message.received", conv_id=1)
    await tell(services, acme, endpoint)
    consumer.status = 200
    await happens(services, acme, "message.sent", conv_id=1)
    await tell(services, acme, endpoint)
    clock.turn(minutes=6)
    await deliver(services, endpoint)

    assert [delivered.sequence for delivered in consumer.received] == [1, 2, 1]


async def test_a_new_endpoint_is_told_only_of_what_happens_after_it_was_made(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    await happens(services, acme, "message.received")
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    await happens(services, acme, "message.sent")

    await tell(services, acme, endpoint)

    assert consumer.types == ["message.sent"]


async def test_a_crash_after_the_request_sends_it_again_with_the_same_id(
    services: Services, acme: Tenant, clock: TurnableClock, consumer: Consumer
) -> None:
    endpoint, secret = await an_endpoint(services, acme, consumer.url)
    await happens(services, acme, "message.received", "message.read", conv_id=1)
    await fan_out(services, acme)
    consumer.lets_go.clear()
    crashing = asyncio.create_task(deliver(services, endpoint))
    await consumer.is_called()
    await services.webhook_courier.aclose()  # the worker is gone before it can write down the answer
    with pytest.raises(asyncio.CancelledError):
        await crashing
    consumer.lets_go.set()

    await deliver(services, endpoint)
    too_early = len(consumer.received)
    clock.turn(seconds=CLAIM.total_seconds())
    await deliver(services, endpoint)

    assert too_early == 1  # somebody may still have it in hand
    assert [delivered.sequence for delivered in consumer.received] == [1, 1, 2]
    assert consumer.ids[0] == consumer.ids[1]
    assert all(delivered.is_signed_by(secret) for delivered in consumer.received)


async def test_an_answer_that_comes_after_the_claim_ran_out_counts_for_nothing(
    services: Services, acme: Tenant, clock: TurnableClock, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    await happens(services, acme, "message.received")
    await fan_out(services, acme)
    consumer.lets_go.clear()
    consumer.status = 500
    slow = asyncio.create_task(deliver(services, endpoint))
    await consumer.is_called()
    clock.turn(seconds=CLAIM.total_seconds())
    quick = asyncio.create_task(deliver(services, endpoint))
    await consumer.is_called()
    consumer.lets_go.set()
    await asyncio.gather(slow, quick)

    [delivery] = await deliveries_of(services, acme)
    assert delivery.attempts == 1


async def test_workers_that_deliver_at_once_send_nothing_twice(
    services: Services, acme: Tenant, consumer: Consumer, database: Database, clock: TurnableClock
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    for conv_id in range(10):
        await happens(services, acme, *["message.received"] * 3, conv_id=conv_id + 1)
    await fan_out(services, acme)
    box = services.webhook_endpoints.secrets_box
    assert isinstance(box, FernetBox)
    others = [wired_for_consumers(database, clock, FakeGateway(), box) for _ in range(2)]

    await asyncio.gather(*(deliver(worker, endpoint) for worker in (services, *others)))
    await deliver(services, endpoint)

    for other in others:
        await other.webhook_courier.aclose()
    assert len(consumer.received) == len(set(consumer.ids)) == 30
    assert consumer.most_at_once <= AT_ONCE
    for conv_id in range(1, 11):
        order = [d.sequence for d in consumer.received if d.conversation == conv_id]
        assert order == [1, 2, 3]


async def test_a_slow_consumer_of_one_owner_holds_up_nobody_elses(
    services: Services, acme: Tenant, globex: Tenant, consumer: Consumer
) -> None:
    async with consuming() as slow:
        slow.lets_go.clear()
        slow_one, _ = await an_endpoint(services, acme, slow.url)
        quick_one, _ = await an_endpoint(services, globex, consumer.url)
        for conv_id in range(1, 50):
            await happens(services, acme, "message.received", conv_id=conv_id)
        await fan_out(services, acme)
        waiting = asyncio.create_task(deliver(services, slow_one))
        await slow.is_called(AT_ONCE)

        await happens(services, globex, "message.received", "message.sent", conv_id=1)
        await tell(services, globex, quick_one)

        assert consumer.types == ["message.received", "message.sent"]
        assert len(slow.received) == slow.most_at_once == AT_ONCE
        slow.lets_go.set()
        await waiting
        assert len(slow.received) == 49


async def test_one_owner_has_only_so_many_requests_open_whatever_their_endpoints(
    services: Services, acme: Tenant
) -> None:
    async with consuming() as slow:
        slow.lets_go.clear()
        endpoints = [(await an_endpoint(services, acme, slow.url))[0] for _ in range(6)]
        for conv_id in range(1, 7):
            await happens(services, acme, "message.received", conv_id=conv_id)
        await fan_out(services, acme)

        waiting = [asyncio.create_task(deliver(services, endpoint)) for endpoint in endpoints]
        await slow.is_called(OWNER_AT_ONCE)
        await asyncio.sleep(0.1)  # time for one more, which must not come
        most = slow.at_once
        slow.lets_go.set()
        await asyncio.gather(*waiting)
        for endpoint in endpoints:
            await deliver(services, endpoint)

        assert most == OWNER_AT_ONCE
        assert len(slow.received) == len(set(slow.ids)) == 36


async def test_during_a_rotation_both_secrets_verify_and_afterwards_the_new_one_only(
    services: Services, acme: Tenant, clock: TurnableClock, consumer: Consumer
) -> None:
    endpoint, former = await an_endpoint(services, acme, consumer.url)
    _, secret = await services.webhook_endpoints.rotate_secret(
        acme.owner_id, endpoint.endpoint_id, former_signs_for=timedelta(hours=24), by=SYSTEM
    )
    await happens(services, acme, "message.received")
    await tell(services, acme, endpoint)
    clock.turn(hours=24)
    await happens(services, acme, "message.sent")
    await tell(services, acme, endpoint)

    during, after = consumer.received
    assert len(during.headers["webhook-signature"].split(" ")) == 2
    for valid in (former, secret):
        Webhook(valid).verify(during.body, during.headers)
    assert (after.is_signed_by(secret), after.is_signed_by(former)) == (True, False)


async def test_an_encryption_key_can_be_replaced(
    database: Database, clock: TurnableClock, consumer: Consumer
) -> None:
    old, new = new_secret_key(), new_secret_key()
    both = wired_for_consumers(database, clock, FakeGateway(), FernetBox([new, old]))
    only_old = wired_for_consumers(database, clock, FakeGateway(), FernetBox([old]))
    acme = await make_tenant(only_old)
    endpoint, former = await an_endpoint(only_old, acme, consumer.url)
    _, secret = await only_old.webhook_endpoints.rotate_secret(
        acme.owner_id, endpoint.endpoint_id, former_signs_for=timedelta(hours=1), by=SYSTEM
    )

    await both.secret_rotation.rotate_of(acme.owner_id)

    stored = await reload(both, endpoint)
    box = FernetBox([new])
    assert [box.decrypt(token) for token in stored.encrypted_secrets(now=clock.now())] == [secret, former]


async def test_410_unsubscribes_and_an_unsubscribed_endpoint_collects_nothing(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    consumer.status = 410
    await happens(services, acme, "message.received")
    await tell(services, acme, endpoint)
    await happens(services, acme, "message.sent")
    await tell(services, acme, endpoint)

    stored = await reload(services, endpoint)
    assert (stored.is_enabled, stored.disabled_reason) == (False, DisabledReason.GONE)
    assert consumer.types == ["message.received"]
    assert [delivery.last_error for delivery in await deliveries_of(services, acme)] == [AttemptError.GONE]
    assert await event_types(services, acme) == ["webhook.created", "webhook.disabled"]


async def test_after_five_days_of_failure_an_endpoint_is_disabled_told_to_others_and_gets_all_once_enabled(
    services: Services, acme: Tenant, clock: TurnableClock, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    async with consuming() as watching:
        watcher, _ = await an_endpoint(services, acme, watching.url, "webhook.disabled", "webhook.enabled")
        consumer.status = 500
        await happens(services, acme, "message.received", conv_id=1)
        await tell(services, acme, endpoint)
        clock.turn(days=FAILING_FOR.days - 1)
        await happens(services, acme, "message.sent", conv_id=1)
        await tell(services, acme, endpoint)
        still_enabled = await reload(services, endpoint)
        clock.turn(days=1)
        await deliver(services, endpoint)
        disabled = await reload(services, endpoint)
        tried = len(consumer.received)
        await happens(services, acme, "message.delivered", "message.read", conv_id=1)
        await tell(services, acme, endpoint)
        await deliver(services, watcher)
        tried_after = len(consumer.received)
        consumer.received.clear()

        assert still_enabled.is_enabled
        assert still_enabled.failing_since is not None
        assert (disabled.is_enabled, disabled.disabled_reason) == (False, DisabledReason.FAILING)
        assert tried == tried_after
        assert [d.content["data"]["data"] for d in watching.received] == [
            {"endpoint_id": endpoint.endpoint_id, "reason": "FAILING"}
        ]

        consumer.status = 200
        enabled = await services.webhook_endpoints.update(
            acme.owner_id, endpoint.endpoint_id, update(is_enabled=True), by=SYSTEM
        )
        await tell(services, acme, endpoint)
        await deliver(services, watcher)

        assert (enabled.is_enabled, enabled.failing_since, enabled.disabled_reason) == (True, None, None)
        assert [delivered.sequence for delivered in consumer.received] == [1, 2, 3, 4]
        assert watching.types == ["webhook.disabled", "webhook.enabled"]


async def test_a_paused_endpoint_gets_what_it_missed_when_it_goes_on(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    for is_enabled in (False, True):
        await services.webhook_endpoints.update(
            acme.owner_id, endpoint.endpoint_id, update(is_enabled=is_enabled), by=SYSTEM
        )
        await happens(services, acme, "message.received", "message.sent", conv_id=1)
        await tell(services, acme, endpoint)
        if not is_enabled:
            assert consumer.received == []

    assert [delivered.sequence for delivered in consumer.received] == [1, 2, 3, 4]
    assert await event_types(services, acme) == ["webhook.created", "webhook.disabled", "webhook.enabled"]


async def test_a_429_is_waited_for_as_long_as_it_asks(
    services: Services, acme: Tenant, clock: TurnableClock, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    consumer.status, consumer.headers = 429, {"retry-after": "600"}
    await happens(services, acme, "message.received")
    await tell(services, acme, endpoint)
    consumer.status = 200

    clock.turn(seconds=590)
    await deliver(services, endpoint)
    too_early = len(consumer.received)
    clock.turn(seconds=15)
    await deliver(services, endpoint)

    assert (too_early, len(consumer.received)) == (1, 2)


async def test_a_url_that_leads_into_our_network_is_refused_at_once_and_a_name_when_it_is_connected_to(
    services: Services, acme: Tenant
) -> None:
    with pytest.raises(WebhookUrlForbidden):
        await an_endpoint(services, acme, "http://169.254.169.254/latest/meta-data/")
    endpoint, _ = await an_endpoint(services, acme, "https://hooks.example.com/")
    with pytest.raises(WebhookUrlForbidden):
        await services.webhook_endpoints.update(
            acme.owner_id, endpoint.endpoint_id, update(url="http://[::ffff:10.0.0.1]/"), by=SYSTEM
        )

    # As if it had been allowed while it was registered: what counts is the connection.
    await rows(services, acme, "UPDATE webhook_endpoints SET url = 'http://10.0.0.1/' RETURNING 1")
    await happens(services, acme, "message.received")
    await tell(services, acme, endpoint)

    [delivery] = await deliveries_of(services, acme)
    assert (delivery.last_error, delivery.last_status) == (AttemptError.FORBIDDEN_ADDRESS, None)


async def test_a_test_goes_to_one_endpoint_only_whatever_its_types(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    async with consuming() as other:
        tested, secret = await an_endpoint(services, acme, consumer.url, "contact.created")
        untested, _ = await an_endpoint(services, acme, other.url, "webhook.*")

        delivery = await services.webhook_endpoints.test(acme.owner_id, tested.endpoint_id, by=SYSTEM)
        await tell(services, acme, tested)
        await deliver(services, untested)

        assert consumer.ids == [delivery.webhook_id]
        assert consumer.types == ["webhook.test"]
        Webhook(secret).verify(consumer.received[0].body, consumer.received[0].headers)
        assert "webhook.test" not in other.types


async def test_one_delivery_can_be_replayed_with_the_id_that_it_had(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    await happens(services, acme, "message.received")
    await tell(services, acme, endpoint)
    [delivery] = await deliveries_of(services, acme)

    await services.webhook_deliveries.replay(acme.owner_id, delivery.delivery_id, by=SYSTEM)
    await deliver(services, endpoint)

    assert consumer.ids == [delivery.webhook_id] * 2
    assert len({delivered.body for delivered in consumer.received}) == 1
    [after] = await deliveries_of(services, acme)
    assert (after.status, after.attempts, len(after.attempt_log)) == ("DELIVERED", 1, 2)


async def test_a_range_can_be_replayed_in_order_and_with_the_ids_that_it_had(
    services: Services, acme: Tenant, clock: TurnableClock, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    await happens(services, acme, "message.received", "message.sent", conv_id=1)
    await tell(services, acme, endpoint)
    between = clock.now()
    await happens(services, acme, "message.received", conv_id=2)
    consumer.status = 400
    await tell(services, acme, endpoint)
    for wait in SCHEDULE[1:]:
        clock.turn(seconds=wait.total_seconds())
        await deliver(services, endpoint)
    ids = list(dict.fromkeys(consumer.ids))
    consumer.received.clear()
    consumer.status = 200

    async def replay(**wanted: Any) -> int:
        answer = await services.webhook_deliveries.replay_range(
            acme.owner_id, endpoint.endpoint_id, WebhookReplay(**wanted), by=SYSTEM
        )
        await deliver(services, endpoint)
        return answer.replayed

    day_before = between - timedelta(days=1)
    failed_only = await replay(since=day_before, only_failed=True)
    first_two = await replay(since=day_before, until=between)

    assert (failed_only, first_two) == (1, 2)
    assert consumer.ids == [ids[2], ids[0], ids[1]]
    assert await replay(since=between + timedelta(days=1)) == 0


async def test_a_disabled_endpoint_refuses_tests_and_replays(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    await happens(services, acme, "message.received")
    await tell(services, acme, endpoint)
    [delivery] = await deliveries_of(services, acme)
    await services.webhook_endpoints.update(
        acme.owner_id, endpoint.endpoint_id, update(is_enabled=False), by=SYSTEM
    )

    with pytest.raises(WebhookEndpointDisabled):
        await services.webhook_endpoints.test(acme.owner_id, endpoint.endpoint_id, by=SYSTEM)
    with pytest.raises(WebhookEndpointDisabled):
        await services.webhook_deliveries.replay(acme.owner_id, delivery.delivery_id, by=SYSTEM)
    with pytest.raises(WebhookEndpointDisabled):
        await services.webhook_deliveries.replay_range(
            acme.owner_id, endpoint.endpoint_id, WebhookReplay(since=delivery.created_at), by=SYSTEM
        )


async def test_deleting_an_endpoint_takes_its_log_along_and_stops_what_waits(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    endpoint, _ = await an_endpoint(services, acme, consumer.url)
    await happens(services, acme, "message.received", conv_id=1)
    await fan_out(services, acme)

    await services.webhook_endpoints.delete(acme.owner_id, endpoint.endpoint_id, by=SYSTEM)
    await tell(services, acme, endpoint)

    assert consumer.received == []
    for table in ("webhook_endpoints", "webhook_deliveries", "webhook_sequences"):
        assert await rows(services, acme, f"SELECT * FROM {table}") == []
    assert (await event_types(services, acme))[-1] == "webhook.deleted"


async def test_an_owner_can_not_have_more_endpoints_than_fifty_even_if_they_are_made_at_once(
    services: Services, acme: Tenant
) -> None:
    for _ in range(MAXIMUM_ENDPOINTS - 1):
        await an_endpoint(services, acme, "https://hooks.example.com/")

    results = await asyncio.gather(
        *(an_endpoint(services, acme, "https://hooks.example.com/") for _ in range(4)), return_exceptions=True
    )

    assert sum(isinstance(result, TooManyWebhookEndpoints) for result in results) == 3


async def test_the_secret_is_stored_encrypted_only(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    endpoint, secret = await an_endpoint(services, acme, consumer.url)
    await happens(services, acme, "message.received")
    await tell(services, acme, endpoint)

    for table in ("webhook_endpoints", "webhook_deliveries", "events"):
        stored = str(await rows(services, acme, f"SELECT * FROM {table}"))
        assert secret not in stored
        assert secret.removeprefix("whsec_") not in stored


async def test_the_worker_finds_what_is_due_by_itself(
    services: Services, acme: Tenant, consumer: Consumer
) -> None:
    await an_endpoint(services, acme, consumer.url)
    await happens(services, acme, "message.received", "message.sent", conv_id=1)
    await fan_out(services, acme)
    stop = asyncio.Event()

    working = asyncio.create_task(services.webhook_courier.run(stop))
    await consumer.is_called(2)
    stop.set()
    await working

    assert consumer.types == ["message.received", "message.sent"]


@pytest.mark.parametrize(
    ("wanted", "condition"),
    [
        (DeliveryFilter(), "owner_id ="),
        (DeliveryFilter(endpoint_id=1), "endpoint_id ="),
        (DeliveryFilter(conv_id=1), "conv_id ="),
        (DeliveryFilter(event_type="message.received"), "event_type ="),
        (DeliveryFilter(status=WebhookDeliveryStatus.FAILED), "status ="),
        (DeliveryFilter(status=WebhookDeliveryStatus.PENDING), "status ="),
        (DeliveryFilter(since=NOW), "created_at >="),
        (DeliveryFilter(until=NOW), "created_at <"),
    ],
)
@pytest.mark.parametrize("position", [None, (NOW, 7)], ids=["first page", "next page"])
async def test_each_page_of_the_log_is_read_from_an_index_in_its_order(
    untouched: Database,
    wanted: DeliveryFilter,
    condition: str,
    position: tuple[datetime, int] | None,
) -> None:
    sql, values = listing(wanted, size=50, position=position)

    plan = await explain(untouched, sql, *values)

    conditions = [line for line in plan if "Index Cond" in line]
    assert conditions
    assert all(condition in line for line in conditions)
    assert position is None or all("ROW(created_at, delivery_id)" in line for line in conditions)
    assert not any(line.strip().startswith(("Sort", "->  Sort")) and "Key" not in line for line in plan)


@pytest.fixture(scope="module")
async def untouched(server: EmbeddedServer, template: str, worker_id: str) -> AsyncIterator[Database]:
    """A database without a row: what other tests left behind may have been counted, and then plans differ."""
    with new_database(server, f"untouched_{worker_id}", template=template) as name:
        database = await Database.connect(url_of(server, name), pool_size=1)
        yield database
        await database.close()


async def explain(database: Database, sql: str, *values: object) -> list[str]:
    """The plan as the application's role gets it, where a table is too large to be read as a whole."""
    async with database.owner(1) as connection:
        for choice in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
            await connection.execute(f"SET LOCAL {choice} = off")
        return [row[0] for row in await connection.fetch(f"EXPLAIN {sql}", *values)]
