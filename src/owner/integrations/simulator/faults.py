"""Misfortunes on request: each armed fault strikes the next creates, or customers' messages, that it matches."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveInt, model_validator


class FaultKind(StrEnum):
    HTTP_429 = "http_429"  # refused with 20429 and Retry-After (`delay`)
    HTTP_500 = "http_500"  # refused
    HTTP_503 = "http_503"  # refused
    ERROR = "error"  # `error_code`: at once as HTTP 400, or later by a callback, as Twilio does
    TIMEOUT_BEFORE = "timeout_before"  # not accepted, silent for `delay`, then closed
    TIMEOUT_AFTER = "timeout_after"  # accepted and delivered, but the answer never comes
    RESET_BEFORE = "reset_before"  # not accepted, connection reset
    RESET_AFTER = "reset_after"  # accepted and delivered, connection reset
    HTTP_500_AFTER = "http_500_after"  # accepted and delivered, answered as if not
    LATENCY = "latency"  # each create takes `delay`
    CALLBACKS_LATE = "callbacks_late"  # all of them `delay` after the last status
    CALLBACKS_DOUBLED = "callbacks_doubled"
    CALLBACKS_REVERSED = "callbacks_reversed"
    CALLBACKS_FIRST = "callbacks_first"  # awaited before the create is answered
    CALLBACKS_LOST = "callbacks_lost"  # none is posted
    WEBHOOK_LOST = "webhook_lost"  # a customer's message to `to` is logged, and not posted
    WEBHOOK_DOUBLED = "webhook_doubled"  # one to `to` is posted twice at the same moment


BEFORE_ACCEPTING: Final = frozenset(
    {
        FaultKind.HTTP_429,
        FaultKind.HTTP_500,
        FaultKind.HTTP_503,
        FaultKind.TIMEOUT_BEFORE,
        FaultKind.RESET_BEFORE,
    },
)
AFTER_ACCEPTING: Final = frozenset({FaultKind.TIMEOUT_AFTER, FaultKind.RESET_AFTER, FaultKind.HTTP_500_AFTER})
ANSWERS: Final = BEFORE_ACCEPTING | AFTER_ACCEPTING | {FaultKind.ERROR}
CALLBACKS: Final = (
    FaultKind.CALLBACKS_LATE,
    FaultKind.CALLBACKS_DOUBLED,
    FaultKind.CALLBACKS_REVERSED,
    FaultKind.CALLBACKS_FIRST,
    FaultKind.CALLBACKS_LOST,
)
DEFAULT_DELAY: Final = {  # seconds
    FaultKind.HTTP_429: 1.0,
    FaultKind.LATENCY: 0.1,
    FaultKind.CALLBACKS_LATE: 1.0,
    FaultKind.TIMEOUT_BEFORE: 30.0,
    FaultKind.TIMEOUT_AFTER: 30.0,
}


class Fault(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: FaultKind
    count: PositiveInt | None = 1  # strikes left; None until cleared
    to: str | None = None
    account_sid: str | None = None
    delay: NonNegativeFloat | None = None
    error_code: PositiveInt | None = None
    hits: int = 0
    id: str = Field(default_factory=lambda: uuid4().hex)

    @model_validator(mode="after")
    def complete(self) -> Self:
        if (self.kind is FaultKind.ERROR) != (self.error_code is not None):
            raise ValueError("error_code belongs to the kind error, and it needs one")
        if self.delay is None:
            self.delay = DEFAULT_DELAY.get(self.kind, 0.0)
        return self

    @property
    def seconds(self) -> float:
        return self.delay or 0.0


@dataclass(slots=True)
class FaultBoard:
    armed: list[Fault] = field(default_factory=list)

    def take(self, kinds: frozenset[FaultKind], recipient: str, account_sid: str) -> Fault | None:
        """The first armed fault of these kinds that matches, counted as a strike."""
        for fault in self.armed:
            is_theirs = fault.to in (None, recipient) and fault.account_sid in (None, account_sid)
            if fault.kind in kinds and is_theirs:
                self._strike(fault)
                return fault
        return None

    def take_callbacks(self, recipient: str, account_sid: str) -> dict[FaultKind, float]:
        """Every kind of callback fault that matches, with its delay in seconds."""
        struck = ((kind, self.take(frozenset({kind}), recipient, account_sid)) for kind in CALLBACKS)
        return {kind: fault.seconds for kind, fault in struck if fault is not None}

    async def slow_down(self, recipient: str, account_sid: str) -> None:
        if fault := self.take(frozenset({FaultKind.LATENCY}), recipient, account_sid):
            await asyncio.sleep(fault.seconds)

    def listing(self) -> list[dict[str, Any]]:
        return [fault.model_dump(mode="json") for fault in self.armed]

    def _strike(self, fault: Fault) -> None:
        fault.hits += 1
        if fault.count is None:
            return
        fault.count -= 1
        if fault.count == 0:
            self.armed.remove(fault)
