"""Outbound webhooks: which addresses are told what, and how their secrets change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from fastapi import APIRouter, Request, Response

from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.api.webhook_endpoints import EndpointId
from owner.inbox.forms import Form, Sent
from owner.inbox.routing import PageRoute, Person
from owner.inbox.settings.sections import PAGE, Cursor, SettingsPage, saved, show_settings
from owner.inbox.settings.shown_once import ShownOnce
from owner.inbox.visit import Signed
from owner.models.permissions import Permission
from owner.models.webhook_delivery import WebhookDelivery, WebhookDeliveryStatus
from owner.models.webhook_endpoint import (
    FILTERS,
    FORMER_SECRET_SIGNS_FOR,
    WebhookEndpoint,
    WebhookEndpointCreate,
    WebhookEndpointUpdate,
)
from owner.repositories.webhook_deliveries import DeliveryFilter
from owner.services.catalog import Services

router = APIRouter(prefix="/inbox/settings/webhooks", route_class=PageRoute)
SECRET: Final = ShownOnce(str)
KINDS: Final = tuple(name for name in FILTERS if name.endswith(".*"))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointsPage(SettingsPage):
    """All endpoints, and a form for one more."""

    template: ClassVar = "settings/webhooks.html"
    section: ClassVar = "webhooks"
    kinds: ClassVar = KINDS
    endpoints: Sequence[WebhookEndpoint]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPage(SettingsPage):
    """One endpoint with its log; `secret` where one was made just now."""

    template: ClassVar = "settings/webhook.html"
    section: ClassVar = "webhooks"
    kinds: ClassVar = KINDS
    statuses: ClassVar = tuple(WebhookDeliveryStatus)
    endpoint: WebhookEndpoint
    deliveries: Sequence[WebhookDelivery]
    next_cursor: str | None
    status: WebhookDeliveryStatus | None = None
    secret: str | None = None


@router.get("", **needs(Permission.WEBHOOKS_WRITE))
async def show_endpoints(
    request: Request, services: UseCases, person: Person, cursor: Cursor = None
) -> Response:
    return show_settings(request, await _endpoints(services, person, Form(), cursor))


@router.post("", **needs(Permission.WEBHOOKS_WRITE))
async def create(request: Request, services: UseCases, person: Person, form: Sent) -> Response:
    with form.refusing():
        endpoint, secret = await services.webhook_endpoints.create(
            person.caller.owner_id,
            WebhookEndpointCreate.model_validate(_wanted(form)),
            by=person.caller.actor,
        )
        return SECRET.show_next(request, person, f"webhooks/{endpoint.endpoint_id}", secret)
    return show_settings(request, await _endpoints(services, person, form))


@router.get("/{endpoint_id:int}", **needs(Permission.WEBHOOKS_WRITE))
async def show_endpoint(
    request: Request,
    services: UseCases,
    person: Person,
    endpoint_id: EndpointId,
    *,
    status: WebhookDeliveryStatus | None = None,
    cursor: Cursor = None,
) -> Response:
    async def load(secret: str | None) -> EndpointPage:
        return await load_one(services, person, endpoint_id, secret=secret, status=status, cursor=cursor)

    return await SECRET.show(request, person, f"webhooks/{endpoint_id}", load)


@router.post("/{endpoint_id:int}", **needs(Permission.WEBHOOKS_WRITE))
async def change(
    request: Request, services: UseCases, person: Person, endpoint_id: EndpointId, form: Sent
) -> Response:
    with form.refusing():
        update = WebhookEndpointUpdate.model_validate(_wanted(form))
        await services.webhook_endpoints.update(
            person.caller.owner_id, endpoint_id, update, by=person.caller.actor
        )
        return saved(f"webhooks/{endpoint_id}")
    return show_settings(request, await load_one(services, person, endpoint_id, form=form))


@router.post("/{endpoint_id:int}/switch", **needs(Permission.WEBHOOKS_WRITE))
async def pause_or_go_on(services: UseCases, person: Person, endpoint_id: EndpointId, form: Sent) -> Response:
    update = WebhookEndpointUpdate(is_enabled=form.text("then") == "go-on")
    await services.webhook_endpoints.update(
        person.caller.owner_id, endpoint_id, update, by=person.caller.actor
    )
    return saved(f"webhooks/{endpoint_id}")


@router.post("/{endpoint_id:int}/test", **needs(Permission.WEBHOOKS_WRITE))
async def test(
    request: Request, services: UseCases, person: Person, endpoint_id: EndpointId, form: Sent
) -> Response:
    with form.refusing():
        delivery = await services.webhook_endpoints.test(
            person.caller.owner_id, endpoint_id, by=person.caller.actor
        )
        return saved(f"webhooks/deliveries/{delivery.delivery_id}", "sent")
    return show_settings(request, await load_one(services, person, endpoint_id, refused=form))


@router.post("/{endpoint_id:int}/secret", **needs(Permission.WEBHOOKS_WRITE))
async def replace_secret(
    request: Request, services: UseCases, person: Person, endpoint_id: EndpointId
) -> Response:
    """A new one; for a day the former signs too."""
    former: timedelta = FORMER_SECRET_SIGNS_FOR
    _, secret = await services.webhook_endpoints.rotate_secret(
        person.caller.owner_id, endpoint_id, former_signs_for=former, by=person.caller.actor
    )
    return SECRET.show_next(request, person, f"webhooks/{endpoint_id}", secret)


@router.post("/{endpoint_id:int}/delete", **needs(Permission.WEBHOOKS_WRITE))
async def delete(services: UseCases, person: Person, endpoint_id: EndpointId) -> Response:
    await services.webhook_endpoints.delete(person.caller.owner_id, endpoint_id, by=person.caller.actor)
    return saved("webhooks", "gone")


async def load_one(
    services: Services,
    person: Signed,
    endpoint_id: int,
    *,
    form: Form | None = None,
    refused: Form | None = None,
    status: WebhookDeliveryStatus | None = None,
    cursor: str | None = None,
    secret: str | None = None,
) -> EndpointPage:
    """An endpoint and what was sent to it; `refused` is a button's form, of which only what was wrong is shown."""
    owner_id = person.caller.owner_id
    endpoint = await services.webhook_endpoints.get(owner_id, endpoint_id)
    log = await services.webhook_deliveries.list_page(
        owner_id, DeliveryFilter(endpoint_id=endpoint_id, status=status), limit=PAGE, cursor=cursor
    )
    form = form or _as_stored(endpoint)
    if refused:
        form.say_first(refused)
    return EndpointPage(
        endpoint=endpoint,
        deliveries=log.items,
        next_cursor=log.next_cursor,
        status=status,
        secret=secret,
        form=form,
    )


async def _endpoints(
    services: Services, person: Signed, form: Form, cursor: str | None = None
) -> EndpointsPage:
    page = await services.webhook_endpoints.list_page(person.caller.owner_id, limit=PAGE, cursor=cursor)
    return EndpointsPage(endpoints=page.items, next_cursor=page.next_cursor, form=form)


def _as_stored(endpoint: WebhookEndpoint) -> Form:
    """All of a kind by a box, single types by their names."""
    kinds = [name for name in endpoint.event_types if name in KINDS]
    single = [name for name in endpoint.event_types if name not in KINDS]
    return Form.of(url=endpoint.url, description=endpoint.description, kinds=kinds, event_types=single)


def _wanted(form: Form) -> dict[str, object]:
    return {
        "url": form.text("url").strip(),
        "description": form.text_or_none("description"),
        "event_types": [*form.chosen("kinds"), *form.lines("event_types")],
    }
