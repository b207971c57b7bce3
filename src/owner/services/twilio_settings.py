"""What administrators do with Twilio accounts: connect, see, change, rotate the token, disconnect."""

from collections import defaultdict
from collections.abc import Sequence

from owner.db.database import Connection, Database
from owner.models.addresses import Address, parse_phone_number
from owner.models.entity import Page
from owner.models.errors import Conflict, InvalidInput, ProviderError, ProviderProblem
from owner.models.event import Actor, NewEvent
from owner.models.twilio_account import (
    ChannelAddress,
    TwilioAccount,
    TwilioAccountCreate,
    TwilioAccountResponse,
    TwilioAccountUpdate,
)
from owner.repositories.events import EventRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.ports import Clock, Credentials
from owner.services.twilio_accounts import TwilioService, claim


class TwilioSettingsService:
    """Accounts as their owner sees them; tokens go in and never come out."""

    def __init__(self, database: Database, *, clock: Clock, twilio: TwilioService) -> None:
        self.database = database
        self.clock = clock
        self.twilio = twilio

    async def list_page(
        self, owner_id: int, *, limit: int, cursor: str | None = None
    ) -> Page[TwilioAccountResponse]:
        """Connected accounts, newest first."""
        async with self.database.owner(owner_id) as connection:
            repository = TwilioAccountRepository(connection)
            page = await repository.list_connected(limit=limit, cursor=cursor)
            ids = [account.twilio_account_id for account in page.items]
            addresses: dict[int, list[ChannelAddress]] = defaultdict(list)
            for address in await repository.list_addresses_of(ids):
                addresses[address.twilio_account_id].append(address)
        items = [self._shown(account, addresses[account.twilio_account_id]) for account in page.items]
        return Page[TwilioAccountResponse](items=items, next_cursor=page.next_cursor)

    async def get(self, owner_id: int, twilio_account_id: int) -> TwilioAccountResponse:
        async with self.database.owner(owner_id) as connection:
            account = await TwilioAccountRepository(connection).get_connected(twilio_account_id)
            return await self._show(connection, account)

    async def connect(
        self, owner_id: int, create: TwilioAccountCreate, *, by: Actor
    ) -> TwilioAccountResponse:
        """Connect an account that is not connected.

        Raises:
            AlreadyExists: it is, or one of its addresses is.
            InvalidInput: Twilio refuses the credentials.
        """
        if create.verify:
            await self._refuse_wrong_token(create.account_sid, create.auth_token)
        account = await self.twilio.connect(owner_id, create, by=by, renews=False)
        return await self.get(owner_id, account.twilio_account_id)

    async def change(
        self, owner_id: int, twilio_account_id: int, update: TwilioAccountUpdate, *, by: Actor
    ) -> TwilioAccountResponse:
        """Change what was given.

        Raises:
            AlreadyExists: an address is connected elsewhere.
            Conflict: two tokens are accepted already, or a conversation over an address is open.
            InvalidInput: Twilio refuses the new token.
        """
        if update.verify:
            account_sid = (await self.get(owner_id, twilio_account_id)).account_sid
            await self._refuse_wrong_token(account_sid, update.auth_token)
        async with self.database.owner(owner_id) as connection:
            repository = TwilioAccountRepository(connection)
            account = await repository.get_connected(twilio_account_id, for_update=True)
            before = account.model_copy()
            self._take_over(account, update)
            if account.auth_token_encrypted != before.auth_token_encrypted:
                await repository.resume(account, at=self.clock.now())
            await _change_numbers(repository, account, update)
            fields = update.model_fields_set - {"verify"}
            if account != before:
                account.updated_at = self.clock.now()
                await repository.save(account)
            if fields:
                await _tell(connection, "channel.updated", account, by, fields=sorted(fields))
            return await self._show(connection, account)

    async def promote(self, owner_id: int, twilio_account_id: int, *, by: Actor) -> TwilioAccountResponse:
        """Accept the newest token only, once Twilio signs with it."""
        async with self.database.owner(owner_id) as connection:
            repository = TwilioAccountRepository(connection)
            account = await repository.get_connected(twilio_account_id, for_update=True)
            if account.has_former_token:
                account.previous_auth_token_encrypted = None
                account.updated_at = self.clock.now()
                await repository.save(account)
                await _tell(connection, "channel.updated", account, by, fields=["auth_token"])
            return await self._show(connection, account)

    async def disconnect(self, owner_id: int, twilio_account_id: int, *, by: Actor) -> None:
        """Forget the tokens and free the numbers; its conversations stay.

        Raises:
            Conflict: a conversation over it is open.
        """
        async with self.database.owner(owner_id) as connection:
            repository = TwilioAccountRepository(connection)
            account = await repository.get_connected(twilio_account_id, for_update=True)
            if await repository.has_open_conversations(account):
                raise Conflict("Conversations over this account are open: close them first.")
            await repository.remove_addresses(account)
            account.disconnect(at=self.clock.now())
            await repository.save(account)
            await _tell(connection, "channel.disconnected", account, by)

    async def _refuse_wrong_token(self, account_sid: str, auth_token: str) -> None:
        try:
            await self.twilio.gateway.check(Credentials(account_sid, auth_token))
        except ProviderError as refusal:
            if refusal.kind is ProviderProblem.RETRY:
                raise
            raise InvalidInput(refusal.message, field="auth_token") from refusal

    def _take_over(self, account: TwilioAccount, update: TwilioAccountUpdate) -> None:
        if "messaging_service_sid" in update.model_fields_set:
            account.messaging_service_sid = update.messaging_service_sid
        if "auth_token" not in update.model_fields_set or update.auth_token == self.twilio.token(account):
            return
        former = account.previous_auth_token_encrypted
        if former is not None and self.twilio.secrets_box.decrypt(former) == update.auth_token:
            account.take_back_token()
        else:
            account.replace_token(self.twilio.secrets_box.encrypt(update.auth_token))

    async def _show(self, connection: Connection, account: TwilioAccount) -> TwilioAccountResponse:
        repository = TwilioAccountRepository(connection)
        return self._shown(
            account, await repository.list_addresses(twilio_account_id=account.twilio_account_id)
        )

    def _shown(self, account: TwilioAccount, addresses: Sequence[ChannelAddress]) -> TwilioAccountResponse:
        return TwilioAccountResponse(
            twilio_account_id=account.twilio_account_id,
            account_sid=account.account_sid,
            phone_numbers=[str(Address(address.channel, address.address)) for address in addresses],
            messaging_service_sid=account.messaging_service_sid,
            has_former_token=account.has_former_token,
            inbound_url=self.twilio.inbound_url(account),
            status_url=self.twilio.status_url(account),
            paused_at=account.paused_at,
            paused_reason=account.paused_reason,
            degraded_at=account.degraded_at,
            reconciled_until=account.reconciled_until,
            drifted_at=account.drifted_at,
            created_at=account.created_at,
            updated_at=account.updated_at,
        )


async def _change_numbers(
    repository: TwilioAccountRepository, account: TwilioAccount, update: TwilioAccountUpdate
) -> None:
    """Free some addresses, claim others; one that is in both lists stays."""
    wanted = [parse_phone_number(number, field="add_phone_numbers") for number in update.add_phone_numbers]
    for number in update.remove_phone_numbers:
        address = parse_phone_number(number, field="remove_phone_numbers")
        if address in wanted:
            continue
        if await repository.has_open_conversations(account, address):
            raise Conflict(
                f"Conversations over {address} are open: close them first.", field="remove_phone_numbers"
            )
        await repository.remove_address(address, account=account)
    await claim(repository, account, wanted)


async def _tell(
    connection: Connection, event_type: str, account: TwilioAccount, by: Actor, **facts: object
) -> None:
    event = NewEvent(event_type, by, data={"twilio_account_id": account.twilio_account_id, **facts})
    await EventRepository(connection).add_all(account.owner_id, [event])
