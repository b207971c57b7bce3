"""One's own account: password, second factor, and where one is signed in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final

import segno
from fastapi import APIRouter, Path, Request, Response

from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.api.visitor import From
from owner.inbox.forms import Form, Sent
from owner.inbox.routing import PageRoute, Person
from owner.inbox.settings.sections import PAGE, SettingsPage, saved, show_settings
from owner.inbox.visit import Signed
from owner.models.entity import LARGEST_ID
from owner.models.permissions import Permission
from owner.models.second_factor import SecondFactorConfirm, SecondFactorDisable, SecondFactorEnrol
from owner.models.session import Session
from owner.models.user import PasswordChange
from owner.services.catalog import Services

router = APIRouter(prefix="/inbox/settings/account", route_class=PageRoute)
LONGEST_URI: Final = 1_000  # characters; more than ours have, and fewer than a QR code holds


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage(SettingsPage):
    """The account of whoever looks; `form` is the password's."""

    template: ClassVar = "settings/account.html"
    section: ClassVar = "account"
    sessions: Sequence[Session]
    factor: Form = field(default_factory=Form)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentPage(SettingsPage):
    """What an authenticator needs, and a place for its first code."""

    template: ClassVar = "settings/second_factor.html"
    section: ClassVar = "account"
    recovery_codes: Sequence[str] = ()

    @property
    def qr_code(self) -> str | None:
        """The address as a picture; a page that came back with something else in its place has none."""
        uri = self.form.text("otpauth_uri")
        if not uri.startswith("otpauth://") or len(uri) > LONGEST_URI:
            return None
        return segno.make_qr(uri).svg_data_uri(scale=4, light="white")


@router.get("", **needs(Permission.SELF))
async def show_account(request: Request, services: UseCases, person: Person) -> Response:
    return await _account(request, services, person)


@router.post("/password", **needs(Permission.SELF))
async def change_password(
    request: Request, services: UseCases, person: Person, visitor: From, form: Sent
) -> Response:
    with form.refusing():
        change = PasswordChange.model_validate(form.texts("current_password", "new_password"))
        await services.account.change_password(person.caller, change, visitor)
        return saved("account", "password")
    return await _account(request, services, person, form=form)


@router.post("/second-factor", **needs(Permission.SELF))
async def begin_second_factor(
    request: Request, services: UseCases, person: Person, visitor: From, form: Sent
) -> Response:
    with form.refusing():
        enrol = SecondFactorEnrol.model_validate(form.texts("password"))
        made = await services.second_factor.enrol(person.caller, enrol.password, visitor)
        return show_settings(request, EnrolmentPage(form=Form.of(**made.model_dump())))
    return await _account(request, services, person, factor=form)


@router.post("/second-factor/confirm", **needs(Permission.SELF))
async def confirm_second_factor(request: Request, services: UseCases, person: Person, form: Sent) -> Response:
    """With the secret that the page brings back, so that a wrong code does not make a person begin again."""
    codes: Sequence[str] = ()
    with form.refusing():
        confirm = SecondFactorConfirm.model_validate(form.texts("code"))
        codes = await services.second_factor.confirm(person.caller, confirm.code)
    return show_settings(request, EnrolmentPage(form=form, recovery_codes=codes))


@router.post("/second-factor/disable", **needs(Permission.SELF))
async def disable_second_factor(
    request: Request, services: UseCases, person: Person, visitor: From, form: Sent
) -> Response:
    with form.refusing():
        disable = SecondFactorDisable.model_validate(form.texts("password", "code"))
        await services.second_factor.disable(person.caller, disable, visitor)
        return saved("account")
    return await _account(request, services, person, factor=form)


@router.post("/sessions/end-others", **needs(Permission.SELF))
async def sign_out_everywhere_else(services: UseCases, person: Person) -> Response:
    await services.sessions.end_others(person.caller)
    return saved("account", "signed-out")


@router.post("/sessions/{session_id:int}/end", **needs(Permission.SELF))
async def end_session(
    services: UseCases, person: Person, session_id: Annotated[int, Path(ge=1, le=LARGEST_ID)]
) -> Response:
    await services.sessions.end(person.caller, session_id)
    return saved("account", "signed-out")


async def _account(
    request: Request,
    services: Services,
    person: Signed,
    *,
    form: Form | None = None,
    factor: Form | None = None,
) -> Response:
    page = await services.sessions.list_page(person.caller, limit=PAGE)
    form, factor = form or Form(), factor or Form()
    form.status = max(form.status, factor.status)
    return show_settings(request, AccountPage(sessions=page.items, form=form, factor=factor))
