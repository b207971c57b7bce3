"""The customers: who they are, how to reach them, and whether they want to hear from the company."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
)

from owner.models.addresses import Address, parse_address, parse_phone_number
from owner.models.contact_errors import ContactBlocked, ContactErased, ContactMerged
from owner.models.entity import DTO, STRIPPED, VISIBLE, Entity, Moment
from owner.models.enums import Channel, ConsentSource
from owner.models.errors import InvalidAddress, InvalidInput
from owner.models.opt_out import OptOutIntent
from owner.models.search_words import fold, words_of, words_of_address

MOST_ATTRIBUTES: Final = 50
MOST_ADDRESSES: Final = 20
# Pydantic describes the keys that match, but not that there are no others.
_NO_OTHER_KEYS: Final[dict[str, Any]] = {"additionalProperties": False}
_SAFE_INTEGER: Final = 2**53  # beyond it JSON readers round
_NUMBERED: Final = frozenset({Channel.SMS, Channel.WHATSAPP})  # the others have ids of many shapes

ContactName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=VISIBLE), STRIPPED]
ContactLanguage = Literal["pt", "en", "es"]
AttributeKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.\-]{0,63}$")]
AttributeValue = (
    Annotated[str, StringConstraints(strict=True, max_length=500)]
    | StrictBool
    | Annotated[StrictInt, Field(ge=-_SAFE_INTEGER, le=_SAFE_INTEGER)]
    | Annotated[float, Field(strict=True, allow_inf_nan=False)]
)
BlockReason = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class TakenOver(Entity):
    """What a contact took over from one that became part of it."""

    name: bool = False
    language: bool = False
    block: bool = False
    attributes: list[str] = Field(default_factory=list)  # keys that it had not


class Contact(Entity):
    """A person who writes to the company. One that was merged or erased stays as a tombstone."""

    owner_id: int
    contact_id: int
    name: str | None = None
    name_key: str | None = None  # the name as lists compare it
    language: str | None = None
    attributes: dict[str, Any] = Field(default_factory=dict)
    blocked_at: Moment | None = None
    blocked_reason: str | None = None
    merged_into_id: int | None = None
    erased_at: Moment | None = None
    created_at: Moment
    updated_at: Moment

    @property
    def is_blocked(self) -> bool:
        return self.blocked_at is not None

    def refuse_if_gone(self) -> None:
        """Raise `ContactErased` or `ContactMerged` for what is a tombstone."""
        if self.erased_at is not None:
            raise ContactErased(self.contact_id)
        if self.merged_into_id is not None:
            raise ContactMerged(self.contact_id, into=self.merged_into_id)

    def refuse_if_blocked(self) -> None:
        if self.is_blocked:
            raise ContactBlocked(blocked_at=self.blocked_at)

    def rename(self, name: str | None) -> None:
        self.name, self.name_key = name, name_key_of(name)

    def change(self, update: "ContactUpdate", *, at: datetime) -> list[str]:
        """Take over what was sent; returns the names of the fields that are other than before.

        Raises:
            InvalidInput: there would be too many attributes.
        """
        before = self.model_copy()
        sent = update.model_fields_set
        if "name" in sent:
            self.rename(update.name)
        if "language" in sent:
            self.language = update.language
        if "attributes" in sent:
            self._change_attributes(update.attributes)
        fields = ("name", "language", "attributes")
        changed = [field for field in fields if getattr(before, field) != getattr(self, field)]
        if changed:
            self.updated_at = at
        return changed

    def block(self, *, reason: str | None, at: datetime) -> bool:
        """Hear nothing from them and write nothing to them; say whether that is new."""
        if self.is_blocked:
            return False
        self.blocked_at = self.updated_at = at
        self.blocked_reason = reason
        return True

    def unblock(self, *, at: datetime) -> bool:
        """Let them write again; say whether that is new."""
        if not self.is_blocked:
            return False
        self.blocked_at = self.blocked_reason = None
        self.updated_at = at
        return True

    def absorb(self, other: "Contact", *, at: datetime) -> TakenOver:
        """Let another contact become part of this one; what both know, this one knows better."""
        taken = TakenOver(
            name=self.name is None and other.name is not None,
            language=self.language is None and other.language is not None,
            block=other.is_blocked and not self.is_blocked,
            attributes=[key for key in other.attributes if key not in self.attributes],
        )
        if taken.name:
            self.rename(other.name)
        if taken.language:
            self.language = other.language
        if taken.block:
            self.blocked_at, self.blocked_reason = other.blocked_at, other.blocked_reason
        self.attributes = {**other.attributes, **self.attributes}
        other.merged_into_id = self.contact_id
        self.updated_at = other.updated_at = at
        return taken

    def release(self, other: "Contact", taken: TakenOver, *, at: datetime) -> None:
        """Undo `absorb`: what was taken over goes, unless it was changed since."""
        if taken.name and self.name == other.name:
            self.rename(None)
        if taken.language and self.language == other.language:
            self.language = None
        if taken.block and self.blocked_at == other.blocked_at:
            self.blocked_at = self.blocked_reason = None
        for key in taken.attributes:
            if self.attributes.get(key) == other.attributes.get(key):
                self.attributes = {name: value for name, value in self.attributes.items() if name != key}
        other.merged_into_id = None
        self.updated_at = other.updated_at = at

    def search_words(self, addresses: list[str]) -> list[str]:
        """Everything under which this person is found."""
        values = [str(value) for value in self.attributes.values() if not isinstance(value, bool)]
        numbers = [word for address in addresses for word in words_of_address(address)]
        return list(dict.fromkeys([*numbers, *words_of([self.name or "", *values])]))

    def _change_attributes(self, changes: dict[str, Any]) -> None:
        before, merged = len(self.attributes), {**self.attributes, **changes}
        self.attributes = {key: value for key, value in merged.items() if value is not None}
        # A merge may have brought more; those can still be made fewer.
        if len(self.attributes) > max(MOST_ATTRIBUTES, before):
            raise InvalidInput(
                f"A contact has at most {MOST_ATTRIBUTES} attributes; remove some by setting them to null.",
                field="attributes",
            )


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

    @property
    def opt_out_source(self) -> ConsentSource | None:
        source = (self.opt_out_evidence or {}).get("by")
        return ConsentSource(source.upper()) if isinstance(source, str) else None

    @property
    def is_opted_out_by_customer(self) -> bool:
        """Whether only the customer can take it back."""
        source = self.opt_out_source
        return self.is_opted_out and (source is None or source.is_customers_own)

    def is_changed_by(self, intent: OptOutIntent) -> bool:
        """Whether the customer's word says anything new: their own STOP outranks what the company noted for them."""
        if intent is OptOutIntent.STOP:
            return not self.is_opted_out_by_customer
        return intent is OptOutIntent.START and self.is_opted_out

    @property
    def key(self) -> Address:
        return Address(self.channel, self.address)


