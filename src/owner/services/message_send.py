"""Puts a message into a conversation's outbox, in whatever transaction the caller has open."""

from datetime import datetime
from typing import Any

from owner.db.database import Connection
from owner.models.addresses import Address
from owner.models.contact_errors import ContactBlocked
from owner.models.conversation import Conversation
from owner.models.enums import ActorKind, DeliveryStatus, Handler, MessageDirection
from owner.models.errors import ContactOptedOut
from owner.models.event import Actor
from owner.models.message import TEMPLATE_LOOK, Message, MessageCreate
from owner.models.template import TemplateLook
from owner.repositories.contact_addresses import ContactAddressRepository
from owner.repositories.conversations import ConversationRepository
from owner.repositories.messages import MessageRepository


async def queue_message(
    connection: Connection,
    conversation: Conversation,
    create: MessageCreate,
    *,
    by: Actor,
    at: datetime,
    is_farewell: bool = False,
    look: TemplateLook | None = None,
) -> Message:
    """Store a message as QUEUED, where workers find it. The conversation's row is locked by the caller.

    A farewell is no activity: it keeps nothing alive and answers nobody. `look` is what a template shows beside text.

    Raises:
        ConversationClosed: nothing can be added to a closed conversation.
        ReplyWindowClosed: the channel takes templates only, at this hour.
        ContactBlocked: the company wants nothing to do with the customer.
        ContactOptedOut: the customer asked not to be written to.
        HandledByPerson: an AI writes while a person answers.
    """
    await _refuse_unless_allowed(connection, conversation, create, at=at)
    if by.kind is ActorKind.USER:
        conversation.hand_off(Handler.PERSON, by=by, reason="a person wrote", at=at)
    times = conversation.answer_times(written_by=create.written_by, at=at)
    seq = (
        conversation.note_farewell(at=at)
        if is_farewell
        else conversation.note_outbound(written_by=create.written_by, by=by, at=at)
    )
    message = await MessageRepository(connection).add(
        _row(conversation, create, seq=seq, by=by, at=at, look=look)
    )
    conversation.note(
        "message.queued",
        by,
        msg_id=message.msg_id,
        seq=seq,
        message_type=message.message_type,
        written_by=create.written_by,
        channel=conversation.channel,
        **times,
    )
    await ConversationRepository(connection).save(conversation)
    return message


async def refuse_unwanted(connection: Connection, customer: Address) -> None:
    """Raise `ContactBlocked` or `ContactOptedOut` where nothing may be written to a customer."""
    recipient = await ContactAddressRepository(connection).find_recipient(customer)
    if recipient is None:
        return
    if recipient.blocked_at is not None:
        raise ContactBlocked(blocked_at=recipient.blocked_at)
    if recipient.opted_out_at is not None:
        raise ContactOptedOut(opted_out_at=recipient.opted_out_at)


async def _refuse_unless_allowed(
    connection: Connection, conversation: Conversation, create: MessageCreate, *, at: datetime
) -> None:
    conversation.refuse_if_closed()
    conversation.refuse_author(create.written_by)
    await refuse_unwanted(connection, Address(conversation.channel, conversation.customer_address))
    if create.content_sid is None:
        conversation.refuse_outside_window(now=at)


def _row(
    conversation: Conversation,
    create: MessageCreate,
    *,
    seq: int,
    by: Actor,
    at: datetime,
    look: TemplateLook | None,
) -> dict[str, Any]:
    shown = look.model_dump(mode="json", exclude_defaults=True) if look else None
    return {
        "owner_id": conversation.owner_id,
        "conv_id": conversation.conv_id,
        "seq": seq,
        "direction": MessageDirection.OUTBOUND,
        "message_owner": create.written_by,
        "message_type": create.message_type,
        "content": create.content or "",
        "delivery_status": DeliveryStatus.QUEUED,
        "media_urls": create.media_urls,
        "content_sid": create.content_sid,
        "content_variables": create.content_variables,
        "metadata": {TEMPLATE_LOOK: shown} if shown else {},
        "author_id": by.id if by.kind is ActorKind.USER else None,
        "created_at": at,
        "updated_at": at,
    }
