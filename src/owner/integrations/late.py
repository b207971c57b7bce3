"""What speaks to the outside, made with its first use: the HTTP client weighs a third of a start, and few processes call it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from owner.models.network import IPNetwork
from owner.services.ports import Clock

if TYPE_CHECKING:
    from owner.integrations.smtp import SmtpMailer
    from owner.integrations.twilio.client import TwilioGateway
    from owner.integrations.twilio.log import TwilioMessageLog
    from owner.integrations.twilio.setup import TwilioChannelSetup
    from owner.integrations.webhook_sender import HttpWebhookSender

T = TypeVar("T")


def gateway(api_url: str, *, clock: Clock) -> "TwilioGateway":
    def make() -> "TwilioGateway":
        from owner.integrations.twilio.client import TwilioGateway

        return TwilioGateway(api_url, clock=clock)

    return _late(make)


def channel_setup(api_url: str) -> "TwilioChannelSetup":
    def make() -> "TwilioChannelSetup":
        from owner.integrations.twilio.setup import TwilioChannelSetup

        return TwilioChannelSetup(api_url)

    return _late(make)


def message_log(api_url: str) -> "TwilioMessageLog":
    def make() -> "TwilioMessageLog":
        from owner.integrations.twilio.log import TwilioMessageLog

        return TwilioMessageLog(api_url)

    return _late(make)


def webhook_sender(allowed: Sequence[IPNetwork]) -> "HttpWebhookSender":
    def make() -> "HttpWebhookSender":
        from owner.integrations.webhook_sender import HttpWebhookSender

        return HttpWebhookSender(allowed=allowed)

    return _late(make)


def mailer(url: str) -> "SmtpMailer":
    """At once, because a URL that can't be read is told at the start."""
    from owner.integrations.smtp import SmtpMailer, SmtpServer

    return SmtpMailer(SmtpServer.parse(url))


def _late(make: Callable[[], T]) -> T:
    return cast("T", _Late(make))


class _Late:
    """Stands for what `make` returns, until one of its methods is asked for."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)

    async def aclose(self) -> None:
        if self._made is not None:
            await self._made.aclose()
