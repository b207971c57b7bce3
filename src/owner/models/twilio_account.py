"""An owner's accounts at Twilio and the addresses that belong to them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StrictBool, StringConstraints, model_validator

from owner.models.entity import DTO, Entity, Moment, Update, absent
from owner.models.enums import Channel
from owner.models.errors import Conflict

ACCOUNT_SID_PATTERN = r"^AC[0-9a-fA-F]{32}$"
SERVICE_SID_PATTERN = r"^MG[0-9a-fA-F]{32}$"
AuthToken = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
PhoneNumber = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    Field(json_schema_extra={"format": "phone-address"}),
]
_NUMBERS = "In international format, `+55…` or `whatsapp:+55…`; short codes as they are."


class TwilioAccount(Entity):
    """Credentials of one Twilio account; tokens only in encrypted form.

    One that is disconnected stays for the conversations that refer to it, without tokens and numbers.
    """

    owner_id: int
    twilio_account_id: int
    account_sid: str
    auth_token_encrypted: bytes | None
    previous_auth_token_encrypted: bytes | None = None  # still accepted while Twilio promotes the new one
    webhook_key: str
    messaging_service_sid: str | None = None
    paused_at: Moment | None = None
    paused_reason: str | None = None
    degraded_at: Moment | None = None  # since then the provider does not answer for it, and its messages wait
    disconnected_at: Moment | None = None
    reconciled_until: Moment | None = None  # what the provider's log has up to here is here too
    drifted_at: Moment | None = None  # since then the provider delivers some messages to another URL
    created_at: Moment
    updated_at: Moment

    @property
    def is_connected(self) -> bool:
        return self.disconnected_at is None

    @property
    def has_former_token(self) -> bool:
        return self.previous_auth_token_encrypted is not None

    def replace_token(self, encrypted: bytes) -> None:
        """Send with a new token; webhooks that are signed with the former one are still accepted.

        Raises:
            Conflict: two are accepted already, and nobody knows which of them signs.
        """
        if self.has_former_token:
            raise Conflict(
                "Two tokens are accepted already: promote the newer one first, once Twilio signs with it."
            )
        self.previous_auth_token_encrypted = self.auth_token_encrypted
        self.auth_token_encrypted = encrypted

    def take_back_token(self) -> None:
        """Send with the former token again, and accept no other."""
        self.auth_token_encrypted = self.previous_auth_token_encrypted
        self.previous_auth_token_encrypted = None

    def disconnect(self, *, at: datetime) -> None:
        """Keep nothing that opens anything."""
        self.auth_token_encrypted = self.previous_auth_token_encrypted = None
        self.messaging_service_sid = self.paused_at = self.paused_reason = None
        self.degraded_at = self.reconciled_until = self.drifted_at = None
        self.disconnected_at = self.updated_at = at


class ChannelAddress(Entity):
    """A number or sender of the company; no two owners can claim one."""

    owner_id: int
    channel: Channel
    address: str
    twilio_account_id: int
    created_at: Moment


class TwilioAccountCreate(DTO):
    """An account to connect."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "account_sid": "AC0123456789abcdef0123456789abcdef",
                    "auth_token": "0123456789abcdef0123456789abcdef",  # nosec B105 # an example
                    "phone_numbers": ["+551150284400", "whatsapp:+551150284400"],
                    "verify": True,
                }
            ]
        }
    )

    account_sid: str = Field(pattern=ACCOUNT_SID_PATTERN)
    auth_token: AuthToken = Field(
        description="The primary token of the account that has the numbers: it signs webhooks. Never shown again."
    )
    phone_numbers: list[PhoneNumber] = Field(min_length=1, max_length=1000, description=_NUMBERS)
    messaging_service_sid: str | None = Field(default=None, pattern=SERVICE_SID_PATTERN)
    verify: StrictBool = Field(
        default=False, description="Ask Twilio first whether the credentials are right."
    )


class TwilioAccountUpdate(Update):
    """What may change about an account; a field that is left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"add_phone_numbers": ["+551150284401"], "remove_phone_numbers": ["+551150284400"]},
                {"auth_token": "fedcba9876543210fedcba9876543210", "verify": True},  # nosec B105 # an example
            ]
        }
    )

    messaging_service_sid: str | None = Field(default=None, pattern=SERVICE_SID_PATTERN)
    add_phone_numbers: list[PhoneNumber] = Field(default_factory=list, max_length=1000, description=_NUMBERS)
    remove_phone_numbers: list[PhoneNumber] = Field(default_factory=list, max_length=1000)
    auth_token: AuthToken = Field(
        default_factory=absent,
        description="Used for sending at once; the former one is accepted on webhooks until `promote`."
        " The former one itself takes the change back.",
    )
    verify: StrictBool = Field(default=False, description="Ask Twilio first whether the new token is right.")

    @model_validator(mode="after")
    def _has_something_to_verify(self) -> "TwilioAccountUpdate":
        if self.verify and "auth_token" not in self.model_fields_set:
            raise ValueError("verify goes with a new auth_token; POST …/verify looks at what is stored")
        return self


class TwilioAccountResponse(DTO):
    """An account as the API shows it: never a token."""

    twilio_account_id: int
    account_sid: str
    phone_numbers: list[str]
    messaging_service_sid: str | None
    has_former_token: bool = Field(
        description="Whether two tokens are accepted on webhooks, until `promote`."
    )
    inbound_url: str
    status_url: str
    paused_at: Moment | None
    paused_reason: str | None
    degraded_at: Moment | None = Field(
        description="Since when Twilio does not answer for this account: its messages wait, and one tries now and then."
    )
    reconciled_until: Moment | None = Field(
        description="Up to here everything in Twilio's log of messages is known to be here too."
    )
    drifted_at: Moment | None = Field(
        description="Since when Twilio delivers messages of some number elsewhere; `POST …/verify` says which."
    )
    created_at: Moment
    updated_at: Moment


class CheckResult(StrEnum):
    """What came of looking at one setting at Twilio."""

    OK = "OK"
    DIFFERS = "DIFFERS"  # not as it has to be; `detail` says how
    REPAIRED = "REPAIRED"  # it differed, and is right now
    NOT_CHECKABLE = "NOT_CHECKABLE"  # Twilio does not tell, or could not be asked; look in its console


class CredentialsCheck(DTO):
    """Whether Twilio accepts the account's newest token."""

    result: CheckResult
    detail: str | None = None


class WebhookCheck(DTO):
    """Where Twilio delivers what comes in for one number or Messaging Service."""

    subject: str = Field(description="The address, or the SID of the Messaging Service.")
    provider_sid: str | None = None
    result: CheckResult
    url: str | None = Field(default=None, description="What Twilio had when it was asked.")
    method: str | None = None
    expected_url: str
    expected_method: str = "POST"
    detail: str | None = None


class AccountVerify(DTO):
    """What to do with what differs."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"repair": True}]})

    repair: StrictBool = Field(default=False, description="Enter the right URLs at Twilio.")


class AccountVerification(DTO):
    """What Twilio says about an account."""

    credentials: CredentialsCheck
    webhooks: list[WebhookCheck]
