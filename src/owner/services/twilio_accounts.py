"""Connects Twilio accounts, and tells whose a webhook is."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from owner.db.database import Database
from owner.models.addresses import Address, parse_phone_number
from owner.models.errors import AlreadyExists, ProviderError, ProviderProblem
from owner.models.event import SYSTEM, Actor, NewEvent
from owner.models.owner import Owner
from owner.models.twilio_account import TwilioAccount, TwilioAccountCreate
from owner.repositories.directory import Directory, Key
from owner.repositories.events import EventRepository
from owner.repositories.owners import OwnerRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.ports import Clock, Credentials, MessageGateway, SecretBox

REMEMBERED_FOR: Final = (
    60.0  # seconds; for a change that no notice told, such as one made by hand in the database
)
REMEMBERED_UNHEARD: Final = 5.0  # seconds, while this process does not hear of changes


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """An account as a webhook needs it: whose it is, how it signs, which addresses it has."""

    owner: Owner
    account: TwilioAccount
    tokens: tuple[str, ...] = field(repr=False)  # newest first
    addresses: frozenset[Address] = frozenset()

    def serves(self, address: Address, messaging_service_sid: str | None) -> bool:
        """Whether the address is one of the account's, or a sender of its messaging service."""
        is_of_service = (
            messaging_service_sid is not None and messaging_service_sid == self.account.messaging_service_sid
        )
        return address in self.addresses or is_of_service


def who_serves(
    accounts: Sequence[AccountAccess], address: Address, messaging_service_sid: str | None = None
) -> AccountAccess | None:
    """Whose the address is. Who has it comes before who names its service: of a service nobody is the only one."""
    has_it = next((access for access in accounts if address in access.addresses), None)
    if has_it is not None:
        return has_it
    return next((access for access in accounts if access.serves(address, messaging_service_sid)), None)


class _Remembered(NamedTuple):
    """Accounts as they were at a moment of the process's clock."""

    looked_up_at: float
    accounts: list[AccountAccess]


