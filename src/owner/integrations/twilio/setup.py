"""Where Twilio delivers what comes in: read from its API, and entered there."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from owner.integrations.twilio.calls import TWILIO, VERSION, TwilioCalls, next_path
from owner.integrations.twilio.hosts import product_url
from owner.models.errors import OutcomeUnknown, ProviderError
from owner.services.ports import Credentials, ProviderWebhook

_PAGE_SIZE: Final = 1_000
_MAXIMUM_PAGES: Final = 20


class TwilioChannelSetup:
    """Fulfils `ChannelSetup`."""

    def __init__(self, api_url: str = TWILIO, *, timeout: float = 10.0) -> None:
        self._api_url = api_url.rstrip("/")
        self._messaging_url = product_url(self._api_url, "messaging")
        self._calls = TwilioCalls(timeout=timeout)

    async def list_number_webhooks(self, credentials: Credentials) -> Sequence[ProviderWebhook]:
        path: str | None = f"{self._numbers(credentials)}.json?PageSize={_PAGE_SIZE}"
        found: list[ProviderWebhook] = []
        for _ in range(_MAXIMUM_PAGES):
            answer = await self._calls.call("GET", f"{self._api_url}{path}", credentials)
            page = (answer.content or {}).get("incoming_phone_numbers")
            if answer.content is None or not isinstance(page, list):
                raise OutcomeUnknown(http_status=answer.status)
            found += [_number_webhook(item) for item in page if isinstance(item, dict)]
            path = next_path(answer.content)
            if path is None:
                break
        return found

    async def find_service_webhook(
        self, service_sid: str, credentials: Credentials
    ) -> ProviderWebhook | None:
        try:
            answer = await self._calls.call("GET", self._service(service_sid), credentials)
        except ProviderError as problem:
            if problem.http_status == HTTPStatus.NOT_FOUND:
                return None
            raise
        if answer.content is None:
            raise OutcomeUnknown(http_status=answer.status)
        return ProviderWebhook(
            provider_sid=service_sid,
            subject=service_sid,
            url=_text(answer.content, "inbound_request_url"),
            method=_text(answer.content, "inbound_method"),
            is_elsewhere=answer.content.get("use_inbound_webhook_on_number") is True,
        )

    async def set_number_webhook(self, provider_sid: str, url: str, credentials: Credentials) -> None:
        """An application takes precedence over the number's own URL, so the number is taken from it."""
        target = f"{self._api_url}{self._numbers(credentials)}/{quote(provider_sid, safe='')}.json"
        form = [("SmsUrl", url), ("SmsMethod", "POST"), ("SmsApplicationSid", "")]
        await self._calls.call("POST", target, credentials, form=form)

    async def set_service_webhook(self, provider_sid: str, url: str, credentials: Credentials) -> None:
        form = [("InboundRequestUrl", url), ("InboundMethod", "POST")]
        await self._calls.call("POST", self._service(provider_sid), credentials, form=form)

    async def aclose(self) -> None:
        await self._calls.aclose()

    def _numbers(self, credentials: Credentials) -> str:
        account_sid = quote(credentials.account_sid, safe="", errors="replace")
        return f"/{VERSION}/Accounts/{account_sid}/IncomingPhoneNumbers"

    def _service(self, service_sid: str) -> str:
        return f"{self._messaging_url}/v1/Services/{quote(service_sid, safe='')}"


def _number_webhook(item: Mapping[str, Any]) -> ProviderWebhook:
    return ProviderWebhook(
        provider_sid=_text(item, "sid") or "",
        subject=_text(item, "phone_number") or "",
        url=_text(item, "sms_url"),
        method=_text(item, "sms_method"),
        is_elsewhere=_text(item, "sms_application_sid") is not None,
    )


def _text(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None
