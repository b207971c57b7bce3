"""People of the company: who is here, what each may do, who comes in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from fastapi import APIRouter, Request, Response

from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.api.users import UserId
from owner.inbox.forms import Form, Sent
from owner.inbox.routing import PageRoute, Person
from owner.inbox.settings.sections import PAGE, Cursor, SettingsPage, saved, show_settings
from owner.inbox.settings.shown_once import ShownOnce
from owner.inbox.visit import Signed
from owner.models.enums import UserRole
from owner.models.one_time_link import LinkResponse
from owner.models.permissions import Permission
from owner.models.user import User, UserCreate, UserUpdate
from owner.services.catalog import Services

router = APIRouter(prefix="/inbox/settings/people", route_class=PageRoute)
ROLES: Final = tuple(role.value for role in UserRole)
LINK: Final = ShownOnce(LinkResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeoplePage(SettingsPage):
    """Everybody, and a form to invite one more."""

    template: ClassVar = "settings/people.html"
    section: ClassVar = "people"
    people: Sequence[User]
    next_cursor: str | None
    roles: ClassVar = ROLES


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPage(SettingsPage):
    """One person; `link` where one was made for them just now."""

    template: ClassVar = "settings/person.html"
    section: ClassVar = "people"
    user: User
    link: LinkResponse | None = None
    roles: ClassVar = ROLES


@router.get("", **needs(Permission.USERS_READ))
async def show_people(
    request: Request, services: UseCases, person: Person, cursor: Cursor = None
) -> Response:
    form = Form.of(role=UserRole.AGENT)
    return show_settings(request, await _people(services, person, form, cursor))


@router.post("", **needs(Permission.USERS_WRITE))
async def invite(request: Request, services: UseCases, person: Person, form: Sent) -> Response:
    with form.refusing():
        create = UserCreate.model_validate(form.texts("email", "name", "role"))
        user, link = await services.users.invite(person.caller, create)
        return _invited(request, person, user, link)
    return show_settings(request, await _people(services, person, form))


@router.get("/{user_id:int}", **needs(Permission.USERS_READ))
async def show_person(request: Request, services: UseCases, person: Person, user_id: UserId) -> Response:
    async def load(link: LinkResponse | None) -> PersonPage:
        user = await services.users.get(person.caller.owner_id, user_id)
        return PersonPage(user=user, link=link, form=_as_stored(user))

    return await LINK.show(request, person, f"people/{user_id}", load)


@router.post("/{user_id:int}", **needs(Permission.USERS_WRITE))
async def change(
    request: Request, services: UseCases, person: Person, user_id: UserId, form: Sent
) -> Response:
    with form.refusing():
        update = UserUpdate.model_validate(form.texts("name", "role"))
        await services.users.update(person.caller, user_id, update)
        return saved("people")
    user = await services.users.get(person.caller.owner_id, user_id)
    return show_settings(request, PersonPage(user=user, form=form))


@router.post("/{user_id:int}/access", **needs(Permission.USERS_WRITE))
async def shut_out_or_let_in(
    request: Request, services: UseCases, person: Person, user_id: UserId, form: Sent
) -> Response:
    with form.refusing():
        update = UserUpdate(is_active=form.text("then") == "let-in")
        await services.users.update(person.caller, user_id, update)
        return saved("people")
    return await _refused(request, services, person, user_id, form)


@router.post("/{user_id:int}/invitation", **needs(Permission.USERS_WRITE))
async def invite_again(
    request: Request, services: UseCases, person: Person, user_id: UserId, form: Sent
) -> Response:
    with form.refusing():
        return _invited(request, person, *await services.users.invite_again(person.caller, user_id))
    return await _refused(request, services, person, user_id, form)


@router.post("/{user_id:int}/second-factor", **needs(Permission.USERS_WRITE))
async def take_second_factor_away(services: UseCases, person: Person, user_id: UserId) -> Response:
    await services.second_factor.reset(person.caller, user_id)
    return saved("people")


async def _people(services: Services, person: Signed, form: Form, cursor: str | None = None) -> PeoplePage:
    page = await services.users.list_page(person.caller.owner_id, limit=PAGE, cursor=cursor)
    return PeoplePage(people=page.items, next_cursor=page.next_cursor, form=form)


async def _refused(
    request: Request, services: Services, person: Signed, user_id: int, form: Form
) -> Response:
    """The person as stored, with what was wrong about a button."""
    user = await services.users.get(person.caller.owner_id, user_id)
    shown = _as_stored(user)
    shown.say_first(form)
    return show_settings(request, PersonPage(user=user, form=shown))


def _as_stored(user: User) -> Form:
    return Form.of(name=user.name, role=user.role)


def _invited(request: Request, person: Signed, user: User, link: LinkResponse | None) -> Response:
    """Where mail can be sent the link is on its way; elsewhere it is shown, this once."""
    if link is None:
        return saved("people", "invited")
    return LINK.show_next(request, person, f"people/{user.user_id}", link)
