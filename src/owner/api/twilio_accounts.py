"""Routes of Twilio accounts."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from fastapi import status as http

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.openapi import PROBLEM
from owner.api.routing import Route, needs
from owner.models.entity import LARGEST_ID, Page
from owner.models.permissions import Permission
from owner.models.template import TemplateResponse, TemplateStatus
from owner.models.twilio_account import (
    AccountVerification,
    AccountVerify,
    TwilioAccountCreate,
    TwilioAccountResponse,
    TwilioAccountUpdate,
)

router = APIRouter(prefix="/v1/twilio-accounts", tags=["twilio accounts"], route_class=Route)
AccountId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
TWILIO_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    502: {"description": "Twilio refused, or can't be reached (`provider_error`).", **PROBLEM},
    504: {"description": "Twilio did not answer (`outcome_unknown`).", **PROBLEM},
}


@router.get("", **needs(Permission.SETTINGS_READ))
async def list_twilio_accounts(
    services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[TwilioAccountResponse]:
    """Your connected accounts with their numbers, newest first."""
    return await services.twilio_settings.list_page(caller.owner_id, limit=limit, cursor=cursor)


@router.post(
    "",
    status_code=http.HTTP_201_CREATED,
    responses=TWILIO_PROBLEMS,
    **needs(Permission.SETTINGS_WRITE, creates=True),
)
async def connect_twilio_account(
    create: TwilioAccountCreate, services: UseCases, caller: Caller
) -> TwilioAccountResponse:
    """Connect an account. Enter `inbound_url` at Twilio, or let `POST …/verify` do it."""
    return await services.twilio_settings.connect(caller.owner_id, create, by=caller.actor)


@router.get("/{twilio_account_id}", **needs(Permission.SETTINGS_READ))
async def get_twilio_account(
    twilio_account_id: AccountId, services: UseCases, caller: Caller
) -> TwilioAccountResponse:
    """One connected account; never a token."""
    return await services.twilio_settings.get(caller.owner_id, twilio_account_id)


@router.patch("/{twilio_account_id}", responses=TWILIO_PROBLEMS, **needs(Permission.SETTINGS_WRITE))
async def change_twilio_account(
    twilio_account_id: AccountId, update: TwilioAccountUpdate, services: UseCases, caller: Caller
) -> TwilioAccountResponse:
    """Add or remove numbers, name a Messaging Service, or begin to use a new token beside the former one."""
    return await services.twilio_settings.change(caller.owner_id, twilio_account_id, update, by=caller.actor)


@router.post("/{twilio_account_id}/promote", **needs(Permission.SETTINGS_WRITE))
async def promote_twilio_token(
    twilio_account_id: AccountId, services: UseCases, caller: Caller
) -> TwilioAccountResponse:
    """Accept the newest token only: call it when Twilio has promoted that one. A second time changes nothing."""
    return await services.twilio_settings.promote(caller.owner_id, twilio_account_id, by=caller.actor)


@router.post("/{twilio_account_id}/verify", responses=TWILIO_PROBLEMS, **needs(Permission.SETTINGS_WRITE))
async def verify_twilio_account(
    twilio_account_id: AccountId, services: UseCases, caller: Caller, verify: AccountVerify | None = None
) -> AccountVerification:
    """Ask Twilio whether the token is right and where it delivers; with `repair`, enter the right URLs there."""
    repair = verify is not None and verify.repair
    return await services.channel_setup.verify(
        caller.owner_id, twilio_account_id, repair=repair, by=caller.actor
    )


@router.get("/{twilio_account_id}/templates", responses=TWILIO_PROBLEMS, **needs(Permission.MESSAGES_SEND))
async def list_templates(
    twilio_account_id: AccountId, services: UseCases, caller: Caller, status: TemplateStatus | None = None
) -> Page[TemplateResponse]:
    """All templates of the account at Twilio by name, on one page; up to two minutes old."""
    found = await services.templates.list_all(caller.owner_id, twilio_account_id, status=status)
    return Page[TemplateResponse](items=[TemplateResponse.of(one) for one in found], next_cursor=None)


@router.delete(
    "/{twilio_account_id}",
    status_code=http.HTTP_204_NO_CONTENT,
    **needs(Permission.SETTINGS_WRITE),
)
async def disconnect_twilio_account(twilio_account_id: AccountId, services: UseCases, caller: Caller) -> None:
    """Forget the tokens and free the numbers; conversations stay. 409 while one of them is open."""
    await services.twilio_settings.disconnect(caller.owner_id, twilio_account_id, by=caller.actor)
