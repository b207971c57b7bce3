"""Compares accounts with the provider's log of messages, and makes up for what no webhook told."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from owner.db.database import Database
from owner.logs import get_logger
from owner.models import delivery
from owner.models.addresses import Address
from owner.models.enums import DeliveryStatus
from owner.models.errors import DatabaseUnavailable, InvalidInput, OwnerError
from owner.models.event import SYSTEM, NewEvent
from owner.models.message import InboundMessage
from owner.models.owner import Owner
from owner.models.reconciliation import Reconciliation
from owner.models.twilio_account import CheckResult, TwilioAccount
from owner.repositories.directory import Directory, Key
from owner.repositories.events import EventRepository
from owner.repositories.jobs import JobRepository
from owner.repositories.messages import MessageRepository
from owner.repositories.owners import OwnerRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.channel_setup import ChannelSetupService
from owner.services.delivery_statuses import DeliveryStatusService
from owner.services.inbound import InboundService
from owner.services.ports import Clock, Credentials, LoggedMessage, MessageLog
from owner.services.twilio_accounts import TwilioService

log = get_logger(__name__)

SETTLES_WITHIN: Final = timedelta(
    minutes=2
)  # a webhook tells more than the log: it gets the time to come first
OVERLAP: Final = timedelta(hours=24)  # statuses change after a message was sent, and clocks differ
FIRST_LOOK: Final = timedelta(days=3)  # back from now, for an account that was never compared
ACCOUNTS_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Subject:
    """An account to compare, and since when each of its addresses has been connected."""

    owner: Owner
    account: TwilioAccount
    connected_at: dict[Address, datetime]

    def serves(self, inbound: InboundMessage) -> bool:
        """Whether the message was written when somebody here was to be told of it."""
        account = self.account
        since = self.connected_at.get(inbound.company)
        if since is None and inbound.messaging_service_sid and account.messaging_service_sid:
            is_of_service = inbound.messaging_service_sid == account.messaging_service_sid
            since = account.created_at if is_of_service else None
        if since is None or inbound.written_at is None:
            return False
        return since.replace(microsecond=0) <= inbound.written_at  # the log counts whole seconds


class ReconciliationService:
    """Whatever it finds goes through the use cases of webhooks, so a second run finds nothing."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        twilio: TwilioService,
        message_log: MessageLog,
        inbound: InboundService,
        statuses: DeliveryStatusService,
        channel_setup: ChannelSetupService,
    ) -> None:
        self.database = database
        self.clock = clock
        self.twilio = twilio
        self.message_log = message_log
        self.inbound = inbound
        self.statuses = statuses
        self.channel_setup = channel_setup

    async def plan(self) -> int:
        """Have every account compared, each by a job of its own. Returns how many accounts there are."""
        async with self.database.system() as connection:
            accounts = await Directory(connection).connected_accounts()
            jobs = JobRepository(connection)
            for owner_id, twilio_account_id in accounts:
                await jobs.enqueue(
                    "account_due", once=True, owner_id=owner_id, twilio_account_id=twilio_account_id
                )
        return len(accounts)

    async def reconcile_all(
        self, *, owner_id: int | None = None, since: datetime | None = None
    ) -> list[Reconciliation]:
        """Compare every account, or those of one owner; one that fails stops no other.

        Raises:
            OwnerNotFound: there is no such owner.
            InvalidInput: `since` is yet to come.
        """
        if since is not None and since > self.clock.now():
            raise InvalidInput("The moment to compare from is yet to come.", field="since")
        if owner_id is not None:
            async with self.database.owner(owner_id) as connection:
                await OwnerRepository(connection).get(owner_id)
        async with self.database.system() as connection:
            accounts = await Directory(connection).connected_accounts()
        wanted = [key for key in accounts if owner_id in {None, key.owner_id}]
        places = asyncio.Semaphore(ACCOUNTS_AT_ONCE)

        async def in_turn(key: Key) -> Reconciliation | None:
            async with places:
                return await self.reconcile(*key, since=since)

        found = await asyncio.gather(*(in_turn(key) for key in wanted))
        return [one for one in found if one is not None]

    async def reconcile(
        self, owner_id: int, twilio_account_id: int, *, since: datetime | None = None
    ) -> Reconciliation | None:
        """Compare one account; None where it was disconnected, or its owner suspended, in the meantime."""
        subject = await self._find(owner_id, twilio_account_id)
        if subject is None:
            return None
        now = self.clock.now()
        found = Reconciliation(
            owner_id=owner_id,
            twilio_account_id=twilio_account_id,
            since=since or _since(subject.account, now=now),
            until=now - SETTLES_WITHIN,
        )
        try:
            await self._compare(subject, self.twilio.credentials(subject.account), found)
            await self._look_for_drift(found)
        except DatabaseUnavailable:
            raise
        except OwnerError as problem:
            found.problem = problem.message
        except Exception as problem:  # noqa: BLE001 - one account's surprise must not keep the others waiting
            found.problem = type(problem).__name__
        if found.problem is None:
            await self._remember(found)
        _log(found)
        return found

    async def _find(self, owner_id: int, twilio_account_id: int) -> Subject | None:
        async with self.database.owner(owner_id) as connection:
            owner = await OwnerRepository(connection).get(owner_id)
            repository = TwilioAccountRepository(connection)
            account = await repository.get(twilio_account_id)
            addresses = await repository.list_addresses(twilio_account_id=twilio_account_id)
        if owner.suspended_at is not None or not account.is_connected:
            return None
        connected_at = {Address(one.channel, one.address): one.created_at for one in addresses}
        return Subject(owner, account, connected_at)

    async def _compare(self, subject: Subject, credentials: Credentials, found: Reconciliation) -> None:
        """Correct statuses page by page; keep what is missing, which comes newest first, to bring it in by age."""
        missing: list[LoggedMessage] = []
        async for page in self.message_log.list_since(found.since, credentials):
            settled = [message for message in page if message.at < found.until]
            found.listed += len(settled)
            known = await self._statuses(subject, settled)
            for message in settled:
                if message.callback is None:
                    missing += [message] if message.provider_sid not in known else []
                elif _is_behind(known.get(message.provider_sid), message.callback.status):
                    await self.statuses.record(found.owner_id, message.callback)
                    found.corrected += 1
        missing.reverse()
        missing.sort(key=lambda message: message.at)
        for message in missing:
            inbound = await self._read(message, credentials, found)
            if inbound is not None:
                await self._bring_in(subject, inbound, found)

    async def _statuses(self, subject: Subject, page: Sequence[LoggedMessage]) -> dict[str, DeliveryStatus]:
        async with self.database.owner(subject.owner.owner_id) as connection:
            return await MessageRepository(connection).statuses_by_sid([one.provider_sid for one in page])

    async def _read(
        self, logged: LoggedMessage, credentials: Credentials, found: Reconciliation
    ) -> InboundMessage | None:
        try:
            return await self.message_log.read(logged, credentials)
        except InvalidInput:
            found.unreadable += 1
            return None

    async def _bring_in(self, subject: Subject, inbound: InboundMessage, found: Reconciliation) -> None:
        if not subject.serves(inbound):
            found.elsewhere += 1
            return
        receipt = await self.inbound.receive(
            inbound, owner=subject.owner, twilio_account_id=found.twilio_account_id
        )
        found.brought_in += not receipt.is_duplicate

    async def _look_for_drift(self, found: Reconciliation) -> None:
        """Ask the provider where it delivers, and tell once when that is elsewhere."""
        verification = await self.channel_setup.verify(
            found.owner_id, found.twilio_account_id, repair=False, by=SYSTEM
        )
        if verification.credentials.result is CheckResult.DIFFERS:
            found.problem = verification.credentials.detail
            return
        found.drifted = [
            check.subject for check in verification.webhooks if check.result is CheckResult.DIFFERS
        ]
        at = self.clock.now() if found.drifted else None
        async with self.database.owner(found.owner_id) as connection:
            is_new = await TwilioAccountRepository(connection).note_drift(found.twilio_account_id, at=at)
            if is_new and found.drifted:
                facts = {"twilio_account_id": found.twilio_account_id, "subjects": len(found.drifted)}
                event = NewEvent("channel.drifted", SYSTEM, data=facts)
                await EventRepository(connection).add_all(found.owner_id, [event])

    async def _remember(self, found: Reconciliation) -> None:
        async with self.database.owner(found.owner_id) as connection:
            repository = TwilioAccountRepository(connection)
            await repository.note_reconciled(found.twilio_account_id, until=found.until)


def _since(account: TwilioAccount, *, now: datetime) -> datetime:
    if account.reconciled_until is None:
        return max(account.created_at, now - FIRST_LOOK).replace(microsecond=0)
    return account.reconciled_until - OVERLAP


def _is_behind(ours: DeliveryStatus | None, theirs: DeliveryStatus | None) -> bool:
    """Whether the log is ahead of us; a message that is not here was sent by another program."""
    return ours is not None and theirs is not None and delivery.moves_forward(ours, theirs)


def _log(found: Reconciliation) -> None:
    log.info(
        "account_reconciled" if found.problem is None else "account_not_reconciled",
        **found.model_dump(
            include={"owner_id", "twilio_account_id", "listed", "brought_in", "corrected", "problem"}
        ),
        drifted=len(found.drifted),
    )
