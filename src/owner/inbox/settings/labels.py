"""Labels: the words that people put on conversations, and their colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from fastapi import APIRouter, Request, Response

from owner.api.dependencies import UseCases
from owner.api.labels import LabelId
from owner.api.routing import needs
from owner.inbox.forms import Form, Sent
from owner.inbox.routing import PageRoute, Person
from owner.inbox.settings.sections import PAGE, Cursor, SettingsPage, saved, show_settings
from owner.inbox.visit import Signed
from owner.models.label import Label, LabelCreate, LabelUpdate
from owner.models.permissions import Permission
from owner.services.catalog import Services

router = APIRouter(prefix="/inbox/settings/labels", route_class=PageRoute)
COLOR: Final = LabelCreate.model_fields["color"].default


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsPage(SettingsPage):
    """All of them, and a form: for one more, or for the one that is changed."""

    template: ClassVar = "settings/labels.html"
    section: ClassVar = "labels"
    labels: Sequence[Label]
    next_cursor: str | None
    changed_id: int | None = None


@router.get("", **needs(Permission.LIBRARY_READ))
async def show_labels(
    request: Request, services: UseCases, person: Person, cursor: Cursor = None
) -> Response:
    return show_settings(request, await _labels(services, person, Form.of(color=COLOR), cursor))


@router.post("", **needs(Permission.LIBRARY_WRITE))
async def create(request: Request, services: UseCases, person: Person, form: Sent) -> Response:
    with form.refusing():
        wanted = LabelCreate.model_validate(form.texts("name", "color"))
        await services.labels.create(person.caller, wanted)
        return saved("labels")
    return show_settings(request, await _labels(services, person, form))


@router.get("/{label_id:int}", **needs(Permission.LIBRARY_WRITE))
async def show_label(request: Request, services: UseCases, person: Person, label_id: LabelId) -> Response:
    label = await services.labels.get(person.caller.owner_id, label_id)
    form = Form.of(name=label.name, color=label.color)
    return show_settings(request, await _labels(services, person, form, changed_id=label_id))


@router.post("/{label_id:int}", **needs(Permission.LIBRARY_WRITE))
async def change(
    request: Request, services: UseCases, person: Person, label_id: LabelId, form: Sent
) -> Response:
    with form.refusing():
        update = LabelUpdate.model_validate(form.texts("name", "color"))
        await services.labels.change(person.caller, label_id, update)
        return saved("labels")
    return show_settings(request, await _labels(services, person, form, changed_id=label_id))


@router.post("/{label_id:int}/delete", **needs(Permission.LIBRARY_WRITE))
async def delete(services: UseCases, person: Person, label_id: LabelId) -> Response:
    await services.labels.delete(person.caller, label_id)
    return saved("labels", "gone")


async def _labels(
    services: Services,
    person: Signed,
    form: Form,
    cursor: str | None = None,
    *,
    changed_id: int | None = None,
) -> LabelsPage:
    page = await services.labels.list_page(person.caller.owner_id, limit=PAGE, cursor=cursor)
    return LabelsPage(labels=page.items, next_cursor=page.next_cursor, form=form, changed_id=changed_id)
