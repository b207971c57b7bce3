"""Whether the product works."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from owner.api.dependencies import UseCases
from owner.api.openapi import PROBLEM
from owner.models.entity import DTO
from owner.models.errors import NotFound, Unavailable
from owner.models.outage_errors import DatabaseBusy, DatabaseRefused, DatabaseTooSlow
from owner.services.health import Health

router = APIRouter()

_PROBLEMS: Final = {DatabaseBusy: "busy", DatabaseTooSlow: "too slow", DatabaseRefused: "refuses us"}


class HealthResponse(DTO):
    """How the parts are; durations in milliseconds and seconds."""

    status: str
    database: str
    database_round_trip_ms: float | None = None
    revision: str | None = None
    expected_revision: str | None = None
    jobs_ready: int | None = None
    oldest_job_waits_s: float | None = None
    sends_waiting: int | None = None
    oldest_send_waits_s: float | None = None

    @classmethod
    def of(cls, health: Health) -> "HealthResponse":
        return cls(
            status="ok" if health.schema.is_fit else "migration needed",
            database="ok",
            database_round_trip_ms=round(health.database_round_trip * 1000, 3),
            revision=health.schema.revision,
            expected_revision=health.expected_revision,
            jobs_ready=health.jobs_ready,
            oldest_job_waits_s=round(health.oldest_job_waits, 3),
            sends_waiting=health.sends_waiting,
            oldest_send_waits_s=round(health.oldest_send_waits, 3),
        )


@router.get("/health", tags=["health"], responses={503: {"model": HealthResponse}})
async def get_health(services: UseCases, request: Request, response: Response) -> HealthResponse:
    """200 while messages can be taken in; 503 without a database, with another schema, and once the process ends."""
    try:
        answer = HealthResponse.of(await services.health.check())
    except Unavailable as problem:
        answer = HealthResponse(status="unavailable", database=_PROBLEMS.get(type(problem), "unreachable"))
    if request.state.draining.has_begun:
        answer = answer.model_copy(update={"status": "stopping"})
    if answer.status != "ok":
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return answer


@router.get("/health/live", tags=["health"])
async def get_life() -> dict[str, str]:
    """200 while the process runs, whatever the database does: what restarts processes must ask for this."""
    return {"status": "ok"}


@router.get("/webhooks/twilio/health", tags=["webhooks"])
async def get_webhook_health(services: UseCases) -> dict[str, str]:
    """Whether webhooks can be taken in: 200, or 503 as the REST API says it."""
    await services.health.check()
    return {"status": "ok", "public_url": services.public_url}


@router.get(
    "/webhooks/twilio/{webhook_key}/health",
    tags=["webhooks"],
    responses={404: {"description": "No account has this key.", **PROBLEM}},
)
async def get_webhook_health_by_key(services: UseCases, webhook_key: str) -> dict[str, str]:
    """The same at the address of one account; 404 where no account has it."""
    if not await services.twilio.find_by_webhook_key(webhook_key):
        raise NotFound
    return await get_webhook_health(services)


@router.get("/metrics", include_in_schema=False)
async def get_metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
