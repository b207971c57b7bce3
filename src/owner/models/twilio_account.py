"""An owner's accounts at Twilio and the addresses that belong to them."""

from pydantic import Field

from owner.models.entity import DTO, Entity, Moment
from owner.models.enums import Channel

ACCOUNT_SID_PATTERN = r"^AC[0-9a-fA-F]{32}$"
SERVICE_SID_PATTERN = r"^MG[0-9a-fA-F]{32}$"


class TwilioAccount(Entity):
    """Credentials of one Twilio account; tokens only in encrypted form."""

    owner_id: int
    twilio_account_id: int
    account_sid: str
    auth_token_encrypted: bytes
    previous_auth_token_encrypted: bytes | None = None  # still accepted while Twilio promotes the new one
    webhook_key: str
    messaging_service_sid: str | None = None
    paused_at: Moment | None = None
    paused_reason: str | None = None
    created_at: Moment
    updated_at: Moment


class ChannelAddress(Entity):
    """A number or sender of the company; no two owners can claim one."""

    owner_id: int
    channel: Channel
    address: str
    twilio_account_id: int
    created_at: Moment


class TwilioAccountCreate(DTO):
    """An account to connect."""

    account_sid: str = Field(pattern=ACCOUNT_SID_PATTERN)
    auth_token: str = Field(min_length=1, max_length=200)
    phone_numbers: list[str] = Field(min_length=1, max_length=1000)
    messaging_service_sid: str | None = Field(default=None, pattern=SERVICE_SID_PATTERN)


class TwilioAccountResponse(DTO):
    """An account as the API shows it: never a token."""

    twilio_account_id: int
    account_sid: str
    phone_numbers: list[str]
    messaging_service_sid: str | None
    inbound_url: str
    status_url: str
    paused_at: Moment | None
    paused_reason: str | None
