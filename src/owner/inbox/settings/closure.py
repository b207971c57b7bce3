"""When conversations end by the customer's words, with a place to try a message."""

from dataclasses import dataclass, field
from typing import ClassVar

from fastapi import APIRouter, Request, Response

from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.forms import Form, Sent
from owner.inbox.routing import PageRoute, Person
from owner.inbox.settings.sections import SettingsPage, saved, show_settings
from owner.models.closure import ClosureScore
from owner.models.closure_trial import ClosureTrial
from owner.models.owner import Owner, OwnerUpdate
from owner.models.permissions import Permission

router = APIRouter(prefix="/inbox/settings/closure", route_class=PageRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosurePage(SettingsPage):
    """The detector's settings; `trial` is the message that is tried, `score` what the detector says of it."""

    template: ClassVar = "settings/closure.html"
    section: ClassVar = "closure"
    trial: Form = field(default_factory=Form)
    score: ClosureScore | None = None


@router.get("", **needs(Permission.SETTINGS_READ))
async def show_closure(request: Request, person: Person) -> Response:
    return show_settings(request, ClosurePage(form=_as_stored(person.owner)))


@router.post("", **needs(Permission.SETTINGS_WRITE))
async def change(request: Request, services: UseCases, person: Person, form: Sent) -> Response:
    with form.refusing():
        update = OwnerUpdate.model_validate({"closure": _wanted(form)})
        await services.owner_settings.change(person.caller.owner_id, update, caller=person.caller)
        return saved("closure")
    return show_settings(request, ClosurePage(form=form))


@router.post("/try", **needs(Permission.SETTINGS_READ))
async def try_message(request: Request, services: UseCases, person: Person, form: Sent) -> Response:
    score = None
    with form.refusing():
        before = form.text_or_none("before")
        history = [{"speaker": "agent", "text": before}] if before else []
        trial = ClosureTrial.model_validate({"history": history, "text": form.text("text")})
        score = await services.closure_trial.score(person.caller.owner_id, trial)
    stored = _as_stored(person.owner)
    stored.status = form.status
    return show_settings(request, ClosurePage(form=stored, trial=form, score=score))


def _as_stored(owner: Owner) -> Form:
    return Form.of(**owner.closure.model_dump())


def _wanted(form: Form) -> dict[str, object]:
    return {
        "confirm_at": form.number("confirm_at"),
        "close_at": form.number("close_at"),
        "ask": form.has("ask"),
        "shadow": form.has("shadow"),
        "keywords": form.lines("keywords"),
        "replaces_lists": form.has("replaces_lists"),
        "never": form.lines("never"),
    }
