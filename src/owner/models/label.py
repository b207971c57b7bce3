"""Words that people put on conversations, to find and count them by."""

from typing import Annotated, Final

from pydantic import ConfigDict, Field, StringConstraints

from owner.models.entity import BLANKS, CONTROLS, DTO, STRIPPED, Entity, Moment, Update, absent

MAXIMUM_ON_CONVERSATION: Final = 50  # each is shown wherever the conversation is listed
_OF_ONE_LINE: Final = rf"[^{CONTROLS}\u2028\u2029]*"
_LETTER: Final = rf"[^\s{CONTROLS}\ufeff]"
LabelName = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=50,
        pattern=rf"^{BLANKS}{_OF_ONE_LINE}{_LETTER}{_OF_ONE_LINE}{BLANKS}$",
    ),
    STRIPPED,
]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]


class Label(Entity):
    """A word of one owner."""

    owner_id: int
    label_id: int
    name: str
    color: str
    created_at: Moment
    updated_at: Moment


class LabelCreate(DTO):
    """A label to make."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "vip", "color": "#b45309"}]})

    name: LabelName
    color: Color = "#64748b"


class LabelUpdate(Update):
    """What may change about a label."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"color": "#0f766e"}]})

    name: LabelName = Field(default_factory=absent)
    color: Color = Field(default_factory=absent)


class LabelResponse(DTO):
    """A label as the API shows it."""

    label_id: int
    name: str
    color: str
