"""Routes of the endpoints of outbound webhooks."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, status

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.entity import LARGEST_ID, Page
from owner.models.permissions import Permission
from owner.models.webhook_delivery import WebhookDeliveryDetail, WebhookReplay, WebhookReplayResponse
from owner.models.webhook_endpoint import (
    WebhookEndpoint,
    WebhookEndpointCreate,
    WebhookEndpointResponse,
    WebhookEndpointUpdate,
    WebhookEndpointWithSecret,
    WebhookSecretRotate,
)

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhooks out"], route_class=Route)
EndpointId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses={
        403: {
            "description": "The permission is missing, or the host is inside a private network (`webhook_url_forbidden`)."
        },
        409: {"description": "There are 50 endpoints already (`too_many_webhook_endpoints`)."},
    },
    **needs(Permission.WEBHOOKS_WRITE, creates=True),
)
async def create_webhook_endpoint(
    create: WebhookEndpointCreate, services: UseCases, caller: Caller
) -> WebhookEndpointWithSecret:
    """Be told of what happens from now on. `secret` is shown this once."""
    endpoint, secret = await services.webhook_endpoints.create(caller.owner_id, create, by=caller.actor)
    return _with_secret(endpoint, secret)


@router.get("", **needs(Permission.WEBHOOKS_WRITE))
async def list_webhook_endpoints(
    services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[WebhookEndpointResponse]:
    """Endpoints, newest first."""
    page = await services.webhook_endpoints.list_page(caller.owner_id, limit=limit, cursor=cursor)
    return Page[WebhookEndpointResponse].model_validate(page)


@router.get("/{endpoint_id}", **needs(Permission.WEBHOOKS_WRITE))
async def get_webhook_endpoint(
    endpoint_id: EndpointId, services: UseCases, caller: Caller
) -> WebhookEndpointResponse:
    """One endpoint: whether it is enabled, and since when nothing but failure came back."""
    endpoint = await services.webhook_endpoints.get(caller.owner_id, endpoint_id)
    return WebhookEndpointResponse.model_validate(endpoint)


@router.patch(
    "/{endpoint_id}",
    responses={
        403: {
            "description": "The permission is missing, or the host is inside a private network (`webhook_url_forbidden`)."
        }
    },
    **needs(Permission.WEBHOOKS_WRITE),
)
async def update_webhook_endpoint(
    endpoint_id: EndpointId, update: WebhookEndpointUpdate, services: UseCases, caller: Caller
) -> WebhookEndpointResponse:
    """Change the URL, the types or the description; pause or enable. Enabled again, it gets what it missed, in order."""
    endpoint = await services.webhook_endpoints.update(caller.owner_id, endpoint_id, update, by=caller.actor)
    return WebhookEndpointResponse.model_validate(endpoint)


@router.delete("/{endpoint_id}", status_code=status.HTTP_204_NO_CONTENT, **needs(Permission.WEBHOOKS_WRITE))
async def delete_webhook_endpoint(endpoint_id: EndpointId, services: UseCases, caller: Caller) -> None:
    """Forget an endpoint and its delivery log."""
    await services.webhook_endpoints.delete(caller.owner_id, endpoint_id, by=caller.actor)


@router.post("/{endpoint_id}/rotate-secret", **needs(Permission.WEBHOOKS_WRITE, creates=True))
async def rotate_webhook_secret(
    endpoint_id: EndpointId, services: UseCases, caller: Caller, rotate: WebhookSecretRotate | None = None
) -> WebhookEndpointWithSecret:
    """Get a new secret, shown this once. Meanwhile each delivery has two signatures: one by the former secret."""
    hours = (rotate or WebhookSecretRotate()).former_signs_for_hours
    endpoint, secret = await services.webhook_endpoints.rotate_secret(
        caller.owner_id, endpoint_id, former_signs_for=timedelta(hours=hours), by=caller.actor
    )
    return _with_secret(endpoint, secret)


@router.post(
    "/{endpoint_id}/test",
    status_code=status.HTTP_202_ACCEPTED,
    responses={409: {"description": "It is disabled (`webhook_endpoint_disabled`)."}},
    **needs(Permission.WEBHOOKS_WRITE, creates=True),
)
async def test_webhook_endpoint(
    endpoint_id: EndpointId, services: UseCases, caller: Caller
) -> WebhookDeliveryDetail:
    """Send an event `webhook.test`. The delivery's own route tells what came back."""
    delivery = await services.webhook_endpoints.test(caller.owner_id, endpoint_id, by=caller.actor)
    return WebhookDeliveryDetail.of(delivery)


@router.post(
    "/{endpoint_id}/replay",
    status_code=status.HTTP_202_ACCEPTED,
    responses={409: {"description": "It is disabled (`webhook_endpoint_disabled`)."}},
    **needs(Permission.WEBHOOKS_WRITE, creates=True),
)
async def replay_webhook_range(
    endpoint_id: EndpointId,
    replay: WebhookReplay,
    services: UseCases,
    caller: Caller,
    cursor: Cursor = None,
) -> WebhookReplayResponse:
    """Send again what happened in a time, each with the `webhook-id` that it had.

    At most 10,000 at a call: call again with `cursor` while there is a `next_cursor`.
    """
    return await services.webhook_deliveries.replay_range(
        caller.owner_id, endpoint_id, replay, cursor=cursor, by=caller.actor
    )


def _with_secret(endpoint: WebhookEndpoint, secret: str) -> WebhookEndpointWithSecret:
    shown = WebhookEndpointResponse.model_validate(endpoint).model_dump()
    return WebhookEndpointWithSecret(**shown, secret=secret)
