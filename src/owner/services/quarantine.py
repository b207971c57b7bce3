"""Keeps webhooks that nobody could be given, shows them to the operator, takes them in later."""

from collections.abc import Callable, Sequence
from typing import Final

from owner.db.database import Database
from owner.models.errors import Conflict
from owner.models.message import InboundMessage
from owner.models.quarantine import QuarantineCreate, QuarantinedRequest, QuarantineReason
from owner.repositories.quarantine import QuarantineRepository
from owner.services.inbound import InboundService, Receipt
from owner.services.twilio_accounts import AccountAccess, TwilioService

KEPT_VALUE: Final = 4_000  # characters of one parameter
KEPT_PARAMETERS: Final = 200

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

    async def replay(self, quarantine_id: int, *, trust: bool = False) -> Receipt:
        """Take a webhook in as if it came now; it leaves the quarantine once it is stored.

        Raises:
            NotFound: there is none with this id.
            Conflict: nobody has the number still, or the signature was wrong and nobody vouches for it.
        """
        async with self.database.system() as connection:
            request = await QuarantineRepository(connection).get(quarantine_id)
        if request.reason is not QuarantineReason.UNKNOWN_NUMBER and not trust:
            raise Conflict(f"The webhook was not signed well ({request.reason}): vouch for it with --trust.")
        inbound = self.reads([(name, value) for name, value in request.params])
        access = await self._find_recipient(request, inbound)
        receipt = await self.inbound.receive(
            inbound, owner=access.owner, twilio_account_id=access.account.twilio_account_id
        )
        async with self.database.system() as connection:
            await QuarantineRepository(connection).remove(quarantine_id)
        return receipt

    async def _find_recipient(self, request: QuarantinedRequest, inbound: InboundMessage) -> AccountAccess:
        account_sid = self.reads_account([(name, value) for name, value in request.params])
        for access in await self.twilio.find_by_sid(account_sid, fresh=True):
            if access.serves(inbound.company, inbound.messaging_service_sid):
                return access
        raise Conflict("Nobody has connected the address that was written to.")


def _kept(text: str) -> str:
    """Text that Postgres can keep, whoever sent it."""
    short = text[:KEPT_VALUE]
    return short.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
