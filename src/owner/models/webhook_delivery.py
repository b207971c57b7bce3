"""One event for one endpoint: what is sent, when it is tried again, and what was answered."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import ConfigDict, Field, StrictBool
from pydantic_core import to_json

from owner.models.entity import DTO, Entity, GivenMoment, Moment
from owner.models.event import Event

SCHEDULE: Final = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""How long after the attempt before it each attempt is made; after the last one it is over."""

CLAIM: Final = timedelta(seconds=30)  # longer than an attempt takes, so that a live worker keeps its claim
LONGEST_WAIT: Final = timedelta(hours=24)  # whatever Retry-After asks for
ATTEMPTS_KEPT: Final = 40
STORED_ANSWER: Final = 4 * 1024  # bytes of an answer's body that are kept
MAXIMUM_REPLAYED: Final = 10_000  # deliveries that one call makes due again

_OK: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_GONE: Final = 410
_RETRY_AFTER: Final = frozenset({429, 503})


class WebhookDeliveryStatus(StrEnum):
    """How a delivery stands."""

    PENDING = "PENDING"  # it is tried, or will be
    DELIVERED = "DELIVERED"  # the endpoint answered 2xx
    FAILED = "FAILED"  # the last attempt failed; only a replay tries again


class AttemptError(StrEnum):
    """Why an attempt failed."""

    STATUS = "STATUS"  # it answered something else than 2xx
    GONE = "GONE"  # it answered 410
    REDIRECT = "REDIRECT"  # it answered 3xx: a redirect is not followed
    TIMEOUT = "TIMEOUT"  # no answer within 15 seconds
    NAME_NOT_FOUND = "NAME_NOT_FOUND"  # the host's name has no address
    FORBIDDEN_ADDRESS = "FORBIDDEN_ADDRESS"  # the host is inside a network that we don't connect to
    NOT_CONNECTED = "NOT_CONNECTED"  # nobody listens there
    TLS = "TLS"  # the certificate is not valid, or not for this host
    INVALID_ANSWER = "INVALID_ANSWER"  # what came back is no HTTP


class WebhookAnswer(Entity):
    """What came back from an attempt: a status, or why there is none."""

    status: int | None = None
    error: AttemptError | None = None
    body: str = ""
    retry_after: str | None = None
    duration_ms: int = 0

    @property
    def failure(self) -> AttemptError | None:
        """Why it was no success; None for a 2xx."""
        if self.status is None or self.error is not None:
            return self.error or AttemptError.INVALID_ANSWER
        if self.status in _OK:
            return None
        if self.status in _REDIRECTS:
            return AttemptError.REDIRECT
        return AttemptError.GONE if self.status == _GONE else AttemptError.STATUS

    def asked_wait(self, *, now: datetime) -> timedelta:
        """How long a 429 or 503 asks us to wait."""
        if self.status not in _RETRY_AFTER or not self.retry_after:
            return timedelta(0)
        return min(max(_wait(self.retry_after.strip(), now), timedelta(0)), LONGEST_WAIT)


class WebhookAttempt(Entity):
    """One attempt as the log keeps it."""

    at: Moment
    status: int | None
    error: AttemptError | None
    duration_ms: int
    response_body: str


class WebhookDelivery(Entity):
    """One event for one endpoint. `payload` is the body as it is signed and sent, the same at each attempt."""

    owner_id: int
    delivery_id: int
    endpoint_id: int
    event_id: int
    event_type: str
    conv_id: int | None
    sequence: int | None
    payload: str
    status: WebhookDeliveryStatus = WebhookDeliveryStatus.PENDING
    attempts: int = 0  # since it was made, or since the last replay
    next_attempt_at: Moment | None
    claimed_until: Moment | None = None
    finished_at: Moment | None = None
    last_status: int | None = None
    last_error: AttemptError | None = None
    attempt_log: list[WebhookAttempt] = Field(default_factory=list)
    created_at: Moment

    @property
    def webhook_id(self) -> str:
        """What the consumer tells repetitions by: never changes, however often this is sent."""
        return f"whd_{self.delivery_id}"

    def claim(self, *, at: datetime) -> None:
        """Take it in hand; when the claim runs out without a result, it is due again."""
        self.claimed_until = self.next_attempt_at = at + CLAIM

    def is_claimed(self, *, now: datetime) -> bool:
        return self.claimed_until is not None and now < self.claimed_until

    def note_answer(self, answer: WebhookAnswer, *, sent_at: datetime, at: datetime) -> None:
        """An attempt is over: it is delivered, tried again later, or given up."""
        self.attempts += 1
        self.claimed_until = None
        self.last_status, self.last_error = answer.status, answer.failure
        self._log(answer, sent_at)
        if answer.failure is None:
            self._finish(WebhookDeliveryStatus.DELIVERED, at)
        elif self.attempts >= len(SCHEDULE):
            self._finish(WebhookDeliveryStatus.FAILED, at)
        else:
            self.next_attempt_at = at + max(SCHEDULE[self.attempts], answer.asked_wait(now=at))

    def replay(self, *, at: datetime) -> None:
        """Send it again, with all attempts ahead; one that is on its way right now stays as it is."""
        if self.is_claimed(now=at):
            return
        self.status = WebhookDeliveryStatus.PENDING
        self.attempts = 0
        self.next_attempt_at = at
        self.claimed_until = self.finished_at = None

    def _finish(self, status: WebhookDeliveryStatus, at: datetime) -> None:
        self.status = status
        self.finished_at = at
        self.next_attempt_at = None

    def _log(self, answer: WebhookAnswer, sent_at: datetime) -> None:
        attempt = WebhookAttempt(
            at=sent_at,
            status=answer.status,
            error=answer.failure,
            duration_ms=answer.duration_ms,
            response_body=answer.body,
        )
        self.attempt_log = [*self.attempt_log, attempt][-ATTEMPTS_KEPT:]


