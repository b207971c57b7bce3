"""What the use cases need from outside, as protocols; `bootstrap` says who fulfils them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from owner.models.enums import DeliveryStatus
from owner.models.message import InboundMessage, StatusCallback
from owner.models.template import Template
from owner.models.webhook_delivery import WebhookAnswer


class Clock(Protocol):
    """The time; tests hold one that they can turn."""

    def now(self) -> datetime: ...


class SecretBox(Protocol):
    """Encrypts what the database must not know."""

    def encrypt(self, secret: str) -> bytes: ...

    def decrypt(self, token: bytes) -> str: ...

    def rotate(self, token: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens one account at the provider."""

    account_sid: str
    auth_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """A message as the provider gets it. Addresses are in the provider's form, `whatsapp:+55…`."""

    to: str
    sender: str
    body: str
    media_urls: Sequence[str] = ()
    content_sid: str | None = None
    content_variables: str | None = None  # JSON
    messaging_service_sid: str | None = None
    status_callback: str | None = None


@dataclass(frozen=True, slots=True)
class SentMessage:
    """The provider's answer about one message."""

    provider_sid: str
    status: DeliveryStatus
    body: str = ""
    num_media: int = 0
    created_at: datetime | None = None
    error_code: int | None = None


@dataclass(frozen=True, slots=True)
class FetchedMedia:
    """Bytes of a file and what they look like."""

    content: bytes
    content_type: str


class MessageGateway(Protocol):
    """The provider's side of sending."""

    async def send(self, message: OutboundMessage, credentials: Credentials) -> SentMessage:
        """Hand a message over.

        Raises:
            ProviderError: the provider refused it, and so has not got it.
            OutcomeUnknown: no answer came, so it may have it.
        """

    async def list_sent(self, *, to: str, since: datetime, credentials: Credentials) -> Sequence[SentMessage]:
        """Outbound messages to an address that the provider created at or after `since`, by its own clock.

        Raises:
            ProviderError: the provider refused to tell.
            OutcomeUnknown: no answer came.
        """

    def provider_time(self, moment: datetime) -> datetime:
        """What the provider's clock shows when ours shows `moment`, as its last answer told: ours may be set meanwhile."""

    async def check(self, credentials: Credentials) -> None:
        """Raise `ProviderError` unless the credentials open the account."""

    async def list_templates(self, credentials: Credentials) -> Sequence[Template]:
        """Every template of the account, approved or not.

        Raises:
            ProviderError: the provider refused to tell.
            OutcomeUnknown: no answer came.
        """

    async def fetch_media(self, url: str, credentials: Credentials, *, max_bytes: int) -> FetchedMedia:
        """Download a file; the credentials stay with the provider's own host.

        Raises:
            ProviderError: it can't be had (`permanent`), is too large (`permanent`), or not now.
            OutcomeUnknown: no answer came.
        """


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """An entry of the provider's log; `callback` is what a status callback would say, None for an inbound one."""

    provider_sid: str
    at: datetime
    callback: StatusCallback | None
    resource: Mapping[str, Any] = field(repr=False)


class MessageLog(Protocol):
    """Everything that went over an account; each method raises `ProviderError` or `OutcomeUnknown`."""

    def list_since(self, since: datetime, credentials: Credentials) -> AsyncIterator[Sequence[LoggedMessage]]:
        """Page after page, newest first; a page may be empty."""

    async def read(self, logged: LoggedMessage, credentials: Credentials) -> InboundMessage:
        """An inbound message as its webhook would have told it; raises `InvalidInput` where it is none."""

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ProviderWebhook:
    """Where the provider delivers what comes in for a number or a Messaging Service."""

    provider_sid: str
    subject: str  # the number, or the service's SID
    url: str | None
    method: str | None
    is_elsewhere: bool = False  # something else decides: a number's application; for a service its numbers


class ChannelSetup(Protocol):
    """The provider's settings of numbers; each method raises `ProviderError` or `OutcomeUnknown`."""

    async def list_number_webhooks(self, credentials: Credentials) -> Sequence[ProviderWebhook]:
        """Those of all phone numbers of the account."""

    async def find_service_webhook(
        self, service_sid: str, credentials: Credentials
    ) -> ProviderWebhook | None:
        """That of a Messaging Service; None where the account has no such service."""

    async def set_number_webhook(self, provider_sid: str, url: str, credentials: Credentials) -> None: ...

    async def set_service_webhook(self, provider_sid: str, url: str, credentials: Credentials) -> None: ...

    async def aclose(self) -> None: ...


class MediaStore(Protocol):
    """Where the bytes of files live; `put` raises `MediaStoreUnavailable`."""

    async def put(self, key: str, content: bytes) -> None: ...

    async def get(self, key: str) -> bytes | None: ...

    async def delete(self, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Mail:
    """A letter to one person, in plain text."""

    to: str
    subject: str
    text: str = field(repr=False)


class Mailer(Protocol):
    """Sends e-mail."""

    async def send(self, mail: Mail) -> None:
        """Hand a mail over; raises `MailNotSent`."""


class SendRate(Protocol):
    """Keeps each sender below its rate."""

    def book(self, sender: str) -> float:
        """Take the sender's next turn; how many seconds it is until then."""


class CircuitBreaker(Protocol):
    """Keeps calls from accounts for which the provider does not answer, but for one that tries now and then."""

    def admits(self, account_id: int) -> bool:
        """Whether a call may go out now; if it is the one that tries, its outcome has to be noted."""

    def rest_of(self, account_id: int) -> float:
        """For how many seconds no call may go out."""

    def resting(self) -> list[int]:
        """The accounts that nothing may be sent for now."""

    def note_answer(self, account_id: int) -> None: ...

    def note_silence(self, account_id: int) -> bool:
        """Note a call without an answer; whether that was the one which was too many."""


class WebhookSender(Protocol):
    """Carries a webhook to where an integrator wants it."""

    async def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        """One attempt. Whatever goes wrong is an answer too."""

    async def aclose(self) -> None: ...
