"""Answers that are written once and sent often, with places for what differs."""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from owner.models.entity import DTO, VISIBLE, Entity, Moment, Update, absent

VARIABLES: Final = (
    "contact.name",
    "contact.first_name",
    "agent.name",
    "owner.name",
    "conversation.id",
)
_VARIABLE: Final = re.compile(r"\{\{ {0,3}([a-z_.]{1,40}) {0,3}(?:\|([^{}|]{0,200}))?\}\}")

Shortcut = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Template = Annotated[str, StringConstraints(min_length=1, max_length=1600, pattern=VISIBLE)]


def check_template(text: str) -> str:
    """Refuse a text whose variables nobody could fill in."""
    for name, _ in _VARIABLE.findall(text):
        if name not in VARIABLES:
            raise ValueError(f"there is no variable {name!r}; there are {', '.join(VARIABLES)}")
    if any(brace in _VARIABLE.sub("", text) for brace in ("{{", "}}")):
        raise ValueError(
            "a variable is written {{contact.name}}, or {{contact.name|customer}} with a word in its place"
        )
    return text


class CannedReply(Entity):
    """An answer by its shortcut."""

    owner_id: int
    canned_reply_id: int
    shortcut: str
    content: str
    created_at: Moment
    updated_at: Moment

    def render(self, values: Mapping[str, str | None]) -> str:
        """The text with its variables filled in; what is not known becomes the word after `|`, or nothing."""
        return _VARIABLE.sub(lambda found: values.get(found[1]) or (found[2] or "").strip(), self.content)


class CannedReplyCreate(DTO):
    """An answer to keep."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "shortcut": "hello",
                    "content": "Olá, {{contact.first_name|tudo bem}}! Aqui é {{agent.name}}.",
                }
            ]
        }
    )

    shortcut: Shortcut
    content: Template

    _check = field_validator("content")(check_template)


class CannedReplyUpdate(Update):
    """What may change about a canned reply."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"content": "Olá! Como posso ajudar?"}]})

    shortcut: Shortcut = Field(default_factory=absent)
    content: Template = Field(default_factory=absent)

    _check = field_validator("content")(check_template)


class CannedReplyResponse(DTO):
    """A canned reply as the API shows it."""

    canned_reply_id: int
    shortcut: str
    content: str
    created_at: Moment
    updated_at: Moment


class CannedReplyPreview(DTO):
    """What a customer would read."""

    content: str
