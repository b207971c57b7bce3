"""Carries accepted messages to the phone, step by step, and reports each step to the StatusCallback."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from owner.integrations.simulator.addresses import channel_of, number_of
from owner.integrations.simulator.errors import NEVER_SENT, delivery_sentence
from owner.integrations.simulator.faults import FaultKind
from owner.integrations.simulator.store import Message, Store
from owner.integrations.simulator.webhooks import Pairs, Webhooks

FAILURES: Final = ("failed", "undelivered")
ENDS: Final = ("delivered", "read", "received", *FAILURES)
CHANNEL_INSTALLS: Final = {"whatsapp": "XE" + 32 * "1", "rcs": "XE" + 32 * "2", "messenger": "XE" + 32 * "3"}


class Carrier:
    def __init__(self, store: Store, webhooks: Webhooks, *, callback_delay: float) -> None:
        self.store = store
        self.webhooks = webhooks
        self.callback_delay = callback_delay
        self._under_way: set[asyncio.Task[None]] = set()

    async def accept(self, message: Message, tricks: Mapping[FaultKind, float]) -> None:
        """Start the journey in the background, or end it before returning when callbacks come first."""
        if FaultKind.CALLBACKS_FIRST in tricks:
            await self._carry(message, tricks, pause=0)
        else:
            self._start(self._carry(message, tricks, pause=self.callback_delay))

    async def stop(self) -> None:
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _start(self, journey: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(journey)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _carry(self, message: Message, tricks: Mapping[FaultKind, float], *, pause: float) -> None:
        is_deferred = FaultKind.CALLBACKS_LATE in tricks or FaultKind.CALLBACKS_REVERSED in tricks
        statuses = steps_of(message)
        for status in statuses:
            await asyncio.sleep(pause)
            self._advance(message, status)
            if not is_deferred:
                await self._report(message, status, tricks)
        if is_deferred:
            await asyncio.sleep(tricks.get(FaultKind.CALLBACKS_LATE, 0))
            order = reversed(statuses) if FaultKind.CALLBACKS_REVERSED in tricks else statuses
            for status in order:
                await self._report(message, status, tricks)

    def _advance(self, message: Message, status: str) -> None:
        message.status = status
        message.updated_at = self.store.now()
        if message.sent_at is None and status in ("sending", "sent"):
            message.sent_at = message.updated_at

    async def _report(self, message: Message, status: str, tricks: Mapping[FaultKind, float]) -> None:
        account = self.store.accounts.get(message.account_sid)
        is_lost = FaultKind.CALLBACKS_LOST in tricks
        if is_lost or message.status_callback is None or account is None:
            return
        for _ in range(2 if FaultKind.CALLBACKS_DOUBLED in tricks else 1):
            answer = await self.webhooks.post(
                message.status_callback,
                status_pairs(message, status),
                auth_token=account.auth_token,
            )
            message.callbacks.append((status, answer.status_code))


def steps_of(message: Message) -> tuple[str, ...]:
    """The statuses after the initial one, which Twilio doesn't report."""
    end = _failed_end(message)
    if channel_of(message.recipient) != "sms":
        return (end,) if end else ("sent", "delivered", "read")
    start = ("queued", "sending") if message.messaging_service_sid else ("sending",)
    if end == "failed":
        return (end,)
    return (*start, "sent", end or "delivered")


def status_pairs(message: Message, status: str) -> Pairs:
    channel = channel_of(message.recipient)
    has_failed = status in FAILURES
    pairs: Pairs = []
    if channel != "sms" and status != "sent":
        pairs.append(("EventType", status.upper()))
    if has_failed:
        pairs.append(("ErrorCode", str(message.error_code)))
    pairs += [
        ("SmsSid", message.sid),
        ("SmsStatus", status),
        ("MessageStatus", status),
        ("To", message.recipient),
    ]
    if message.messaging_service_sid:
        pairs.append(("MessagingServiceSid", message.messaging_service_sid))
    pairs += [
        ("MessageSid", message.sid),
        ("AccountSid", message.account_sid),
        ("From", message.sender),
        ("ApiVersion", "2010-04-01"),
    ]
    if channel == "sms":
        is_final = status in ("delivered", "undelivered")
        return pairs + ([("RawDlrDoneDate", f"{message.updated_at:%y%m%d%H%M}")] if is_final else [])
    if has_failed and message.error_code:
        pairs.append(("ChannelStatusMessage", delivery_sentence(message.error_code)))
    return pairs + _channel_pairs(message, channel)


def _channel_pairs(message: Message, channel: str) -> Pairs:
    install = ("ChannelInstallSid", CHANNEL_INSTALLS.get(channel, "XE" + 32 * "0"))
    if channel != "whatsapp":
        return [("ChannelPrefix", channel), install]
    return [
        ("ChannelToAddress", number_of(message.recipient)[:-4] + "XXXX"),
        ("ChannelPrefix", channel),
        ("StructuredMessage", str(bool(message.content_sid)).lower()),
        install,
    ]


def _failed_end(message: Message) -> str | None:
    if message.error_code is None:
        return None
    return "failed" if message.error_code in NEVER_SENT else "undelivered"
