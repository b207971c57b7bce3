"""Routes of one person's rights: to get their data, and to have it erased."""

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from owner.api.contacts import ContactId
from owner.api.dependencies import Caller, UseCases
from owner.api.routing import Route, needs
from owner.models.contact_export import ContactExport
from owner.models.erasure import ContactErase, ContactErasureResponse
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1/contacts", tags=["contacts"], route_class=Route)


@router.get(
    "/{contact_id:int}/export",
    response_class=StreamingResponse,
    responses={
        200: {"model": ContactExport, "description": "One JSON document, sent piece by piece."},
        409: {"description": "`contact_merged`: the person is part of another contact."},
    },
    **needs(Permission.CONTACTS_ERASE),
)
async def export_contact(contact_id: ContactId, services: UseCases, caller: Caller) -> StreamingResponse:
    """Everything that is kept about one person: addresses, consents, conversations, messages, files."""
    pieces = await services.contact_export.export(caller.owner_id, contact_id)
    headers = {
        "Content-Disposition": f"attachment; filename=contact-{contact_id}.json",
        "Cache-Control": "no-store",
    }
    return StreamingResponse(pieces, media_type="application/json", headers=headers)


@router.post(
    "/{contact_id:int}/erase",
    responses={
        409: {"description": "`contact_merged`: the person is part of another contact; erase that one."}
    },
    **needs(Permission.CONTACTS_ERASE),
)
async def erase_contact(
    contact_id: ContactId, erase: ContactErase, services: UseCases, caller: Caller
) -> ContactErasureResponse:
    """Erase one person's words, names, numbers and files for good; counts, times and an opt-out stay."""
    assert erase.confirm
    return await services.contact_erasure.erase(caller.owner_id, contact_id, by=caller.actor)
