"""The customer's phone: what it writes reaches the application as Twilio's webhook."""

import asyncio
from typing import Any, Final

from owner.integrations.simulator import opt_outs
from owner.integrations.simulator.context import World
from owner.integrations.simulator.faults import FaultKind
from owner.integrations.simulator.inbound import inbound_pairs
from owner.integrations.simulator.resources import API
from owner.integrations.simulator.store import Account, Media, Message, new_sid
from owner.integrations.simulator.webhooks import Answer
from owner.integrations.simulator.writing import Attachment, Writing

TICKS: Final = {"received": "✓✓", "sent": "✓", "delivered": "✓✓", "read": "✓✓ read"}
ON_THE_PHONE: Final = ("received", "delivered", "read")


class NumberUnknown(LookupError):
    """No account has this number."""


async def write(
    world: World, customer: str, writing: Writing, *, base_url: str
) -> tuple[Message, Answer | None]:
    """Post the webhook; the answer is None when the number has no inbound URL, or a fault loses it."""
    account = world.store.account_by_number.get(writing.to)
    if account is None:
        raise NumberUnknown(writing.to)
    message = world.store.messages.get(writing.message_sid or "")
    if message is None:
        message = _receive(world, account, customer, writing, base_url)
    if world.faults.take(frozenset({FaultKind.WEBHOOK_LOST}), writing.to, account.sid):
        return message, None
    is_doubled = world.faults.take(frozenset({FaultKind.WEBHOOK_DOUBLED}), writing.to, account.sid)
    answers = await asyncio.gather(*[_post(world, account, message) for _ in range(2 if is_doubled else 1)])
    return message, answers[0]


def seen_on(world: World, customer: str) -> list[dict[str, Any]]:
    """What the phone shows, oldest first: its own messages and those that were delivered to it."""
    messages = world.store.by_customer.get(customer, [])
    return [describe(message) for message in messages if message.status in ON_THE_PHONE]


def describe(message: Message) -> dict[str, Any]:
    return {
        "message_sid": message.sid,
        "account_sid": message.account_sid,
        "direction": message.direction,
        "from": message.sender,
        "to": message.recipient,
        "body": message.body,
        "media": [_location(message, media) for media in message.media],
        "content_sid": message.content_sid,
        "content_variables": message.content_variables,
        "status": message.status,
        "ticks": TICKS.get(message.status, ""),
        "error_code": message.error_code,
        "created_at": message.created_at.isoformat(),
        "status_callback": message.status_callback,
        "callbacks": [{"status": status, "status_code": answered} for status, answered in message.callbacks],
    }


def _receive(world: World, account: Account, customer: str, writing: Writing, base_url: str) -> Message:
    now = world.store.now()
    message = Message(
        sid=writing.message_sid or new_sid("MM" if writing.media else "SM"),
        account_sid=account.sid,
        direction="inbound",
        sender=customer,
        recipient=writing.to,
        body=writing.text,
        status="received",
        created_at=now,
        sent_at=now,
        media=[_keep(attachment) for attachment in writing.media],
        messaging_service_sid=account.messaging_service_sid,
    )
    message.webhook = inbound_pairs(message, writing, account, base_url=base_url)
    world.store.add(message)
    world.store.note_inbound(customer, writing.to)
    opt_outs.obey(world.store, account, message)
    return message


def _keep(attachment: Attachment) -> Media:
    return Media(
        sid=new_sid("ME"),
        content_type=attachment.content_type,
        content=attachment.data_base64,
        location=attachment.url,
    )


async def _post(world: World, account: Account, message: Message) -> Answer | None:
    url = account.inbound_url_for(message.recipient)
    if url is None:
        return None
    answer = await world.webhooks.post(url, message.webhook, auth_token=account.auth_token)
    message.callbacks.append((message.status, answer.status_code))
    return answer


def _location(message: Message, media: Media) -> str:
    return media.location or f"{API}/{message.account_sid}/Messages/{message.sid}/Media/{media.sid}"
