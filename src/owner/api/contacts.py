"""Routes of contacts: who they are and how they are reached."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, status

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.contact import (
    AddressInput,
    ContactBlock,
    ContactCreate,
    ContactFilter,
    ContactResponse,
    ContactUpdate,
)
from owner.models.entity import LARGEST_ID, Page
from owner.models.enums import Channel
from owner.models.permissions import Permission
from owner.services.contacts import KnownContact

router = APIRouter(prefix="/v1/contacts", tags=["contacts"], route_class=Route)
ContactId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
GONE: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "`contact_merged` or `contact_erased`: the contact is a tombstone."}
}
TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "`address_taken`: another contact has the address; `contact_id` says which."}
}
_WITHOUT_NUL: Final = r"^[^\x00]+$"


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=TAKEN,
    **needs(Permission.CONTACTS_WRITE, creates=True),
)
async def create_contact(create: ContactCreate, services: UseCases, caller: Caller) -> ContactResponse:
    """Make a person known before they write."""
    return shown(await services.contacts.create(caller.owner_id, create, by=caller.actor))


@router.get("", **needs(Permission.CONTACTS_READ))
async def list_contacts(
    services: UseCases,
    caller: Caller,
    *,
    address: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=255,
            pattern=_WITHOUT_NUL,
            description="Exactly this number, on any channel unless it has a prefix such as `whatsapp:`.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            pattern=_WITHOUT_NUL,
            description="How the name begins, whatever case and accents; the list is then ordered by name.",
        ),
    ] = None,
    text: Annotated[
        str | None,
        Query(
            min_length=2,
            max_length=200,
            pattern=_WITHOUT_NUL,
            description="How words of the name, the addresses or the attributes begin; all of them must be there.",
        ),
    ] = None,
    blocked: bool | None = None,
    opted_out: Annotated[
        bool | None, Query(description="Whether any of the contact's addresses wants no messages.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ContactResponse]:
    """Contacts, newest first; those that were merged into another one or erased are left out."""
    wanted = ContactFilter(address=address, name=name, text=text, blocked=blocked, opted_out=opted_out)
    page = await services.contacts.list_page(caller.owner_id, wanted, limit=limit, cursor=cursor)
    return Page[ContactResponse](items=[shown(known) for known in page.items], next_cursor=page.next_cursor)


# The paths say `int`, so that `opt-outs` is none of these.
@router.get("/{contact_id:int}", **needs(Permission.CONTACTS_READ))
async def get_contact(contact_id: ContactId, services: UseCases, caller: Caller) -> ContactResponse:
    """One contact. A merged one names the contact that it is part of, an erased one is empty."""
    return shown(await services.contacts.get(caller.owner_id, contact_id))


@router.patch("/{contact_id:int}", responses=GONE, **needs(Permission.CONTACTS_WRITE))
async def update_contact(
    contact_id: ContactId, update: ContactUpdate, services: UseCases, caller: Caller
) -> ContactResponse:
    """Change what is known of a contact: absent fields stay, null clears, attributes change one by one."""
    return shown(await services.contacts.update(caller.owner_id, contact_id, update, by=caller.actor))


@router.post(
    "/{contact_id}/addresses",
    status_code=status.HTTP_201_CREATED,
    responses=TAKEN,
    **needs(Permission.CONTACTS_WRITE, creates=True),
)
async def add_contact_address(
    contact_id: ContactId, address: AddressInput, services: UseCases, caller: Caller
) -> ContactResponse:
    """Let a contact be reached at another address; an opt-out that is remembered of the address still holds."""
    return shown(await services.contacts.add_address(caller.owner_id, contact_id, address, by=caller.actor))


@router.delete(
    "/{contact_id}/addresses",
    responses={409: {"description": "`address_in_use`: a conversation with the address is open."}},
    **needs(Permission.CONTACTS_WRITE),
)
async def remove_contact_address(
    contact_id: ContactId,
    services: UseCases,
    caller: Caller,
    *,
    channel: Channel,
    address: Annotated[
        str,
        Query(min_length=1, max_length=255, pattern=_WITHOUT_NUL, json_schema_extra={"format": "phone"}),
    ],
) -> ContactResponse:
    """Forget an address of a contact; an opt-out of it is remembered, should it come back."""
    written = f"+{address[1:]}" if address.startswith(" ") else address
    given = AddressInput(channel=channel, address=written)
    return shown(await services.contacts.remove_address(caller.owner_id, contact_id, given, by=caller.actor))


@router.post("/{contact_id}/block", responses=GONE, **needs(Permission.CONTACTS_WRITE))
async def block_contact(
    contact_id: ContactId, services: UseCases, caller: Caller, block: ContactBlock | None = None
) -> ContactResponse:
    """Hear nothing from a contact: messages are kept but wake nobody, sends are refused, conversations end."""
    reason = block.reason if block else None
    return shown(await services.contacts.block(caller.owner_id, contact_id, reason=reason, by=caller.actor))


@router.post("/{contact_id}/unblock", responses=GONE, **needs(Permission.CONTACTS_WRITE))
async def unblock_contact(contact_id: ContactId, services: UseCases, caller: Caller) -> ContactResponse:
    """Let a contact write again; what came meanwhile stays where it is."""
    return shown(await services.contacts.unblock(caller.owner_id, contact_id, by=caller.actor))


def shown(known: KnownContact) -> ContactResponse:
    return known.shown()
