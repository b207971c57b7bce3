"""Routes of consent: who wants no messages, and how we know."""

from fastapi import APIRouter

from owner.api.contacts import GONE, ContactId, shown
from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.consent import ConsentResponse, OptOutCreate, OptOutImport, OptOutImportResponse
from owner.models.contact import ContactResponse
from owner.models.entity import Page
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1/contacts", tags=["contacts"], route_class=Route)


@router.post("/opt-outs", **needs(Permission.CONTACTS_WRITE, creates=True))
async def import_opt_outs(create: OptOutImport, services: UseCases, caller: Caller) -> OptOutImportResponse:
    """Note the opt-outs of a list from elsewhere; addresses that nobody knows become contacts."""
    imported = await services.consents.import_opt_outs(caller.owner_id, create, by=caller.actor)
    return OptOutImportResponse.model_validate(imported)


@router.get("/{contact_id:int}/consents", **needs(Permission.CONTACTS_READ))
async def list_contact_consents(
    contact_id: ContactId, services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[ConsentResponse]:
    """Every change of a contact's consent, newest first: where it came from and what proves it."""
    page = await services.consents.list_page(caller.owner_id, contact_id, limit=limit, cursor=cursor)
    return Page[ConsentResponse].model_validate(page)


@router.post("/{contact_id:int}/opt-out", responses=GONE, **needs(Permission.CONTACTS_WRITE))
async def opt_out_contact(
    contact_id: ContactId, create: OptOutCreate, services: UseCases, caller: Caller
) -> ContactResponse:
    """Note on a customer's behalf that they want no more messages."""
    return shown(await services.consents.opt_out(caller.owner_id, contact_id, create, by=caller.actor))


@router.post(
    "/{contact_id:int}/opt-in",
    responses={409: {"description": "`contact_opted_out`: only the customer can take it back."}},
    **needs(Permission.CONTACTS_WRITE),
)
async def opt_in_contact(
    contact_id: ContactId, create: OptOutCreate, services: UseCases, caller: Caller
) -> ContactResponse:
    """Take back an opt-out that the company itself noted; what the customer said only they can take back."""
    return shown(await services.consents.opt_in(caller.owner_id, contact_id, create, by=caller.actor))
