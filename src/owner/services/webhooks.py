"""Lets in what a connected account signed; sets aside what nobody can be given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from owner.logs import get_logger
from owner.models.addresses import Address
from owner.models.errors import SignatureRejected
from owner.models.message import InboundMessage
from owner.models.quarantine import QuarantineReason
from owner.services.quarantine import QuarantineService
from owner.services.twilio_accounts import AccountAccess, TwilioService, who_serves

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A webhook as it came. `url` is the public one, which the provider signed."""

    url: str
    path: str
    pairs: Sequence[tuple[str, str]]
    signature: str | None
    account_sid: str
    webhook_key: str | None = None
    raw_body: bytes = b""


class SignatureVerifier(Protocol):
    """Whether one of the tokens made the request's signature."""

    def __call__(
        self,
        url: str,
        pairs: Sequence[tuple[str, str]],
        signature: str,
        tokens: Sequence[str],
        raw_body: bytes | None = None,
    ) -> bool: ...


ReadAddresses = Callable[[Sequence[tuple[str, str]]], Sequence[Address]]


class WebhookService:
    """The door; `reads_addresses` knows the provider's words."""

    def __init__(
        self,
        *,
        twilio: TwilioService,
        verifies: SignatureVerifier,
        reads_addresses: ReadAddresses,
        quarantine: QuarantineService,
    ) -> None:
        self.twilio = twilio
        self.verifies = verifies
        self.reads_addresses = reads_addresses
        self.quarantine = quarantine

    async def authenticate(self, request: SignedRequest) -> list[AccountAccess]:
        """The accounts whose token made the signature; more than one where owners share a Twilio account.

        Raises:
            SignatureRejected: there is none; the request is in quarantine.
        """
        if not request.signature:
            raise await self._reject(request, QuarantineReason.MISSING_SIGNATURE)
        for fresh in (False, True):  # a token that was rotated a moment ago is worth a second look
            accounts = await self._candidates(request, fresh=fresh)
            signers = [account for account in accounts if self._is_signed_by(account, request)]
            if signers:
                return signers
        reason = QuarantineReason.BAD_SIGNATURE if accounts else QuarantineReason.UNKNOWN_ACCOUNT
        raise await self._reject(request, reason, owner_id=self._addressee(request, accounts))

    async def find_recipient(
        self, request: SignedRequest, signers: Sequence[AccountAccess], inbound: InboundMessage
    ) -> AccountAccess | None:
        """The account that has the address which was written to; else None, and the request is in quarantine."""
        for fresh in (False, True):  # a number that was connected a moment ago is worth a second look
            accounts = await self._candidates(request, fresh=True) if fresh else signers
            signed_by = {signer.account.twilio_account_id for signer in signers}
            theirs = [access for access in accounts if access.account.twilio_account_id in signed_by]
            access = who_serves(theirs, inbound.company, inbound.messaging_service_sid)
            if access is not None:
                return access
        await self._set_aside(request, QuarantineReason.UNKNOWN_NUMBER, owner_id=signers[0].owner.owner_id)
        return None

    async def _candidates(self, request: SignedRequest, *, fresh: bool) -> list[AccountAccess]:
        """Accounts that may have sent this, known before the body is trusted where the URL names one."""
        if request.webhook_key is None:
            return await self.twilio.find_by_sid(request.account_sid, fresh=fresh)
        accounts = await self.twilio.find_by_webhook_key(request.webhook_key, fresh=fresh)
        return [account for account in accounts if account.account.account_sid == request.account_sid]

    def _is_signed_by(self, access: AccountAccess, request: SignedRequest) -> bool:
        signature = request.signature or ""
        return self.verifies(request.url, request.pairs, signature, access.tokens, request.raw_body)

    def _addressee(self, request: SignedRequest, accounts: Sequence[AccountAccess]) -> int | None:
        """Who may see a webhook that nobody has signed.

        An AccountSid is no secret, and anybody can connect it: it takes the URL that only the account was told, or a
        number that only one can have.
        """
        if request.webhook_key is not None:
            return accounts[0].owner.owner_id if accounts else None
        found = [who_serves(accounts, address) for address in self.reads_addresses(request.pairs)]
        return next((access.owner.owner_id for access in found if access is not None), None)

    async def _reject(
        self, request: SignedRequest, reason: QuarantineReason, *, owner_id: int | None = None
    ) -> SignatureRejected:
        await self._set_aside(request, reason, owner_id=owner_id)
        return SignatureRejected(reason)

    async def _set_aside(
        self, request: SignedRequest, reason: QuarantineReason, *, owner_id: int | None
    ) -> None:
        log.warning("webhook_quarantined", reason=reason, owner_id=owner_id)
        await self.quarantine.set_aside(
            request.pairs, reason=reason, path=request.path, signature=request.signature, owner_id=owner_id
        )
