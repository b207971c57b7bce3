"""What tests look up in the database, as the owner who may see it."""

import asyncio
from typing import Any

from factories import Tenant
from owner.db.database import Connection, Database
from owner.models.contact import ContactAddress
from owner.models.conversation import Conversation
from owner.models.conversation_query import ConversationQuery
from owner.models.event import HistoryEvent
from owner.models.message import Message
from owner.services.catalog import Services


async def conversations_of(services: Services, tenant: Tenant) -> list[Conversation]:
    """All conversations of an owner, oldest first."""
    page = await services.conversations.list_page(tenant.owner_id, ConversationQuery(limit=100))
    return sorted(page.items, key=lambda conversation: conversation.conv_id)


async def messages_of(services: Services, tenant: Tenant, conv_id: int) -> list[Message]:
    page, _ = await services.messages.list_page(tenant.owner_id, conv_id, limit=100)
    return list(page.items)


async def message_by_sid(services: Services, tenant: Tenant, provider_sid: str) -> Message:
    [row] = await rows(services, tenant, "SELECT * FROM messages WHERE provider_sid = $1", provider_sid)
    return Message.model_validate(row)


async def events_of(services: Services, tenant: Tenant, conv_id: int) -> list[HistoryEvent]:
    page = await services.conversations.history(tenant.owner_id, conv_id, limit=100)
    return list(page.items)


async def event_types(services: Services, tenant: Tenant, conv_id: int) -> list[str]:
    return [event.type for event in await events_of(services, tenant, conv_id)]


async def address_of(services: Services, tenant: Tenant, channel: str = "SMS") -> ContactAddress:
    """The only customer's address on a channel."""
    found = await rows(services, tenant, "SELECT * FROM contact_addresses WHERE channel = $1", channel)
    [row] = found
    return ContactAddress.model_validate(row)


async def rows(services: Services, tenant: Tenant, sql: str, *values: object) -> list[dict[str, Any]]:
    async with services.database.owner(tenant.owner_id) as connection:
        return [dict(row) for row in await connection.fetch(sql, *values)]


async def events_read(connection: Connection) -> int:
    """How many events this connection has looked at so far, those included that it then left out.

    Only the difference within a transaction means something.
    """
    read: int = await connection.fetchval(
        """
        SELECT sum(seq_tup_read + COALESCE(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
        WHERE relid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'events'::regclass)
        """
    )
    return read


async def settled(database: Database) -> None:
    """Wait until every event that is committed now can be told.

    Transactions of the whole server count, also those of tests that run beside this one.
    """
    async with database.system() as connection:
        xid = await connection.fetchval("SELECT pg_current_xact_id()")
    while await oldest_running(database) <= xid:  # noqa: ASYNC110 - only the server knows
        await asyncio.sleep(0.01)


async def oldest_running(database: Database) -> int:
    async with database.system() as connection:
        xid: int = await connection.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())")
    return xid
