"""Whether a customer wants messages: each change with who caused it and what proves it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, StringConstraints

from owner.models.addresses import Address
from owner.models.contact import AddressInput
from owner.models.entity import DTO, VISIBLE, Entity, Moment
from owner.models.enums import ActorKind, Channel, ConsentChange, ConsentSource
from owner.models.event import Actor

MOST_IMPORTED: Final = 1_000  # addresses of one import


@dataclass(frozen=True, slots=True)
class NewConsent:
    """A change before it has a row."""

    contact_id: int
    address: Address
    change: ConsentChange
    source: ConsentSource
    actor: Actor
    at: datetime
    evidence: dict[str, Any] = field(default_factory=dict)


class Consent(Entity):
    """A change as it was recorded."""

    owner_id: int
    consent_id: int
    contact_id: int
    channel: Channel
    address: str
    change: ConsentChange
    source: ConsentSource
    evidence: dict[str, Any]
    actor_kind: ActorKind
    actor_id: int | None
    created_at: Moment


class ConsentResponse(DTO):
    """A change as the API shows it."""

    consent_id: int
    channel: Channel
    address: str
    change: ConsentChange
    source: ConsentSource
    evidence: dict[str, Any]
    actor_kind: ActorKind
    actor_id: int | None
    created_at: Moment


Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=VISIBLE)]


class OptOutCreate(DTO):
    """That a customer wants no more messages, or that we were wrong about it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"reason": "Asked for it on the phone."},
                {"reason": "By e-mail.", "address": {"channel": "SMS", "address": "+5511987654321"}},
            ]
        }
    )

    reason: Reason = Field(description="How you know; kept as evidence.")
    address: AddressInput | None = Field(default=None, description="One address; left out: all.")


class OptOutImport(DTO):
    """Addresses of people who want no messages, from a list kept elsewhere."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reason": "Opt-outs of the former system, 2026-11.",
                    "addresses": [
                        {"channel": "SMS", "address": "+5511987654321"},
                        {"channel": "WHATSAPP", "address": "+5521987654321"},
                    ],
                }
            ]
        }
    )

    reason: Reason = Field(description="Where the list comes from; kept as evidence.")
    addresses: list[AddressInput] = Field(min_length=1, max_length=MOST_IMPORTED)


class OptOutImportResponse(DTO):
    """What an import changed."""

    opted_out: int = Field(description="Addresses that are opted out now and were not before.")
    already_opted_out: int
    contacts_created: int
