"""Keeps webhooks that nobody could be given, shows them to the operator, takes them in later."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from owner.db.database import Connection, Database
from owner.models.entity import Page
from owner.models.errors import Conflict, NotFound
from owner.models.event import SYSTEM, Actor, NewEvent
from owner.models.message import InboundMessage
from owner.models.quarantine import QuarantineCreate, QuarantinedRequest, QuarantineReason
from owner.repositories.events import EventRepository
from owner.repositories.quarantine import OwnQuarantineRepository, QuarantineRepository
from owner.services.inbound import InboundService, Receipt
from owner.services.twilio_accounts import AccountAccess, TwilioService, who_serves

KEPT_VALUE: Final = 4_000  # characters of one parameter
KEPT_PARAMETERS: Final = 200
PLATFORM: Final = 0  # in the place of an owner's id: sees the webhooks of all, and of nobody

ReadInbound = Callable[[Sequence[tuple[str, str]]], InboundMessage]
ReadAccount = Callable[[Sequence[tuple[str, str]]], str]


class QuarantineService:
    """The waiting room; `reads` and `reads_account` know the provider's words."""

    def __init__(
        self,
        database: Database,
        *,
        twilio: TwilioService,
        inbound: InboundService,
        reads: ReadInbound,
        reads_account: ReadAccount,
        per_hour: int,
    ) -> None:
        self.database = database
        self.twilio = twilio
        self.inbound = inbound
        self.reads = reads
        self.reads_account = reads_account
        self.per_hour = per_hour

    async def set_aside(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        reason: QuarantineReason,
        path: str,
        signature: str | None,
        owner_id: int | None,
    ) -> None:
        """Keep a webhook, unless so many of its kind came within the hour that it must be an attack."""
        kept = [(_kept(name), _kept(value)) for name, value in pairs[:KEPT_PARAMETERS]]
        create = QuarantineCreate(
            owner_id=owner_id,
            reason=reason,
            path=_kept(path),
            params=kept,
            signature=_kept(signature) if signature else None,
        )
        async with self.database.system() as connection:
            await QuarantineRepository(connection).add(create, per_hour=self.per_hour)

    async def list_latest(self, *, limit: int) -> list[QuarantinedRequest]:
        async with self.database.system() as connection:
            return await QuarantineRepository(connection).list_latest(limit=limit)

    async def list_page(
        self, owner_id: int, *, limit: int, cursor: str | None = None
    ) -> Page[QuarantinedRequest]:
        """What came for an owner's accounts, or everything for the platform, newest first."""
        async with self._seen_by(owner_id) as (_, repository):
            return await repository.list_page(limit=limit, cursor=cursor)

    async def get(self, owner_id: int, quarantine_id: int) -> QuarantinedRequest:
        """One webhook; raises `NotFound`, also for another owner's."""
        async with self._seen_by(owner_id) as (_, repository):
            return await repository.get(quarantine_id)

    async def discard(self, owner_id: int, quarantine_id: int, *, by: Actor) -> None:
        """Throw a webhook away; raises `NotFound`, also for another owner's."""
        request = await self.get(owner_id, quarantine_id)
        # Whose it is is told in the same transaction; the platform's own has nobody to tell.
        async with self._seen_by(request.owner_id or PLATFORM) as (connection, repository):
            await repository.remove(quarantine_id)
            if request.owner_id is not None:
                event = NewEvent("quarantine.discarded", by, data={"quarantine_id": quarantine_id})
                await EventRepository(connection).add_all(request.owner_id, [event])

    async def replay(
        self, quarantine_id: int, *, trust: bool = False, owner_id: int = PLATFORM, by: Actor = SYSTEM
    ) -> Receipt:
        """Take a webhook in as if it came now; it leaves the quarantine once it is stored.

        An owner's goes to that owner only: vouching for a forged one reaches nobody else.

        Raises:
            NotFound: there is none with this id, or it is another owner's.
            InvalidInput: it is no message.
            Conflict: nobody has the number still, or the signature was wrong and nobody vouches for it.
        """
        request = await self.get(owner_id, quarantine_id)
        if request.reason is not QuarantineReason.UNKNOWN_NUMBER and not trust:
            raise Conflict(f"The webhook was not signed well ({request.reason}): vouch for it (`trust`).")
        inbound = self.reads([(name, value) for name, value in request.params])
        access = await self._find_recipient(request, inbound, owner_id)
        receipt = await self.inbound.receive(
            inbound, owner=access.owner, twilio_account_id=access.account.twilio_account_id
        )
        await self._note_replay(request, receipt, access.owner.owner_id, by)
        return receipt

    async def _find_recipient(
        self, request: QuarantinedRequest, inbound: InboundMessage, owner_id: int
    ) -> AccountAccess:
        account_sid = self.reads_account([(name, value) for name, value in request.params])
        accounts = await self.twilio.find_by_sid(account_sid, fresh=True)
        theirs = [access for access in accounts if owner_id in {PLATFORM, access.owner.owner_id}]
        access = who_serves(theirs, inbound.company, inbound.messaging_service_sid)
        if access is not None:
            return access
        raise Conflict("Nobody has connected the address that was written to.")

    async def _note_replay(
        self, request: QuarantinedRequest, receipt: Receipt, recipient: int, by: Actor
    ) -> None:
        """Should this be cut off, a second replay finds the message stored already."""
        async with self.database.owner(recipient) as connection:
            facts = {"quarantine_id": request.quarantine_id, "reason": request.reason}
            event = NewEvent(
                "quarantine.replayed", by, conv_id=receipt.conv_id, msg_id=receipt.msg_id, data=facts
            )
            await EventRepository(connection).add_all(recipient, [event])
        with suppress(NotFound):  # somebody else replayed it at the same moment
            async with self._seen_by(request.owner_id or PLATFORM) as (_, repository):
                await repository.remove(request.quarantine_id)

    @asynccontextmanager
    async def _seen_by(self, owner_id: int) -> AsyncIterator[tuple[Connection, QuarantineRepository]]:
        if owner_id == PLATFORM:
            async with self.database.system() as connection:
                yield connection, QuarantineRepository(connection)
            return
        async with self.database.owner(owner_id) as connection:
            yield connection, OwnQuarantineRepository(connection)


def _kept(text: str) -> str:
    """Text that Postgres can keep, whoever sent it."""
    short = text[:KEPT_VALUE]
    return short.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
