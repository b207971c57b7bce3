"""What an owner has switched on, with its configuration."""

from typing import Any

from pydantic import ConfigDict, Field, StrictBool, field_validator

from owner.models.entity import DTO, Entity, Moment, Update, absent
from owner.models.feature_schemas import FEATURES, config_schema, feature_name, name_pattern


class Feature(Entity):
    """A capability of the product for one owner."""

    owner_id: int
    feature_id: int
    name: str
    enabled: StrictBool = False
    config_json: dict[str, Any] = Field(default_factory=dict)
    created_at: Moment
    updated_at: Moment


def _one_of_the_known(schema: dict[str, Any]) -> None:
    """Each name goes with its own configuration."""
    schema["anyOf"] = [
        {
            "properties": {
                "name": {"type": "string", "maxLength": 100, "pattern": name_pattern(kind.name)},
                "config_json": config_schema(kind),
            }
        }
        for kind in FEATURES.values()
    ]
    schema["examples"] = [
        {"name": "AI Chat Assistant", "enabled": True, "config_json": {"model": "gpt-4", "temperature": 0.7}},
        {"name": "closure_nlp"},
    ]


class FeatureCreate(DTO):
    """A capability to configure; case, blanks and hyphens in its name make no difference."""

    model_config = ConfigDict(json_schema_extra=_one_of_the_known)

    name: str = Field(max_length=100)
    enabled: StrictBool = False
    config_json: dict[str, Any] = Field(default_factory=dict, description="See `GET /v1/feature-schemas`.")

    @field_validator("name")
    @classmethod
    def _known(cls, value: str) -> str:
        return feature_name(value)


def _any_of_the_known(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [config_schema(kind) for kind in FEATURES.values()]


class FeatureUpdate(Update):
    """What may change; a field that is left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"enabled": False}, {"config_json": {"temperature": 0.2}}]}
    )

    enabled: StrictBool = Field(default_factory=absent)
    config_json: dict[str, Any] = Field(
        default_factory=absent,
        description="Takes the place of the whole configuration.",
        json_schema_extra=_any_of_the_known,
    )


class FeatureResponse(DTO):
    """A capability as the API shows it."""

    feature_id: int
    name: str
    enabled: bool
    config_json: dict[str, Any]
    created_at: Moment
    updated_at: Moment


class FeatureSchemaResponse(DTO):
    """What a feature can be configured with, so that a form can be made from it."""

    name: str
    description: str
    is_in_effect: bool = Field(description="Whether anything acts on it yet.")
    config_schema: dict[str, Any] = Field(description="A JSON Schema of `config_json`.")
