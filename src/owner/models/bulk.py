"""One action on many conversations at once."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field, StrictInt

from owner.models.conversation_dtos import ConversationAssign, ConversationClose
from owner.models.entity import DTO, LARGEST_ID
from owner.models.enums import Priority

MAXIMUM_BULK: Final = 100


def _without_doubles(conv_ids: list[int]) -> list[int]:
    if len(set(conv_ids)) < len(conv_ids):
        raise ValueError("name each conversation once")
    return conv_ids


ConvIds = Annotated[
    list[Annotated[StrictInt, Field(ge=1, le=LARGEST_ID)]],
    Field(min_length=1, max_length=MAXIMUM_BULK, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_without_doubles),
]


class BulkClose(ConversationClose):
    """End them all."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"action": "CLOSE", "conv_ids": [1, 2], "reason": "spam"}]}
    )

    action: Literal["CLOSE"]
    conv_ids: ConvIds


class BulkAssign(ConversationAssign):
    """Give them all to one person."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"action": "ASSIGN", "conv_ids": [1, 2], "assignee_id": 7}]}
    )

    action: Literal["ASSIGN"]
    conv_ids: ConvIds


class BulkUnassign(DTO):
    """Take them all from whoever has them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"action": "UNASSIGN", "conv_ids": [1, 2]}]})

    action: Literal["UNASSIGN"]
    conv_ids: ConvIds


class BulkPriority(DTO):
    """Give them all one priority."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"action": "PRIORITY", "conv_ids": [1, 2], "priority": "HIGH"}]}
    )

    action: Literal["PRIORITY"]
    conv_ids: ConvIds
    priority: Priority


class BulkLabel(DTO):
    """Put a label on them all."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"action": "LABEL", "conv_ids": [1, 2], "label_id": 3}]}
    )

    action: Literal["LABEL"]
    conv_ids: ConvIds
    label_id: StrictInt = Field(ge=1, le=LARGEST_ID)


class BulkUnlabel(DTO):
    """Take a label off them all."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"action": "UNLABEL", "conv_ids": [1, 2], "label_id": 3}]}
    )

    action: Literal["UNLABEL"]
    conv_ids: ConvIds
    label_id: StrictInt = Field(ge=1, le=LARGEST_ID)


class BulkRead(DTO):
    """Mark them all as read by the caller."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"action": "READ", "conv_ids": [1, 2]}]})

    action: Literal["READ"]
    conv_ids: ConvIds


BulkAction = Annotated[
    BulkClose | BulkAssign | BulkUnassign | BulkPriority | BulkLabel | BulkUnlabel | BulkRead,
    Field(discriminator="action"),
]


class BulkProblem(DTO):
    """Why one of them stayed as it was; `code` is that of the single action."""

    status: int
    code: str
    detail: str


class BulkResult(DTO):
    """What became of one conversation."""

    conv_id: int
    is_done: bool
    problem: BulkProblem | None = None


class BulkResponse(DTO):
    """What became of each conversation, in the order in which they were named."""

    results: list[BulkResult]
