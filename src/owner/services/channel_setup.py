"""Compares an account's settings at Twilio with what they have to be, and enters what is wrong there."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from owner.db.database import Database
from owner.logs import get_logger
from owner.models.addresses import Address
from owner.models.enums import Channel
from owner.models.errors import OutcomeUnknown, ProviderError, ProviderProblem
from owner.models.event import Actor, NewEvent
from owner.models.twilio_account import (
    AccountVerification,
    CheckResult,
    CredentialsCheck,
    TwilioAccount,
    WebhookCheck,
)
from owner.repositories.events import EventRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.ports import ChannelSetup, Credentials, ProviderWebhook
from owner.services.twilio_accounts import TwilioService

log = get_logger(__name__)

TRIES_AGAIN: Final = (
    "#rc=5&rp=all"  # not signed: has Twilio deliver again after any failure, not only without a connection
)
METHOD: Final = "POST"
_SetWebhook = Callable[[str, str, Credentials], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for one number or service, and how it could be mended."""

    check: WebhookCheck
    webhook: ProviderWebhook | None = None
    mend: _SetWebhook | None = None


class ChannelSetupService:
    """Looks at Twilio; what it can't see there, as the URLs of WhatsApp senders, it says it can't."""

    def __init__(self, database: Database, *, twilio: TwilioService, setup: ChannelSetup) -> None:
        self.database = database
        self.twilio = twilio
        self.setup = setup

    async def verify(
        self, owner_id: int, twilio_account_id: int, *, repair: bool, by: Actor
    ) -> AccountVerification:
        """Check the credentials and every webhook URL; with `repair`, enter those that differ.

        Raises:
            TwilioAccountNotFound: there is no such account.
            ProviderError, OutcomeUnknown: Twilio could not be asked.
        """
        async with self.database.owner(owner_id) as connection:
            repository = TwilioAccountRepository(connection)
            account = await repository.get_connected(twilio_account_id)
            kept = await repository.list_addresses(twilio_account_id=twilio_account_id)
        addresses = [Address(address.channel, address.address) for address in kept]
        credentials = self.twilio.credentials(account)
        refusal = await self._refusal(credentials)
        if refusal is not None:
            return self._unseen(account, addresses, refusal)
        findings = await self._look(account, addresses, credentials)
        if repair:
            findings = [await self._repaired(finding, account, credentials) for finding in findings]
        checks = [finding.check for finding in findings]
        await self._note(account, checks, by)
        return AccountVerification(credentials=CredentialsCheck(result=CheckResult.OK), webhooks=checks)

    async def aclose(self) -> None:
        await self.setup.aclose()

    async def _refusal(self, credentials: Credentials) -> str | None:
        """Why Twilio does not open the account; None where it does."""
        try:
            await self.twilio.gateway.check(credentials)
        except ProviderError as problem:
            if problem.kind is ProviderProblem.RETRY:
                raise
            return problem.message
        return None

    def _unseen(
        self, account: TwilioAccount, addresses: Sequence[Address], refusal: str
    ) -> AccountVerification:
        subjects = [str(address) for address in addresses]
        if account.messaging_service_sid:
            subjects.append(account.messaging_service_sid)
        return AccountVerification(
            credentials=CredentialsCheck(result=CheckResult.DIFFERS, detail=refusal),
            webhooks=[
                self._check(account, subject, CheckResult.NOT_CHECKABLE, "The credentials were refused.")
                for subject in subjects
            ],
        )

    async def _look(
        self, account: TwilioAccount, addresses: Sequence[Address], credentials: Credentials
    ) -> list[Finding]:
        at_twilio = {
            webhook.subject: webhook for webhook in await self.setup.list_number_webhooks(credentials)
        }
        findings = [self._number(account, address, at_twilio.get(address.value)) for address in addresses]
        if account.messaging_service_sid:
            sid = account.messaging_service_sid
            service = await self.setup.find_service_webhook(sid, credentials)
            findings.append(self._service(account, sid, service))
        return findings

    def _number(self, account: TwilioAccount, address: Address, webhook: ProviderWebhook | None) -> Finding:
        subject = str(address)
        if address.channel is not Channel.SMS or not address.value.startswith("+"):
            detail = (
                f"Enter {self._expected(account)} for this sender in Twilio's console: its API does not tell."
            )
            return Finding(self._check(account, subject, CheckResult.NOT_CHECKABLE, detail))
        if webhook is None:
            detail = "The Twilio account has no such number."
            return Finding(self._check(account, subject, CheckResult.DIFFERS, detail))
        shadow = (
            "An application answers in the place of the number's own URL." if webhook.is_elsewhere else None
        )
        return self._compared(account, subject, webhook, self.setup.set_number_webhook, shadow)

    def _service(self, account: TwilioAccount, sid: str, webhook: ProviderWebhook | None) -> Finding:
        if webhook is None:
            detail = "The Twilio account has no such Messaging Service."
            return Finding(self._check(account, sid, CheckResult.DIFFERS, detail))
        if webhook.is_elsewhere:
            detail = "The service leaves messages to the URLs of its numbers."
            return Finding(self._check(account, sid, CheckResult.OK, detail, webhook))
        return self._compared(account, sid, webhook, self.setup.set_service_webhook, None)

    def _compared(
        self,
        account: TwilioAccount,
        subject: str,
        webhook: ProviderWebhook,
        mend: _SetWebhook,
        shadow: str | None,
    ) -> Finding:
        url, _, fragment = (webhook.url or "").partition("#")
        if shadow is None and url == self.twilio.inbound_url(account) and webhook.method == METHOD:
            hint = (
                None
                if fragment
                else f"Without {TRIES_AGAIN} Twilio tries again only when it could not connect."
            )
            return Finding(self._check(account, subject, CheckResult.OK, hint, webhook))
        detail = shadow or ("No URL is entered." if not url else "Another URL or method is entered.")
        check = self._check(account, subject, CheckResult.DIFFERS, detail, webhook)
        return Finding(check, webhook, mend)

    async def _repaired(self, finding: Finding, account: TwilioAccount, credentials: Credentials) -> Finding:
        if finding.mend is None or finding.webhook is None:
            return finding
        try:
            await finding.mend(finding.webhook.provider_sid, self._expected(account), credentials)
        except (ProviderError, OutcomeUnknown) as problem:
            detail = f"It could not be repaired: {problem.message}"
            return Finding(finding.check.model_copy(update={"detail": detail}))
        return Finding(finding.check.model_copy(update={"result": CheckResult.REPAIRED}))

    async def _note(self, account: TwilioAccount, checks: Sequence[WebhookCheck], by: Actor) -> None:
        """Good credentials end a pause; what was entered at Twilio is told."""
        repaired = sum(check.result is CheckResult.REPAIRED for check in checks)
        log.info("channel_verified", twilio_account_id=account.twilio_account_id, repaired=repaired)
        async with self.database.owner(account.owner_id) as connection:
            repository = TwilioAccountRepository(connection)
            is_resumed = await repository.resume(account, at=self.twilio.clock.now())
            if repaired or is_resumed:
                facts = {"twilio_account_id": account.twilio_account_id, "repaired": repaired}
                event = NewEvent("channel.updated", by, data=facts)
                await EventRepository(connection).add_all(account.owner_id, [event])

    def _expected(self, account: TwilioAccount) -> str:
        return self.twilio.inbound_url(account) + TRIES_AGAIN

    def _check(
        self,
        account: TwilioAccount,
        subject: str,
        result: CheckResult,
        detail: str | None,
        webhook: ProviderWebhook | None = None,
    ) -> WebhookCheck:
        return WebhookCheck(
            subject=subject,
            provider_sid=webhook.provider_sid if webhook else None,
            result=result,
            url=webhook.url if webhook else None,
            method=webhook.method if webhook else None,
            expected_url=self._expected(account),
            expected_method=METHOD,
            detail=detail,
        )