class AddressInput(DTO):
    """An address as people write it; `whatsapp:+55…` is the same as the channel WHATSAPP and `+55…`."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"channel": "WHATSAPP", "address": "+5511987654321"}]}
    )

    channel: Channel = Channel.SMS
    address: str = Field(
        min_length=1, max_length=255, examples=["+5511987654321"], json_schema_extra={"format": "phone"}
    )

    def parsed(self, *, field: str = "address") -> Address:
        """The address as it was written, in the form in which the provider takes it.

        Raises:
            InvalidAddress: it is none, or one of another channel.
        """
        return parse_for_channel(self.address, self.channel, field=field)


class ContactCreate(DTO):
    """A person to know before they write."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Ana Souza",
                    "language": "pt",
                    "attributes": {"plan": "gold", "orders": 12},
                    "addresses": [{"channel": "WHATSAPP", "address": "+5511987654321"}],
                }
            ]
        }
    )

    name: ContactName | None = None
    language: ContactLanguage | None = None
    attributes: dict[AttributeKey, AttributeValue] = Field(
        default_factory=dict, max_length=MOST_ATTRIBUTES, json_schema_extra=_NO_OTHER_KEYS
    )
    addresses: list[AddressInput] = Field(default_factory=list, max_length=MOST_ADDRESSES)


class ContactUpdate(DTO):
    """What changes: an absent field stays, null clears; an attribute that is null is removed, others stay."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Ana S.", "attributes": {"plan": "silver", "orders": None}}],
        }
    )

    name: ContactName | None = None
    language: ContactLanguage | None = None
    attributes: dict[AttributeKey, AttributeValue | None] = Field(
        default_factory=dict, max_length=2 * MOST_ATTRIBUTES, json_schema_extra=_NO_OTHER_KEYS
    )


class ContactBlock(DTO):
    """Why a contact is blocked."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Threatened an agent."}]})

    reason: BlockReason | None = None


class ContactFilter(DTO):
    """Which contacts a list shows; what is None does not narrow it."""

    address: str | None = None
    name: str | None = None
    text: str | None = None
    blocked: bool | None = None
    opted_out: bool | None = None


class ContactAddressResponse(DTO):
    """An address as the API shows it."""

    channel: Channel
    address: str
    opted_out_at: Moment | None
    opt_out_source: ConsentSource | None
    created_at: Moment


class ContactResponse(DTO):
    """A contact as the API shows it."""

    contact_id: int
    name: str | None
    language: str | None
    attributes: dict[str, Any]
    addresses: list[ContactAddressResponse] = Field(default_factory=list)
    blocked_at: Moment | None
    blocked_reason: str | None
    merged_into_id: int | None = Field(description="The contact that this one is now part of.")
    erased_at: Moment | None
    created_at: Moment
    updated_at: Moment


def name_key_of(name: str | None) -> str | None:
    return fold(name) if name is not None else None


def parse_for_channel(raw: str, channel: Channel, *, field: str) -> Address:
    """Read an address of a channel, with or without the provider's prefix.

    Raises:
        InvalidAddress: it is none, or one of another channel.
    """
    written = raw.strip()
    if channel not in _NUMBERED and written and parse_address(written).channel is Channel.SMS:
        return Address(channel, written)
    address = parse_phone_number(written, field=field)
    if address.channel not in {channel, Channel.SMS}:
        raise InvalidAddress(f"The address is not one of the channel {channel}.", field=field)
    return Address(channel, address.value)
