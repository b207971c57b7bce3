"""API keys: what programs act with. A key is shown when it is made, and never again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from fastapi import APIRouter, Request, Response

from owner.api.api_keys import ApiKeyId
from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.forms import Form, Sent
from owner.inbox.routing import PageRoute, Person
from owner.inbox.settings.sections import PAGE, Cursor, SettingsPage, saved, show_settings
from owner.inbox.settings.shown_once import ShownOnce
from owner.inbox.visit import Signed
from owner.models.api_key import ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyRotate
from owner.models.permissions import ALL_SCOPES, SCOPES, Permission
from owner.services.catalog import Services

router = APIRouter(prefix="/inbox/settings/api-keys", route_class=PageRoute)
HERE: Final = "api-keys"
KEY: Final = ShownOnce(ApiKeyCreated)
CHOICES: Final = (ALL_SCOPES, *(scope for scope in Permission if scope in SCOPES))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeysPage(SettingsPage):
    """All keys, and a form for one more; `made` is the one that was made just now."""

    template: ClassVar = "settings/api_keys.html"
    section: ClassVar = "api-keys"
    scopes: ClassVar = CHOICES
    keys: Sequence[ApiKey]
    next_cursor: str | None
    made: ApiKeyCreated | None = None


@router.get("", **needs(Permission.API_KEYS_WRITE))
async def show_keys(request: Request, services: UseCases, person: Person, cursor: Cursor = None) -> Response:
    async def load(made: ApiKeyCreated | None) -> ApiKeysPage:
        return await _keys(services, person, Form(), cursor=cursor, made=made)

    return await KEY.show(request, person, HERE, load)


@router.post("", **needs(Permission.API_KEYS_WRITE))
async def create(request: Request, services: UseCases, person: Person, form: Sent) -> Response:
    with form.refusing():
        days = form.number("expires_in_days") if form.text_or_none("expires_in_days") else None
        wanted = {"name": form.text("name"), "scopes": form.chosen("scopes"), "expires_in_days": days}
        made = await services.api_keys.create(person.caller, ApiKeyCreate.model_validate(wanted))
        return KEY.show_next(request, person, HERE, made)
    return show_settings(request, await _keys(services, person, form))


@router.post("/{api_key_id:int}/rotate", **needs(Permission.API_KEYS_WRITE))
async def rotate(
    request: Request, services: UseCases, person: Person, api_key_id: ApiKeyId, form: Sent
) -> Response:
    """A key in its place; the former one goes on for a day."""
    with form.refusing():
        made = await services.api_keys.rotate(person.caller, api_key_id, ApiKeyRotate())
        return KEY.show_next(request, person, HERE, made)
    return show_settings(request, await _keys(services, person, form))


@router.post("/{api_key_id:int}/revoke", **needs(Permission.API_KEYS_WRITE))
async def revoke(services: UseCases, person: Person, api_key_id: ApiKeyId) -> Response:
    await services.api_keys.revoke(person.caller, api_key_id)
    return saved("api-keys", "revoked")


async def _keys(
    services: Services,
    person: Signed,
    form: Form,
    *,
    cursor: str | None = None,
    made: ApiKeyCreated | None = None,
) -> ApiKeysPage:
    page = await services.api_keys.list_page(person.caller.owner_id, limit=PAGE, cursor=cursor)
    return ApiKeysPage(keys=page.items, next_cursor=page.next_cursor, form=form, made=made)
