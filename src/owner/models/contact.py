"""The customers, and whether they want to hear from the company."""

from typing import Any

from pydantic import Field

from owner.models.entity import DTO, Entity, Moment
from owner.models.enums import Channel


class Contact(Entity):
    """A person who writes to the company."""

    owner_id: int
    contact_id: int
    name: str | None = None
    language: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    created_at: Moment
    updated_at: Moment


class ContactAddress(Entity):
    """One way to reach a contact. `reply_address` is the address as the customer's provider writes it."""

    owner_id: int
    channel: Channel
    address: str
    reply_address: str
    contact_id: int
    opted_out_at: Moment | None = None
    opt_out_evidence: dict[str, Any] | None = None
    created_at: Moment

    @property
    def is_opted_out(self) -> bool:
        return self.opted_out_at is not None


class ContactResponse(DTO):
    """A contact as the API shows it."""

    contact_id: int
    name: str | None
    language: str | None
