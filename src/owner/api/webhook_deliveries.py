"""Routes of the delivery log of outbound webhooks."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, status
from pydantic import AfterValidator, WithJsonSchema

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.entity import LARGEST_ID, GivenMoment, Page
from owner.models.event import EVENT_TYPES, known_type
from owner.models.permissions import Permission
from owner.models.webhook_delivery import (
    WebhookDeliveryDetail,
    WebhookDeliveryResponse,
    WebhookDeliveryStatus,
)
from owner.repositories.webhook_deliveries import DeliveryFilter

router = APIRouter(prefix="/v1/webhook-deliveries", tags=["webhooks out"], route_class=Route)
DeliveryId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Id = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]
EventType = Annotated[
    str, AfterValidator(known_type), WithJsonSchema({"type": "string", "enum": sorted(EVENT_TYPES)})
]


async def wanted_deliveries(  # noqa: PLR0917 - query parameters
    endpoint_id: Id = None,
    status: WebhookDeliveryStatus | None = None,
    event_type: Annotated[EventType | None, Query()] = None,
    conv_id: Id = None,
    since: Annotated[GivenMoment | None, Query(description="Events of this moment and later.")] = None,
    until: Annotated[GivenMoment | None, Query(description="Events before this moment.")] = None,
) -> DeliveryFilter:
    """What the query asks for."""
    return DeliveryFilter(
        endpoint_id=endpoint_id,
        status=status,
        event_type=event_type,
        conv_id=conv_id,
        since=since,
        until=until,
    )


@router.get("", **needs(Permission.WEBHOOKS_WRITE))
async def list_webhook_deliveries(
    services: UseCases,
    caller: Caller,
    wanted: Annotated[DeliveryFilter, Depends(wanted_deliveries)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[WebhookDeliveryResponse]:
    """Deliveries of the newest events first."""
    page = await services.webhook_deliveries.list_page(caller.owner_id, wanted, limit=limit, cursor=cursor)
    return Page[WebhookDeliveryResponse].model_validate(page)


@router.get("/{delivery_id}", **needs(Permission.WEBHOOKS_WRITE))
async def get_webhook_delivery(
    delivery_id: DeliveryId, services: UseCases, caller: Caller
) -> WebhookDeliveryDetail:
    """One delivery: what is sent, and what came back from each attempt."""
    return WebhookDeliveryDetail.of(await services.webhook_deliveries.get(caller.owner_id, delivery_id))


@router.post(
    "/{delivery_id}/replay",
    status_code=status.HTTP_202_ACCEPTED,
    responses={409: {"description": "Its endpoint is disabled (`webhook_endpoint_disabled`)."}},
    **needs(Permission.WEBHOOKS_WRITE, creates=True),
)
async def replay_webhook_delivery(
    delivery_id: DeliveryId, services: UseCases, caller: Caller
) -> WebhookDeliveryDetail:
    """Send it again, whatever became of it, with the `webhook-id` that it had."""
    delivery = await services.webhook_deliveries.replay(caller.owner_id, delivery_id, by=caller.actor)
    return WebhookDeliveryDetail.of(delivery)
