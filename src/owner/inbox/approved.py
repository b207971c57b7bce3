"""Templates that WhatsApp has approved: chosen from Twilio's list, filled in, sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from fastapi import APIRouter, Request, Response

from owner.api.conversations import ConvId
from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.conversations import done
from owner.inbox.forms import Form, Sent, said
from owner.inbox.refusals import plain
from owner.inbox.rendering import Page, show
from owner.inbox.routing import PageRoute, Person
from owner.models.errors import OutcomeUnknown, ProviderError
from owner.models.message import MessageCreate
from owner.models.permissions import Permission
from owner.models.template import Template

router = APIRouter(prefix="/inbox/conversations/{conv_id:int}", route_class=PageRoute)
VALUE: Final = "value-"  # begins the names of the fields for variables


@dataclass(frozen=True, slots=True)
class ApprovedTemplates(Page):
    """The list to choose from; `problem` where Twilio could not be asked, which leaves the SID by hand."""

    template: ClassVar = "approved_templates.html"
    conv_id: int
    templates: Sequence[Template] = ()
    problem: str | None = None


@router.get("/templates", **needs(Permission.MESSAGES_SEND))
async def show_templates(request: Request, services: UseCases, person: Person, conv_id: ConvId) -> Response:
    try:
        templates = await services.templates.list_for(person.caller.owner_id, conv_id)
    except (ProviderError, OutcomeUnknown) as problem:
        words = plain(request.state.visit.voice, problem)
        return show(request, ApprovedTemplates(conv_id, problem=words))
    return show(request, ApprovedTemplates(conv_id, templates))


@router.post("/template", **needs(Permission.MESSAGES_SEND))
async def send_template(
    request: Request, services: UseCases, person: Person, conv_id: ConvId, form: Sent
) -> Response:
    """What the channel takes when free text is too late."""
    sid = form.text("content_sid").strip()
    create = said(MessageCreate, content_sid=sid, content_variables=_values(form) or None)
    await services.messages.send_as(person.caller, conv_id, create)
    return await done(request, services, person, conv_id)


def _values(form: Form) -> dict[str, str]:
    """By a field for each variable; by hand they are numbered by their lines."""
    named = {
        name.removeprefix(VALUE): form.text(name).strip() for name in form.values if name.startswith(VALUE)
    }
    numbered = {str(number): line for number, line in enumerate(form.text("variables").splitlines(), 1)}
    return {name: value for name, value in {**numbered, **named}.items() if value}
