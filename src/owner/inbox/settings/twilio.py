"""Twilio accounts: connect one, see whether Twilio delivers here, change numbers and tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from fastapi import APIRouter, Request, Response

from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.api.twilio_accounts import AccountId
from owner.inbox.forms import Form, Sent
from owner.inbox.routing import PageRoute, Person
from owner.inbox.settings.sections import PAGE, Cursor, SettingsPage, saved, show_settings
from owner.inbox.settings.twilio_findings import in_words
from owner.inbox.visit import Signed
from owner.models.permissions import Permission
from owner.models.twilio_account import (
    AccountVerification,
    TwilioAccountCreate,
    TwilioAccountResponse,
    TwilioAccountUpdate,
)
from owner.services.catalog import Services

router = APIRouter(prefix="/inbox/settings/twilio", route_class=PageRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsPage(SettingsPage):
    """Connected accounts, and a form to connect one."""

    template: ClassVar = "settings/twilio_accounts.html"
    section: ClassVar = "twilio"
    accounts: Sequence[TwilioAccountResponse]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage(SettingsPage):
    """One account: `form` has its numbers, `token` a new token, `found` what Twilio said just now."""

    template: ClassVar = "settings/twilio_account.html"
    section: ClassVar = "twilio"
    account: TwilioAccountResponse
    token: Form = field(default_factory=Form)
    found: AccountVerification | None = None
    in_words: ClassVar = staticmethod(in_words)


@router.get("", **needs(Permission.SETTINGS_READ))
async def show_accounts(
    request: Request, services: UseCases, person: Person, cursor: Cursor = None
) -> Response:
    return show_settings(request, await _accounts(services, person, Form.of(verify=True), cursor))


@router.post("", **needs(Permission.SETTINGS_WRITE))
async def connect(request: Request, services: UseCases, person: Person, form: Sent) -> Response:
    with form.refusing():
        create = TwilioAccountCreate.model_validate(_wanted(form))
        made = await services.twilio_settings.connect(person.caller.owner_id, create, by=person.caller.actor)
        return saved(f"twilio/{made.twilio_account_id}", "connected")
    return show_settings(request, await _accounts(services, person, form))


@router.get("/{account_id:int}", **needs(Permission.SETTINGS_READ))
async def show_account(
    request: Request, services: UseCases, person: Person, account_id: AccountId
) -> Response:
    return await _account(request, services, person, account_id)


@router.post("/{account_id:int}", **needs(Permission.SETTINGS_WRITE))
async def change(
    request: Request, services: UseCases, person: Person, account_id: AccountId, form: Sent
) -> Response:
    """The numbers as they are to be: what is not written any more is taken away."""
    with form.refusing(conflict=form.say("Conversations over it are open: close them first.")):
        account = await services.twilio_settings.get(person.caller.owner_id, account_id)
        update = TwilioAccountUpdate.model_validate(_differences(account, form))
        await services.twilio_settings.change(
            person.caller.owner_id, account_id, update, by=person.caller.actor
        )
        return saved(f"twilio/{account_id}")
    return await _account(request, services, person, account_id, form=form)


@router.post("/{account_id:int}/token", **needs(Permission.SETTINGS_WRITE))
async def change_token(
    request: Request, services: UseCases, person: Person, account_id: AccountId, form: Sent
) -> Response:
    with form.refusing(conflict=form.say("Two tokens are accepted already: promote the newer one first.")):
        wanted = {"auth_token": form.text("auth_token").strip(), "verify": form.has("verify")}
        update = TwilioAccountUpdate.model_validate(wanted)
        await services.twilio_settings.change(
            person.caller.owner_id, account_id, update, by=person.caller.actor
        )
        return saved(f"twilio/{account_id}")
    return await _account(request, services, person, account_id, token=form)


@router.post("/{account_id:int}/promote", **needs(Permission.SETTINGS_WRITE))
async def promote(services: UseCases, person: Person, account_id: AccountId) -> Response:
    await services.twilio_settings.promote(person.caller.owner_id, account_id, by=person.caller.actor)
    return saved(f"twilio/{account_id}")


@router.post("/{account_id:int}/verify", **needs(Permission.SETTINGS_WRITE))
async def verify(
    request: Request, services: UseCases, person: Person, account_id: AccountId, form: Sent
) -> Response:
    """What Twilio says, shown once: asking again is cheap."""
    found = None
    with form.refusing():
        found = await services.channel_setup.verify(
            person.caller.owner_id, account_id, repair=form.has("repair"), by=person.caller.actor
        )
    return await _account(request, services, person, account_id, refused=form, found=found)


@router.post("/{account_id:int}/disconnect", **needs(Permission.SETTINGS_WRITE))
async def disconnect(
    request: Request, services: UseCases, person: Person, account_id: AccountId, form: Sent
) -> Response:
    with form.refusing(conflict=form.say("Conversations over it are open: close them first.")):
        await services.twilio_settings.disconnect(person.caller.owner_id, account_id, by=person.caller.actor)
        return saved("twilio", "gone")
    return await _account(request, services, person, account_id, refused=form)


def _wanted(form: Form) -> dict[str, object]:
    return {
        "account_sid": form.text("account_sid").strip(),
        "auth_token": form.text("auth_token").strip(),
        "phone_numbers": form.lines("phone_numbers"),
        "messaging_service_sid": form.text_or_none("messaging_service_sid"),
        "verify": form.has("verify"),
    }


def _differences(account: TwilioAccountResponse, form: Form) -> dict[str, object]:
    wanted, present = form.lines("phone_numbers"), account.phone_numbers
    return {
        "messaging_service_sid": form.text_or_none("messaging_service_sid"),
        "add_phone_numbers": [number for number in wanted if number not in present],
        "remove_phone_numbers": [number for number in present if number not in wanted],
    }


async def _accounts(
    services: Services, person: Signed, form: Form, cursor: str | None = None
) -> AccountsPage:
    page = await services.twilio_settings.list_page(person.caller.owner_id, limit=PAGE, cursor=cursor)
    return AccountsPage(accounts=page.items, next_cursor=page.next_cursor, form=form)


async def _account(
    request: Request,
    services: Services,
    person: Signed,
    account_id: int,
    *,
    form: Form | None = None,
    token: Form | None = None,
    refused: Form | None = None,
    found: AccountVerification | None = None,
) -> Response:
    """The account as stored; `refused` is a button's form, of which only what was wrong is shown."""
    account = await services.twilio_settings.get(person.caller.owner_id, account_id)
    form = form or Form.of(
        phone_numbers=account.phone_numbers, messaging_service_sid=account.messaging_service_sid
    )
    token = token or Form.of(verify=True)
    form.status = max(form.status, token.status)
    if refused:
        form.say_first(refused)
    return show_settings(request, AccountPage(account=account, form=form, token=token, found=found))
