"""Drives a running simulator from tests, the demo and benchmarks."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack, cast
from urllib.parse import quote

import aiohttp


class WebhookAnswer(TypedDict):
    """What the application said to the webhook; `status_code` is None when it said nothing in time."""

    message_sid: str
    status_code: int | None
    body: str
    attempts: int
    error_code: int | None


class AccountSettings(TypedDict, total=False):
    secondary_auth_token: str
    numbers: Sequence[str]
    inbound_url: str
    messaging_service_sid: str
    advanced_opt_out: bool
    templates: Mapping[str, str | Mapping[str, Any]]


class Content(TypedDict, total=False):
    """See `writing.py` for what each part holds."""

    media: Sequence[Mapping[str, str]]
    profile_name: str
    button: Mapping[str, str]
    list: Mapping[str, str]
    location: Mapping[str, Any]
    referral: Mapping[str, str]
    reply_to_sid: str
    params: Mapping[str, str] | Sequence[tuple[str, str]]
    message_sid: str


class SimulatorClient:
    def __init__(self, base_url: str, session: aiohttp.ClientSession) -> None:
        self.base_url = base_url.rstrip("/")
        self.session = session

    async def register_account(
        self, account_sid: str, auth_token: str, **settings: Unpack[AccountSettings]
    ) -> None:
        await self._ask(
            "POST", "/accounts", {"account_sid": account_sid, "auth_token": auth_token, **settings}
        )

    async def write(
        self, customer: str, to: str, body: str = "", **content: Unpack[Content]
    ) -> WebhookAnswer:
        """Let the customer write to one of our numbers, and wait for the webhook's answer."""
        answer = await self._ask("POST", self._messages_of(customer), {"to": to, "body": body, **content})
        return cast("WebhookAnswer", answer)

    async def received(self, customer: str) -> list[dict[str, Any]]:
        """What was delivered to the phone, oldest first."""
        return [shown for shown in await self.shown_on(customer) if shown["direction"] != "inbound"]

    async def shown_on(self, customer: str) -> list[dict[str, Any]]:
        """Both sides of the phone's conversations, oldest first, with ticks."""
        return cast("list[dict[str, Any]]", (await self._ask("GET", self._messages_of(customer)))["messages"])

    async def messages(self) -> list[dict[str, Any]]:
        """Every message of every account, failed ones and those under way too, with their callbacks."""
        return cast("list[dict[str, Any]]", (await self._ask("GET", "/messages"))["messages"])

    async def fault(
        self,
        kind: str,
        *,
        count: int | None = 1,
        to: str | None = None,
        account_sid: str | None = None,
        delay: float | None = None,
        error_code: int | None = None,
    ) -> None:
        """Arm a fault for the next `count` creates (None: until cleared); see `faults.py` for the kinds."""
        whose = {"to": to, "account_sid": account_sid}
        fault = {"kind": kind, "count": count, **whose, "delay": delay, "error_code": error_code}
        await self._ask("POST", "/faults", fault)

    async def faults(self) -> list[dict[str, Any]]:
        """The armed faults with their hits; a fault that is used up is gone."""
        return cast("list[dict[str, Any]]", (await self._ask("GET", "/faults"))["faults"])

    async def clear_faults(self) -> None:
        await self._ask("DELETE", "/faults")

    async def reset(self) -> None:
        """Forget everything, accounts too."""
        await self._ask("POST", "/reset")

    async def _ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
        url = f"{self.base_url}/simulator{path}"
        async with self.session.request(method, url, json=content) as response:
            if not response.ok:
                raise ValueError(f"the simulator refused {method} {path}: {await response.text()}")
            return cast("dict[str, Any]", await response.json()) if await response.read() else {}

    def _messages_of(self, customer: str) -> str:
        return f"/phones/{quote(customer, safe='')}/messages"