def _wait(text: str, now: datetime) -> timedelta:
    """Seconds, or a date; what is neither asks for nothing."""
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), LONGEST_WAIT.total_seconds()))
    try:
        until = parsedate_to_datetime(text)
        return until - now
    except (ValueError, TypeError):
        return timedelta(0)


def payload_of(event: Event, *, sequence: int | None) -> str:
    """The body: what happened, as `GET /v1/events` shows it, and where it stands in its conversation."""
    shown = {
        "event_id": event.event_id,
        "owner_id": event.owner_id,
        "sequence": sequence,
        "conv_id": event.conv_id,
        "msg_id": event.msg_id,
        "contact_id": event.contact_id,
        "actor_kind": event.actor_kind,
        "actor_id": event.actor_id,
        "data": event.data,
    }
    return to_json({"type": event.type, "timestamp": event.created_at, "data": shown}).decode()


def headers_of(webhook_id: str, *, at: datetime, signatures: str) -> dict[str, str]:
    return {**_own_headers(webhook_id, at), "webhook-signature": signatures}


def _own_headers(webhook_id: str, at: datetime) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "user-agent": "Owner-Webhooks/1",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
    }


class WebhookReplay(DTO):
    """Which deliveries of an endpoint to send again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z", "only_failed": True}
            ]
        }
    )

    since: GivenMoment = Field(description="Events of this moment and later.")
    until: GivenMoment | None = Field(default=None, description="Events before this moment; null: until now.")
    only_failed: StrictBool = Field(default=False, description="Leave out what was delivered.")


class WebhookReplayResponse(DTO):
    """How many deliveries are due again; `next_cursor` is there while more are left."""

    replayed: int
    next_cursor: str | None


class WebhookRequestResponse(DTO):
    """What is sent; the signature is left out."""

    headers: Mapping[str, str]
    body: str


class WebhookAttemptResponse(DTO):
    """One attempt and what came back."""

    at: Moment
    status: int | None = Field(description="Of the answer; null where there was none.")
    error: AttemptError | None
    duration_ms: int
    response_body: str = Field(description="Its first 4 KB.")


class WebhookDeliveryResponse(DTO):
    """A delivery as lists show it."""

    delivery_id: int
    webhook_id: str
    endpoint_id: int
    event_id: int
    event_type: str
    conv_id: int | None
    sequence: int | None
    status: WebhookDeliveryStatus
    attempts: int
    next_attempt_at: Moment | None
    finished_at: Moment | None
    last_status: int | None
    last_error: AttemptError | None
    created_at: Moment


class WebhookDeliveryDetail(WebhookDeliveryResponse):
    """A delivery with its request and each attempt."""

    request: WebhookRequestResponse
    attempt_log: list[WebhookAttemptResponse]

    @classmethod
    def of(cls, delivery: WebhookDelivery) -> "WebhookDeliveryDetail":
        shown: dict[str, Any] = WebhookDeliveryResponse.model_validate(delivery).model_dump()
        last_at = delivery.attempt_log[-1].at if delivery.attempt_log else delivery.created_at
        request = WebhookRequestResponse(
            headers=_own_headers(delivery.webhook_id, last_at), body=delivery.payload
        )
        log = [WebhookAttemptResponse.model_validate(attempt) for attempt in delivery.attempt_log]
        return cls(**shown, request=request, attempt_log=log)
