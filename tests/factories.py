"""Tenants, customers and messages with defaults; tenants are acme and globex, people ana and bruno."""

import secrets
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from owner.models.addresses import Address, parse_address
from owner.models.enums import MessageType
from owner.models.message import Attachment, InboundMessage
from owner.models.owner import Owner, OwnerCreate
from owner.models.twilio_account import TwilioAccount, TwilioAccountCreate
from owner.repositories.owners import OwnerRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.catalog import Services

_numbers = count(10_000_000)


def some_sid(prefix: str = "SM") -> str:
    return prefix + secrets.token_hex(16)


def some_number(prefix: str = "+55119") -> str:
    """A Brazilian mobile number that no other test of this process has."""
    return f"{prefix}{next(_numbers)}"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A company that is connected to Twilio and has a key."""

    owner: Owner
    user_id: int
    api_key: str = field(repr=False)
    account: TwilioAccount
    auth_token: str = field(repr=False)
    sms: str
    whatsapp: str

    @property
    def owner_id(self) -> int:
        return self.owner.owner_id


async def make_tenant(services: Services, name: str = "acme", **changes: Any) -> Tenant:
    """A company with one Twilio account, an SMS number and a WhatsApp sender; `changes` are of the owner."""
    email = f"{name}-{secrets.token_hex(6)}@example.com"
    made = await services.tenants.create(OwnerCreate(name=name, email=email, password="correct horse"))
    auth_token = secrets.token_hex(16)
    sms = some_number("+5511")
    wanted = TwilioAccountCreate(
        account_sid=some_sid("AC"), auth_token=auth_token, phone_numbers=[sms, f"whatsapp:{sms}"]
    )
    account = await services.twilio.connect(made.owner_id, wanted)
    async with services.database.owner(made.owner_id) as connection:
        owner = await OwnerRepository(connection).get(made.owner_id)
        if changes:
            owner = owner.model_copy(update=changes)
            await OwnerRepository(connection).save(owner)
        account = await TwilioAccountRepository(connection).get(account.twilio_account_id)
    return Tenant(owner, made.user_id, made.api_key, account, auth_token, sms, f"whatsapp:{sms}")


def make_inbound(
    tenant: Tenant, content: str = "Oi", *, customer: str, to: str | None = None, **changes: Any
) -> InboundMessage:
    """A customer's message as the border hands it over."""
    return InboundMessage(
        **{
            "provider_sid": some_sid(),
            "customer": parse_address(customer),
            "company": parse_address(to or tenant.sms),
            "content": content,
            "message_type": MessageType.TEXT,
            **changes,
        }
    )


__all__ = ("Address", "Attachment", "Tenant", "make_inbound", "make_tenant", "some_number", "some_sid")
