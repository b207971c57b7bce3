"""The company: its name and language, how long conversations live, and what is said in its name."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from fastapi import APIRouter, Request, Response

from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.forms import Form, Sent
from owner.inbox.routing import PageRoute, Person
from owner.inbox.settings.sections import SettingsPage, saved, show_settings
from owner.models.owner import Owner, OwnerUpdate, time_zones
from owner.models.permissions import Permission

router = APIRouter(prefix="/inbox/settings/company", route_class=PageRoute)
_MINUTE: Final = timedelta(minutes=1)
_LIMITS: Final = ("idle_after", "expires_after", "reopen_grace")
_TEXTS: Final = ("closing", "asking", "asking_content_sid")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyPage(SettingsPage):
    """What is the same for all conversations."""

    template: ClassVar = "settings/company.html"
    section: ClassVar = "company"

    @property
    def zones(self) -> list[tuple[str, str]]:
        """Those named after a place, UTC, and whichever is stored: not "Factory", "localtime" and their like."""
        named = {name for name in time_zones() if "/" in name and not name.startswith("Etc/")}
        return [
            (name, name.replace("_", " ")) for name in sorted({*named, "UTC", self.form.text("time_zone")})
        ]


@router.get("", **needs(Permission.SETTINGS_READ))
async def show_company(request: Request, person: Person) -> Response:
    return show_settings(request, CompanyPage(form=_as_stored(person.owner)))


@router.post("", **needs(Permission.SETTINGS_WRITE))
async def change(request: Request, services: UseCases, person: Person, form: Sent) -> Response:
    with form.refusing():
        update = OwnerUpdate.model_validate(_wanted(form))
        await services.owner_settings.change(person.caller.owner_id, update, caller=person.caller)
        return saved("company")
    return show_settings(request, CompanyPage(form=form))


def _as_stored(owner: Owner) -> Form:
    minutes = {name: f"{getattr(owner, name) / _MINUTE:g}" for name in _LIMITS}
    return Form.of(
        name=owner.name,
        time_zone=owner.time_zone,
        language=owner.language,
        opt_out_words=owner.opt_out_words,
        **minutes,
        **owner.texts.model_dump(),
    )


def _wanted(form: Form) -> dict[str, object]:
    return {
        **form.texts("name", "time_zone", "language"),
        **{name: _duration(form.number(name)) for name in _LIMITS},
        "opt_out_words": form.lines("opt_out_words"),
        "texts": {name: form.text_or_none(name) for name in _TEXTS},
    }


def _duration(minutes: float | str) -> float | str:
    """Parts of a minute go as ISO 8601: a number is whole minutes."""
    if isinstance(minutes, str) or minutes == minutes // 1:
        return minutes
    whole, seconds = divmod(round(minutes * 60), 60)
    return f"PT{whole}M{seconds}S"
