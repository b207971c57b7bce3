"""Texts that a channel has approved beforehand: what may be sent when free text may not."""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

from pydantic import Field

from owner.models.entity import DTO, Entity

PLACE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")  # where a variable's value goes


class TemplateStatus(StrEnum):
    """What the channel said about it."""

    DRAFT = "DRAFT"  # nobody has been asked
    PENDING = "PENDING"  # the channel is looking at it
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    SUSPENDED = "SUSPENDED"  # it was approved, and customers complained


class Template(Entity):
    """One text at the provider, in one language, with `{{1}}` or `{{name}}` where values go."""

    content_sid: str
    name: str
    language: str
    status: TemplateStatus
    body: str
    category: str | None = None
    rejection_reason: str | None = None
    examples: Mapping[str, str] = Field(
        default_factory=dict
    )  # of its variables; sent where no value is given
    buttons: Sequence[str] = ()
    has_media: bool = False

    @property
    def variables(self) -> list[str]:
        """Their names in the order in which a reader meets them."""
        return list(dict.fromkeys([*PLACE.findall(self.body), *self.examples]))

    def pieces(self) -> Iterator[tuple[str, bool]]:
        """The body in pieces; those that are True are names of variables."""
        for number, piece in enumerate(PLACE.split(self.body)):
            if piece:
                yield piece, bool(number % 2)

    def render(self, values: Mapping[str, str]) -> str:
        """What the customer reads."""
        known = {**self.examples, **values}
        return PLACE.sub(lambda place: known.get(place[1], place[0]), self.body)


class TemplateResponse(DTO):
    """A template as the API shows it."""

    content_sid: str = Field(examples=["HX0123456789abcdef0123456789abcdef"])
    name: str = Field(examples=["pedido_pronto"])
    language: str = Field(examples=["pt_BR"])
    status: TemplateStatus
    category: str | None = Field(examples=["UTILITY"])
    rejection_reason: str | None
    body: str = Field(examples=["Oi, {{1}}! Seu pedido {{2}} está pronto."])
    variables: list[str] = Field(description="Names of its variables, in order.", examples=[["1", "2"]])
    examples: dict[str, str] = Field(description="What is sent where no value is given.")
    buttons: list[str]
    has_media: bool

    @classmethod
    def of(cls, template: Template) -> "TemplateResponse":
        fields = {name: getattr(template, name) for name in cls.model_fields}
        return cls.model_validate({**fields, "buttons": list(template.buttons)})
