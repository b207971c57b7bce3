"""Receiving what customers write."""

import asyncio

from factories import Tenant, make_inbound, some_number
from owner.models.enums import ConversationStatus
from owner.services.catalog import Services
from owner.services.inbound import Receipt


async def receive(services: Services, tenant: Tenant, content: str = "Oi", **changes: object) -> Receipt:
    inbound = make_inbound(tenant, content, **changes)  # type: ignore[arg-type]
    return await services.inbound.receive(
        inbound, owner=tenant.owner, twilio_account_id=tenant.account.twilio_account_id
    )


async def test_a_first_message_opens_a_pending_conversation(services: Services, acme: Tenant) -> None:
    receipt = await receive(services, acme, customer=some_number())

    assert receipt.status is ConversationStatus.PENDING


async def test_fifty_parallel_deliveries_of_ten_messages_are_ten_messages_in_one_conversation(
    services: Services, acme: Tenant
) -> None:
    customer = some_number()
    messages = [make_inbound(acme, f"número {number}", customer=customer) for number in range(10)] * 5

    receipts = await asyncio.gather(
        *(
            services.inbound.receive(
                message, owner=acme.owner, twilio_account_id=acme.account.twilio_account_id
            )
            for message in messages
        )
    )

    assert len({receipt.msg_id for receipt in receipts}) == 10
    assert sum(not receipt.is_duplicate for receipt in receipts) == 10
    page = await services.conversations.list_page(acme.owner_id, limit=100)
    assert len(page.items) == 1
    thread, _ = await services.messages.list_page(acme.owner_id, page.items[0].conv_id, limit=100)
    assert [message.seq for message in thread.items] == list(range(1, 11))
