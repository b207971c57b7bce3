"""Routes of one's own second factor."""

from fastapi import APIRouter, status

from owner.api.dependencies import Caller, UseCases
from owner.api.routing import Route, needs
from owner.api.visitor import From
from owner.models.permissions import Permission
from owner.models.second_factor import (
    RecoveryCodes,
    SecondFactorConfirm,
    SecondFactorDisable,
    SecondFactorEnrol,
    SecondFactorSecret,
)

router = APIRouter(prefix="/v1/users/me/second-factor", tags=["people"], route_class=Route)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses={409: {"description": "There is one already (`second_factor_active`)."}},
    **needs(Permission.SELF, creates=True),
)
async def enrol_second_factor(
    enrol: SecondFactorEnrol, services: UseCases, caller: Caller, visitor: From
) -> SecondFactorSecret:
    """Get a secret for an authenticator, in the place of one that was not confirmed; it counts once it is."""
    return await services.second_factor.enrol(caller, enrol.password, visitor)


@router.put(
    "",
    responses={409: {"description": "There is nothing to confirm."}},
    **needs(Permission.SELF),
)
async def confirm_second_factor(
    confirm: SecondFactorConfirm, services: UseCases, caller: Caller
) -> RecoveryCodes:
    """Switch the second factor on by a code; the recovery codes are shown this once."""
    return RecoveryCodes(recovery_codes=await services.second_factor.confirm(caller, confirm.code))


@router.post(
    "/disable",
    status_code=status.HTTP_204_NO_CONTENT,
    responses={409: {"description": "There is none (`second_factor_missing`)."}},
    **needs(Permission.SELF),
)
async def disable_second_factor(
    disable: SecondFactorDisable, services: UseCases, caller: Caller, visitor: From
) -> None:
    """Switch the second factor off, by password and code."""
    await services.second_factor.disable(caller, disable, visitor)
