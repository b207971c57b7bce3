"""Texts that a channel has approved beforehand: what may be sent when free text may not."""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from pydantic import Field, ValidationError

from owner.models.entity import DTO, Entity

PLACE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")  # where a variable's value goes


class TemplateStatus(StrEnum):
    """What the channel said about it."""

    DRAFT = "DRAFT"  # nobody has been asked
    PENDING = "PENDING"  # the channel is looking at it
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    SUSPENDED = "SUSPENDED"  # it was approved, and customers complained


class TemplateButton(Entity):
    """Something to press or to choose, and where it leads if it leaves the chat: an address or a number."""

    title: str
    opens: str | None = None
    description: str | None = None  # of a list's choices


class TemplateCard(Entity):
    """One of several pictures with words and buttons that a customer leafs through."""

    title: str | None = None
    body: str | None = None
    media: str | None = None
    buttons: Sequence[TemplateButton] = ()


class TemplateLook(Entity):
    """What the customer sees around the text; kept with the message that shows it."""

    footer: str | None = None
    menu: str | None = None  # what is pressed to see the buttons, which are a list then
    buttons: Sequence[TemplateButton] = ()
    cards: Sequence[TemplateCard] = ()

    @classmethod
    def of(cls, stored: object) -> "TemplateLook | None":
        """As it was stored; None for what is none, which an import may have brought."""
        try:
            return cls.model_validate(stored) if stored else None
        except ValidationError:
            return None

    def texts(self) -> Iterator[str]:
        """Everything in it that a variable may stand in, as a reader meets it."""
        for card in self.cards:
            yield from filter(None, (card.title, card.body, card.media))
            yield from _texts(card.buttons)
        yield from filter(None, (self.footer, self.menu))
        yield from _texts(self.buttons)


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
    look: TemplateLook = TemplateLook()
    has_media: bool = False

    @property
    def buttons(self) -> list[str]:
        return [button.title for button in self.look.buttons]

    @property
    def variables(self) -> list[str]:
        """Their names in the order in which a reader meets them."""
        found = [name for text in (self.body, *self.look.texts()) for name in PLACE.findall(text)]
        return list(dict.fromkeys([*found, *self.examples]))

    def fill_in(self, values: Mapping[str, str]) -> "Template":
        """As the customer reads it."""
        known = {**self.examples, **values}
        filled = _filled(self.model_dump(include={"body", "look"}), known)
        return self.model_copy(
            update={"body": filled["body"], "look": TemplateLook.model_validate(filled["look"])}
        )


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """A text in pieces; those that are True are names of variables."""
    for number, piece in enumerate(PLACE.split(text)):
        if piece:
            yield piece, bool(number % 2)


class TemplateCardResponse(DTO):
    """One of the cards that a customer leafs through."""

    title: str | None
    body: str | None
    media: str | None
    buttons: list[str]

    @classmethod
    def of(cls, card: TemplateCard) -> "TemplateCardResponse":
        titles = [button.title for button in card.buttons]
        return cls(title=card.title, body=card.body, media=card.media, buttons=titles)


class TemplateResponse(DTO):
    """A template as the API shows it."""

    content_sid: str = Field(examples=["HX0123456789abcdef0123456789abcdef"])
    name: str = Field(examples=["pedido_pronto"])
    language: str = Field(examples=["pt_BR"])
    status: TemplateStatus
    category: str | None = Field(examples=["UTILITY"])
    rejection_reason: str | None
    body: str = Field(examples=["Oi, {{1}}! Seu pedido {{2}} está pronto."])
    footer: str | None = Field(description="Small print below the text.")
    variables: list[str] = Field(description="Names of its variables, in order.", examples=[["1", "2"]])
    examples: dict[str, str] = Field(description="What is sent where no value is given.")
    buttons: list[str]
    cards: list[TemplateCardResponse] = Field(description="Of a carousel, from left to right.")
    has_media: bool

    @classmethod
    def of(cls, template: Template) -> "TemplateResponse":
        same = cls.model_fields.keys() - {"footer", "cards"}
        return cls.model_validate(
            {
                **{name: getattr(template, name) for name in same},
                "footer": template.look.footer,
                "cards": [TemplateCardResponse.of(card) for card in template.look.cards],
            }
        )


def _texts(buttons: Sequence[TemplateButton]) -> Iterator[str]:
    for button in buttons:
        yield from filter(None, (button.title, button.description, button.opens))


def _filled(found: Any, values: Mapping[str, str]) -> Any:
    """Every text in what models are made of, with values in its places."""
    if isinstance(found, str):
        return PLACE.sub(lambda place: values.get(place[1], place[0]), found)
    if isinstance(found, Mapping):
        return {name: _filled(value, values) for name, value in found.items()}
    return [_filled(value, values) for value in found] if isinstance(found, Sequence) else found
