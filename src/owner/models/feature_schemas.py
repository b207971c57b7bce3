"""The features that the product knows, and what each can be configured with; owners keep others for their own programs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field, StrictFloat, StrictInt, ValidationError

from owner.models.entity import DTO
from owner.models.errors import InvalidInput

_BETWEEN: Final = "[ _-]*"  # what may stand between the letters of a name


class AIChatAssistantConfig(DTO):
    """How a model answers customers."""

    model: str = Field(
        default="", max_length=200, description="The provider's name of the model, such as gpt-4."
    )
    temperature: StrictFloat = Field(default=1.0, ge=0, le=2, description="From sober (0) to inventive (2).")
    instructions: str = Field(
        default="", max_length=20_000, description="What the model is told about itself."
    )
    max_tokens: StrictInt = Field(default=1_024, ge=1, le=1_000_000, description="The longest answer.")


class ClosureNLPConfig(DTO):
    """A learned detector beside the rules."""

    threshold: StrictFloat = Field(default=0.8, ge=0, le=1, description="How sure it must be to close.")


@dataclass(frozen=True, slots=True)
class FeatureKind:
    """One feature: its name, what it is for, its configuration, and whether anything acts on it yet."""

    name: str
    description: str
    config: type[DTO]
    is_in_effect: bool

    @property
    def slug(self) -> str:
        """The name in the address of a page."""
        return self.name.lower().replace(" ", "_")


FEATURES: Final[Mapping[str, FeatureKind]] = {
    kind.name: kind
    for kind in (
        FeatureKind(
            "AI Chat Assistant",
            "A model answers customers. Stored; nothing acts on it yet.",
            AIChatAssistantConfig,
            is_in_effect=False,
        ),
        FeatureKind(
            "Closure NLP",
            "A learned detector of the end of a conversation beside the rules. Stored; nothing acts on it yet.",
            ClosureNLPConfig,
            is_in_effect=False,
        ),
    )
}


def find_kind(written: str) -> FeatureKind | None:
    """A feature of the product however it was written: "ai_chat_assistant" is the AI Chat Assistant."""
    return next((kind for kind in FEATURES.values() if _plain(written) == _plain(kind.name)), None)


def feature_name(written: str) -> str:
    """The product's spelling of its own features; any other name stays as it is."""
    kind = find_kind(written)
    return kind.name if kind else written


def check_config(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as it is stored: what was given, without what was left out; an owner's own is free.

    Raises:
        InvalidInput: it is not one of this feature; `field` and `errors` say where.
    """
    kind = find_kind(name)
    if kind is None:
        return dict(config)
    try:
        checked = kind.config.model_validate(config)
    except ValidationError as problem:
        found = [
            {"field": ".".join(["config_json", *map(str, item["loc"])]), "detail": item["msg"]}
            for item in problem.errors()
        ]
        detail = "; ".join(f"{item['field']}: {item['detail']}" for item in found)
        raise InvalidInput(detail, field=found[0]["field"], errors=found) from problem
    return checked.model_dump(mode="json", exclude_unset=True)


def config_schema(kind: FeatureKind) -> dict[str, Any]:
    return kind.config.model_json_schema()


def name_pattern(name: str) -> str:
    """What matches every way to write a feature's name."""
    letters = (f"[{letter.upper()}{letter.lower()}]" for letter in name if letter != " ")
    return f"^{_BETWEEN}{_BETWEEN.join(letters)}{_BETWEEN}$"


def _plain(name: str) -> str:
    return re.sub(_BETWEEN, "", name).lower()
