"""Which pages the settings have, who may see each, and what they share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, ClassVar, Final, NamedTuple

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse
from starlette.requests import Request
from starlette.responses import Response

from owner.api.routing import needs
from owner.inbox.forms import Form
from owner.inbox.rendering import Page, show
from owner.inbox.routing import PageRoute, Visiting
from owner.models.permissions import Permission

router = APIRouter(prefix="/inbox/settings", route_class=PageRoute)
ROOT: Final = "/inbox/settings"
PAGE: Final = 50  # rows of a table
Cursor = Annotated[str | None, Query(max_length=500)]


class Section(NamedTuple):
    """One page of the settings: the last part of its address, and who may see it."""

    name: str
    permission: Permission


SECTIONS: Final = (
    Section("account", Permission.SELF),
    Section("people", Permission.USERS_READ),
    Section("company", Permission.SETTINGS_READ),
    Section("closure", Permission.SETTINGS_READ),
    Section("replies", Permission.LIBRARY_READ),
    Section("labels", Permission.LIBRARY_READ),
    Section("features", Permission.SETTINGS_READ),
    Section("twilio", Permission.SETTINGS_READ),
    Section("api-keys", Permission.API_KEYS_WRITE),
    Section("webhooks", Permission.WEBHOOKS_WRITE),
    Section("quarantine", Permission.QUARANTINE_WRITE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsPage(Page):
    """A page beside the list of them all."""

    section: ClassVar[str]
    form: Form = field(default_factory=Form)

    @property
    def sections(self) -> Sequence[Section]:
        return SECTIONS


@router.get("", **needs(Permission.SELF))
async def go_to_first(visit: Visiting) -> Response:
    """To what a person came for: administrators to the company's people, everybody else to their own account."""
    first = "people" if visit.may(Permission.USERS_WRITE) else "account"
    return RedirectResponse(f"{ROOT}/{first}", HTTPStatus.SEE_OTHER)


def show_settings(request: Request, page: SettingsPage) -> Response:
    """The page; it says in its status what was wrong with what was sent."""
    return show(request, page, status=page.form.status)


def saved(place: str, notice: str = "saved") -> Response:
    """To where the change is seen, with a word about it."""
    return RedirectResponse(f"{ROOT}/{place}?notice={notice}", HTTPStatus.SEE_OTHER)