class TwilioService:
    """Accounts at Twilio: their credentials, addresses and webhook URLs."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        secrets_box: SecretBox,
        gateway: MessageGateway,
        public_url: str,
    ) -> None:
        self.database = database
        self.clock = clock
        self.secrets_box = secrets_box
        self.gateway = gateway
        self.public_url = public_url
        self._remembered: dict[str, _Remembered] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._changes = 0
        database.notices.forget_with(self._forget)

    async def connect(
        self, owner_id: int, create: TwilioAccountCreate, *, by: Actor = SYSTEM, renews: bool = True
    ) -> TwilioAccount:
        """Store an account with its addresses; Twilio is not called.

        Connecting an account again replaces its token and adds addresses: the former token is accepted until the
        next time, because Twilio signs with it until the new one is promoted.

        Raises:
            AlreadyExists: one of the addresses is connected to another account, or to another owner's; or the account
                is connected and shall not be renewed.
            InvalidAddress: a number is none.
        """
        addresses = [parse_phone_number(number, field="phone_numbers") for number in create.phone_numbers]
        async with self.database.owner(owner_id) as connection:
            await OwnerRepository(connection).get(owner_id)
            repository = TwilioAccountRepository(connection)
            account = await repository.find_by_sid(create.account_sid)
            is_new = account is None or not account.is_connected
            if not is_new and not renews:
                raise AlreadyExists(
                    "This Twilio account is connected already; change it.",
                    field="account_sid",
                    twilio_account_id=account.twilio_account_id if account else None,
                )
            if account is None:
                account = await self._add(repository, owner_id, create)
            elif is_new:
                await self._reconnect(repository, account, create)
            else:
                await self._renew(repository, account, create)
            await claim(repository, account, addresses)
            event_type = "channel.connected" if is_new else "channel.updated"
            event = NewEvent(event_type, by, data={"twilio_account_id": account.twilio_account_id})
            await EventRepository(connection).add_all(owner_id, [event])
        return account

    async def _add(
        self, repository: TwilioAccountRepository, owner_id: int, create: TwilioAccountCreate
    ) -> TwilioAccount:
        return await repository.add(
            {
                "owner_id": owner_id,
                "account_sid": create.account_sid,
                "auth_token_encrypted": self.secrets_box.encrypt(create.auth_token),
                "webhook_key": secrets.token_urlsafe(24),
                "messaging_service_sid": create.messaging_service_sid,
            }
        )

    async def _renew(
        self, repository: TwilioAccountRepository, account: TwilioAccount, create: TwilioAccountCreate
    ) -> None:
        if self.token(account) != create.auth_token:
            account.previous_auth_token_encrypted = account.auth_token_encrypted
            account.auth_token_encrypted = self.secrets_box.encrypt(create.auth_token)
        account.messaging_service_sid = create.messaging_service_sid or account.messaging_service_sid
        account.updated_at = self.clock.now()
        await repository.resume(account, at=account.updated_at)
        await repository.save(account)

    async def _reconnect(
        self, repository: TwilioAccountRepository, account: TwilioAccount, create: TwilioAccountCreate
    ) -> None:
        """Under a new webhook URL: whoever knows the former one got it for another purpose."""
        account.auth_token_encrypted = self.secrets_box.encrypt(create.auth_token)
        account.webhook_key = secrets.token_urlsafe(24)
        account.messaging_service_sid = create.messaging_service_sid
        account.disconnected_at = None
        account.updated_at = self.clock.now()
        await repository.save(account)

    async def verify(self, create: TwilioAccountCreate) -> None:
        """Raise `ProviderError` unless Twilio accepts the credentials."""
        await self.gateway.check(Credentials(create.account_sid, create.auth_token))

    async def find_by_webhook_key(self, webhook_key: str, *, fresh: bool = False) -> list[AccountAccess]:
        """The account that a webhook URL belongs to, as a list of none or one."""
        if "\x00" in webhook_key:  # which Postgres can't even be asked about
            return []
        return await self._remember(
            f"key:{webhook_key}", lambda directory: directory.account_by_webhook_key(webhook_key), fresh=fresh
        )

    async def find_by_sid(self, account_sid: str, *, fresh: bool = False) -> list[AccountAccess]:
        """Every owner's account with this AccountSid: two owners may share one, each with numbers of its own."""
        return await self._remember(
            f"sid:{account_sid}", lambda directory: directory.accounts_by_sid(account_sid), fresh=fresh
        )

    def token(self, account: TwilioAccount) -> str:
        """The newest token; raises `ProviderError` where the account is disconnected."""
        if account.auth_token_encrypted is None:
            raise ProviderError(
                "The Twilio account is disconnected, so nothing can be sent or fetched with it.",
                kind=ProviderProblem.PERMANENT,
            )
        return self.secrets_box.decrypt(account.auth_token_encrypted)

    def credentials(self, account: TwilioAccount) -> Credentials:
        """What opens the account; raises `ProviderError` where it is disconnected."""
        return Credentials(account.account_sid, self.token(account))

    def inbound_url(self, account: TwilioAccount) -> str:
        return f"{self.public_url}/webhooks/twilio/{account.webhook_key}/inbound"

    def status_url(self, account: TwilioAccount, *, msg_id: int | None = None) -> str:
        """Where delivery statuses go; with our message id, one that overtakes the answer finds its message."""
        url = f"{self.public_url}/webhooks/twilio/{account.webhook_key}/status"
        return url if msg_id is None else f"{url}?msg_id={msg_id}"

    async def _remember(
        self, name: str, look_up: Callable[[Directory], Awaitable[list[Key]]], *, fresh: bool
    ) -> list[AccountAccess]:
        """Look accounts up, once for all who ask at the same time. What is not there is not remembered."""
        if not fresh and (remembered := self._find_remembered(name)):
            return remembered
        async with self._turns.setdefault(name, asyncio.Lock()):
            if not fresh and (remembered := self._find_remembered(name)):
                return remembered
            looked_up_at, changes = monotonic(), self._changes
            async with self.database.system() as connection:
                keys = await look_up(Directory(connection))
            found = [await self._access(key) for key in keys]
            self._remembered.pop(name, None)
            if found and changes == self._changes:  # else it may be of before the change
                self._remembered[name] = _Remembered(looked_up_at, found)
            return found

    def _find_remembered(self, name: str) -> list[AccountAccess] | None:
        remembered = self._remembered.get(name)
        if remembered is None:
            return None
        is_told = self.database.notices.hears_changes
        limit = REMEMBERED_FOR if is_told else REMEMBERED_UNHEARD
        return remembered.accounts if monotonic() < remembered.looked_up_at + limit else None

    def _forget(self) -> None:
        self._changes += 1
        self._remembered.clear()

    async def _access(self, key: Key) -> AccountAccess:
        async with self.database.owner(key.owner_id) as connection:
            owner = await OwnerRepository(connection).get(key.owner_id)
            repository = TwilioAccountRepository(connection)
            account = await repository.get(key.id)
            addresses = await repository.list_addresses(twilio_account_id=key.id)
        encrypted = [account.auth_token_encrypted, account.previous_auth_token_encrypted]
        return AccountAccess(
            owner,
            account,
            tokens=tuple(self.secrets_box.decrypt(token) for token in encrypted if token is not None),
            addresses=frozenset(Address(address.channel, address.address) for address in addresses),
        )


async def claim(
    repository: TwilioAccountRepository, account: TwilioAccount, addresses: Sequence[Address]
) -> None:
    """Give the account the addresses that it has not got yet."""
    known = await repository.list_addresses(twilio_account_id=account.twilio_account_id)
    has = {Address(address.channel, address.address) for address in known}
    for address in dict.fromkeys(addresses):
        if address not in has:
            await repository.add_address(address, account=account)
