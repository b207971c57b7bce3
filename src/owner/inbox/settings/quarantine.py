"""The quarantine: webhooks that were refused, to be taken in after all or thrown away."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import APIRouter, Request, Response

from owner.api.dependencies import UseCases
from owner.api.quarantine import QuarantineId
from owner.api.routing import needs
from owner.inbox.forms import Form, Sent
from owner.inbox.routing import PageRoute, Person
from owner.inbox.settings.sections import PAGE, Cursor, SettingsPage, saved, show_settings
from owner.inbox.visit import Signed
from owner.models.permissions import Permission
from owner.models.quarantine import QuarantinedRequest
from owner.services.catalog import Services

router = APIRouter(prefix="/inbox/settings/quarantine", route_class=PageRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinePage(SettingsPage):
    """What was refused, newest first, without what customers wrote."""

    template: ClassVar = "settings/quarantine.html"
    section: ClassVar = "quarantine"
    requests: Sequence[QuarantinedRequest]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedPage(SettingsPage):
    """One of them with everything that it said."""

    template: ClassVar = "settings/quarantined.html"
    section: ClassVar = "quarantine"
    refused: QuarantinedRequest


@router.get("", **needs(Permission.QUARANTINE_WRITE))
async def show_quarantine(
    request: Request, services: UseCases, person: Person, cursor: Cursor = None
) -> Response:
    page = await services.quarantine.list_page(person.caller.owner_id, limit=PAGE, cursor=cursor)
    return show_settings(request, QuarantinePage(requests=page.items, next_cursor=page.next_cursor))


@router.get("/{quarantine_id:int}", **needs(Permission.QUARANTINE_WRITE))
async def show_quarantined(
    request: Request, services: UseCases, person: Person, quarantine_id: QuarantineId
) -> Response:
    return await _quarantined(request, services, person, quarantine_id, Form())


@router.post("/{quarantine_id:int}/replay", **needs(Permission.QUARANTINE_WRITE))
async def take_in(
    request: Request, services: UseCases, person: Person, quarantine_id: QuarantineId, form: Sent
) -> Response:
    caller = person.caller
    why = form.say(
        "Nobody has connected its number yet, or nothing proves where it is from: then vouch for it."
    )
    with form.refusing(conflict=why):
        await services.quarantine.replay(
            quarantine_id, trust=form.has("trust"), owner_id=caller.owner_id, by=caller.actor
        )
        return saved("quarantine", "taken-in")
    return await _quarantined(request, services, person, quarantine_id, form)


@router.post("/{quarantine_id:int}/discard", **needs(Permission.QUARANTINE_WRITE))
async def discard(services: UseCases, person: Person, quarantine_id: QuarantineId) -> Response:
    await services.quarantine.discard(person.caller.owner_id, quarantine_id, by=person.caller.actor)
    return saved("quarantine", "gone")


async def _quarantined(
    request: Request, services: Services, person: Signed, quarantine_id: int, form: Form
) -> Response:
    refused = await services.quarantine.get(person.caller.owner_id, quarantine_id)
    return show_settings(request, QuarantinedPage(refused=refused, form=form))
