"""Webhooks that could not be given to any owner: kept for the operator, replayable."""

from enum import StrEnum

from pydantic import ConfigDict, Field, StrictBool

from owner.models.entity import DTO, Entity, Moment


class QuarantineReason(StrEnum):
    """Why a webhook was set aside."""

    BAD_SIGNATURE = "BAD_SIGNATURE"  # no token that we hold makes this signature
    MISSING_SIGNATURE = "MISSING_SIGNATURE"
    UNKNOWN_ACCOUNT = "UNKNOWN_ACCOUNT"  # nobody connected this AccountSid, so nothing can verify it
    UNKNOWN_NUMBER = "UNKNOWN_NUMBER"  # signed well, but no owner has the address that was written to


class QuarantinedRequest(Entity):
    """A webhook as it came. `owner_id` is set where the account is known."""

    quarantine_id: int
    owner_id: int | None
    reason: QuarantineReason
    path: str
    params: list[list[str]]
    signature: str | None
    created_at: Moment


class QuarantineCreate(DTO):
    """A webhook to set aside."""

    owner_id: int | None = None
    reason: QuarantineReason
    path: str
    params: list[tuple[str, str]]
    signature: str | None = None


class QuarantineReplay(DTO):
    """How to take a webhook in."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"trust": True}]})

    trust: StrictBool = Field(
        default=False, description="Take it in although its signature was wrong: you vouch for it."
    )


class QuarantineSummary(DTO):
    """A webhook in a list: without what the customer wrote."""

    quarantine_id: int
    owner_id: int | None
    reason: QuarantineReason
    path: str
    created_at: Moment


class QuarantineResponse(QuarantineSummary):
    """A webhook as it came: `params` are the form's names and values, in order."""

    params: list[list[str]]


class ReplayResponse(DTO):
    """What became of a webhook that was taken in."""

    msg_id: int
    conv_id: int | None = Field(description="Null where the message had been stored before.")
    is_duplicate: bool
