"""What a template lets a customer press on their phone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from owner.integrations.simulator.store import Template

OPENED: Final = ("http://", "https://")  # what a link is made of: addresses, and nothing that a browser runs


@dataclass(frozen=True, slots=True)
class Choice:
    """A quick reply or one of a list with its `answer`; else something that leaves the chat, or only says so."""

    text: str
    answer: str = ""
    description: str = ""
    is_of_list: bool = False
    opens: str = ""

    @property
    def link(self) -> str:
        return self.opens if self.opens.startswith(OPENED) else ""


@dataclass(frozen=True, slots=True)
class Card:
    """One of several to leaf through."""

    title: str
    body: str
    choices: Sequence[Choice]


@dataclass(frozen=True, slots=True)
class Offer:
    """Everything below a template's text."""

    menu: str = ""  # opens the choices, which are a list then
    choices: Sequence[Choice] = ()
    cards: Sequence[Card] = ()


def offer_of(template: Template, given: str | None) -> Offer:
    """As the customer sees it, with the values of the message, which come as JSON."""
    content = _filled(template.content, template, given)
    cards = [
        Card(str(card.get("title", "")), str(card.get("body", "")), list(_choices(card)))
        for card in content.get("cards", ())
    ]
    return Offer(str(content.get("button", "")), list(_choices(content)), cards)


def _choices(content: Mapping[str, Any]) -> Iterator[Choice]:
    for action in content.get("actions", ()):
        opens = str(action.get("url") or action.get("phone") or "")
        yield Choice(str(action["title"]), answer=str(action.get("id", "")), opens=opens)
    for item in content.get("items", ()):
        description = str(item.get("description", ""))
        yield Choice(str(item["item"]), answer=str(item["id"]), description=description, is_of_list=True)


def _filled(found: Any, template: Template, given: str | None) -> Any:
    if isinstance(found, str):
        return template.fill_in(found, given)
    if isinstance(found, Mapping):
        return {name: _filled(value, template, given) for name, value in found.items()}
    return [_filled(value, template, given) for value in found] if isinstance(found, Sequence) else found
