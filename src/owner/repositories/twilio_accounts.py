"""Twilio accounts of one owner and the addresses that belong to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

import asyncpg

from owner.db.database import note_change
from owner.models.addresses import Address
from owner.models.entity import Page
from owner.models.enums import Channel
from owner.models.errors import AlreadyExists, OwnerError, TwilioAccountNotFound
from owner.models.twilio_account import ChannelAddress, TwilioAccount
from owner.repositories.base import MAXIMUM_PAGE, BaseRepository, page_of, read_cursor, write_cursor


class TwilioAccountRepository(BaseRepository[TwilioAccount]):
    """Twilio accounts of one owner and the addresses that belong to them."""

    entity: ClassVar = TwilioAccount
    table: ClassVar = "twilio_accounts"
    key: ClassVar = "twilio_account_id"
    is_remembered: ClassVar = True

    async def find_by_sid(self, account_sid: str) -> TwilioAccount | None:
        return await self.find_where(account_sid=account_sid)

    async def get_connected(self, twilio_account_id: int, *, for_update: bool = False) -> TwilioAccount:
        """One that is connected; raises `TwilioAccountNotFound` for others too."""
        account = await self.get(twilio_account_id, for_update=for_update)
        if not account.is_connected:
            raise self.missing(twilio_account_id)
        return account

    async def list_connected(self, *, limit: int, cursor: str | None = None) -> Page[TwilioAccount]:
        """One page of those that are connected, newest first."""
        size = min(limit, MAXIMUM_PAGE)
        rows = await self.connection.fetch(
            """
            SELECT * FROM twilio_accounts
            WHERE disconnected_at IS NULL AND ($1::bigint IS NULL OR twilio_account_id < $1)
            ORDER BY twilio_account_id DESC LIMIT $2
            """,
            read_cursor(cursor, self.table) if cursor else None,
            size + 1,
        )
        accounts = [self.read(row) for row in rows]
        return page_of(accounts, size, lambda last: write_cursor(last.twilio_account_id, self.table))

    async def find_address(self, address: Address) -> ChannelAddress | None:
        row = await self.connection.fetchrow(
            "SELECT * FROM channel_addresses WHERE channel = $1 AND address = $2",
            address.channel,
            address.value,
        )
        return ChannelAddress.model_validate(dict(row)) if row else None

    async def list_addresses(
        self, *, twilio_account_id: int | None = None, channel: Channel | None = None
    ) -> list[ChannelAddress]:
        rows = await self.connection.fetch(
            """
            SELECT * FROM channel_addresses
            WHERE ($1::bigint IS NULL OR twilio_account_id = $1) AND ($2::text IS NULL OR channel = $2)
            ORDER BY channel, address
            """,
            twilio_account_id,
            channel,
        )
        return [ChannelAddress.model_validate(dict(row)) for row in rows]

    async def list_addresses_of(self, twilio_account_ids: Sequence[int]) -> list[ChannelAddress]:
        """The addresses of several accounts."""
        rows = await self.connection.fetch(
            "SELECT * FROM channel_addresses WHERE twilio_account_id = ANY ($1) ORDER BY channel, address",
            twilio_account_ids,
        )
        return [ChannelAddress.model_validate(dict(row)) for row in rows]

    async def remove_address(self, address: Address, *, account: TwilioAccount) -> bool:
        """Free an address of the account; say whether it had it."""
        result = await self.connection.execute(
            "DELETE FROM channel_addresses WHERE twilio_account_id = $1 AND channel = $2 AND address = $3",
            account.twilio_account_id,
            address.channel,
            address.value,
        )
        await note_change(self.connection)
        return result == "DELETE 1"

    async def remove_addresses(self, account: TwilioAccount) -> None:
        """Free all addresses of the account."""
        await self.connection.execute(
            "DELETE FROM channel_addresses WHERE twilio_account_id = $1", account.twilio_account_id
        )
        await note_change(self.connection)

    async def has_open_conversations(self, account: TwilioAccount, address: Address | None = None) -> bool:
        """Whether a conversation over the account, or over one address of it, is open."""
        found: bool = await self.connection.fetchval(
            """
            SELECT EXISTS (
                SELECT FROM conversations
                WHERE twilio_account_id = $1 AND status IN ('PENDING', 'PROGRESS')
                  AND ($2::text IS NULL OR (channel = $2 AND our_address = $3))
            )
            """,
            account.twilio_account_id,
            address.channel if address else None,
            address.value if address else None,
        )
        return found

    async def add_address(self, address: Address, *, account: TwilioAccount) -> None:
        """Claim an address for an account.

        Raises:
            AlreadyExists: another owner, or another account of this one, has it.
        """
        try:
            await self.connection.execute(
                "INSERT INTO channel_addresses (owner_id, channel, address, twilio_account_id) VALUES ($1, $2, $3, $4)",
                account.owner_id,
                address.channel,
                address.value,
                account.twilio_account_id,
            )
        except asyncpg.UniqueViolationError as problem:
            raise AlreadyExists(f"{address} is connected already.", field="phone_numbers") from problem

    async def pause(self, twilio_account_id: int, *, reason: str, at: datetime) -> bool:
        """Note that the account can't send; say whether that is new."""
        result = await self.connection.execute(
            "UPDATE twilio_accounts SET paused_at = $2, paused_reason = $3"
            " WHERE twilio_account_id = $1 AND paused_at IS NULL",
            twilio_account_id,
            at,
            reason,
        )
        return result == "UPDATE 1"

    async def resume(self, account: TwilioAccount, *, at: datetime) -> bool:
        """Note that the account can send, and let what waited for that be tried at once; say whether that is new.

        Messages that somebody has in hand are left to them, and so are those that may have been sent.
        """
        result = await self.connection.execute(
            "UPDATE twilio_accounts SET paused_at = NULL, paused_reason = NULL"
            " WHERE twilio_account_id = $1 AND paused_at IS NOT NULL",
            account.twilio_account_id,
        )
        account.paused_at = account.paused_reason = None
        if result != "UPDATE 1":
            return False
        await self.connection.execute(
            """
            UPDATE messages SET next_attempt_at = $2 WHERE msg_id IN (
                SELECT message.msg_id FROM messages AS message JOIN conversations USING (owner_id, conv_id)
                WHERE twilio_account_id = $1 AND delivery_status = 'QUEUED' AND provider_sid IS NULL
                  AND direction = 'OUTBOUND' AND unconfirmed_at IS NULL AND next_attempt_at > $2
                FOR UPDATE OF message SKIP LOCKED
            )
            """,
            account.twilio_account_id,
            at,
        )
        return True

    async def note_silence(self, twilio_account_id: int, *, since: datetime | None) -> bool:
        """Note since when the provider does not answer for the account, None for it does; say whether that is new."""
        return await self._turn("degraded_at", twilio_account_id, since)

    async def note_reconciled(self, twilio_account_id: int, *, until: datetime) -> None:
        """Remember how far the account was compared; never back, should two have compared it at once."""
        await self.connection.execute(
            "UPDATE twilio_accounts SET reconciled_until = GREATEST(reconciled_until, $2) WHERE twilio_account_id = $1",
            twilio_account_id,
            until,
        )

    async def note_drift(self, twilio_account_id: int, *, at: datetime | None) -> bool:
        """Note since when messages go elsewhere, None for not any more; say whether that is new."""
        return await self._turn("drifted_at", twilio_account_id, at)

    async def _turn(self, column: str, twilio_account_id: int, at: datetime | None) -> bool:
        """Set a moment that was not set, or clear one that was."""
        result = await self.connection.execute(
            f"UPDATE twilio_accounts SET {column} = $2"  # nosec B608 # a name of this class
            f" WHERE twilio_account_id = $1 AND ({column} IS NULL) != ($2::timestamptz IS NULL)",
            twilio_account_id,
            at,
        )
        return result == "UPDATE 1"

    def missing(self, key: int) -> OwnerError:
        return TwilioAccountNotFound(key)

    def taken(self, _constraint: str) -> OwnerError:
        return AlreadyExists("This Twilio account is connected already.", field="account_sid")
