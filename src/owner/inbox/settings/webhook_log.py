"""What was sent to an endpoint and what came back, one by one; and how to send it again."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fastapi import APIRouter, Request, Response

from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.api.webhook_deliveries import DeliveryId
from owner.api.webhook_endpoints import EndpointId
from owner.inbox.forms import Form, Sent
from owner.inbox.language import Voice
from owner.inbox.routing import PageRoute, Person, Visiting
from owner.inbox.settings.sections import SettingsPage, saved, show_settings
from owner.inbox.settings.webhooks import load_one
from owner.inbox.visit import Signed
from owner.models.permissions import Permission
from owner.models.webhook_delivery import WebhookDeliveryDetail, WebhookReplay
from owner.services.catalog import Services

router = APIRouter(prefix="/inbox/settings/webhooks", route_class=PageRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage(SettingsPage):
    """One delivery: what is sent, and each attempt."""

    template: ClassVar = "settings/webhook_delivery.html"
    section: ClassVar = "webhooks"
    delivery: WebhookDeliveryDetail


@router.get("/deliveries/{delivery_id:int}", **needs(Permission.WEBHOOKS_WRITE))
async def show_delivery(
    request: Request, services: UseCases, person: Person, delivery_id: DeliveryId
) -> Response:
    return await _delivery(request, services, person, delivery_id, Form())


@router.post("/deliveries/{delivery_id:int}/replay", **needs(Permission.WEBHOOKS_WRITE))
async def replay(
    request: Request, services: UseCases, person: Person, delivery_id: DeliveryId, form: Sent
) -> Response:
    with form.refusing():
        await services.webhook_deliveries.replay(person.caller.owner_id, delivery_id, by=person.caller.actor)
        return saved(f"webhooks/deliveries/{delivery_id}", "sent")
    return await _delivery(request, services, person, delivery_id, form)


@router.post("/{endpoint_id:int}/replay", **needs(Permission.WEBHOOKS_WRITE))
async def replay_since(
    request: Request, services: UseCases, visit: Visiting, endpoint_id: EndpointId, form: Sent
) -> Response:
    """Everything since a moment, as the reader's clock has it."""
    with form.refusing():
        wanted = {"since": _moment(form.text("since"), visit.voice), "only_failed": form.has("only_failed")}
        await _replay_all(services, visit.person, endpoint_id, WebhookReplay.model_validate(wanted))
        return saved(f"webhooks/{endpoint_id}", "sent")
    return show_settings(request, await load_one(services, visit.person, endpoint_id, refused=form))


async def _replay_all(services: Services, person: Signed, endpoint_id: int, replay: WebhookReplay) -> None:
    """A long time goes piece by piece."""
    cursor, is_more = None, True
    while is_more:
        done = await services.webhook_deliveries.replay_range(
            person.caller.owner_id, endpoint_id, replay, cursor=cursor, by=person.caller.actor
        )
        cursor, is_more = done.next_cursor, done.next_cursor is not None


async def _delivery(
    request: Request, services: Services, person: Signed, delivery_id: int, form: Form
) -> Response:
    delivery = await services.webhook_deliveries.get(person.caller.owner_id, delivery_id)
    page = DeliveryPage(delivery=WebhookDeliveryDetail.of(delivery), form=form)
    return show_settings(request, page)


def _moment(typed: str, voice: Voice) -> datetime | str:
    """With its zone; what is no moment goes on as it is, for the model to refuse."""
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=voice.time_zone)
    except ValueError:
        return typed
