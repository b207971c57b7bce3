"""What an owner has switched on, with its configuration."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StrictBool, StringConstraints, field_validator

from owner.models.entity import DTO, STRIPPED, VISIBLE, Entity, Moment, Update, absent
from owner.models.feature_schemas import FEATURES, config_schema, feature_name, name_pattern

FeatureName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=VISIBLE), STRIPPED]


class Feature(Entity):
    """A capability of the product, or of an owner's own programs, for one owner."""

    owner_id: int
    feature_id: int
    name: str
    enabled: StrictBool = False
    config_json: dict[str, Any] = Field(default_factory=dict)
    created_at: Moment
    updated_at: Moment


def _known_or_own(schema: dict[str, Any]) -> None:
    """Each name of the product goes with its own configuration, any other with whatever its owner wants."""
    known = [{"pattern": name_pattern(kind.name)} for kind in FEATURES.values()]
    schema["anyOf"] = [
        *(
            {"properties": {"name": name, "config_json": config_schema(kind)}}
            for name, kind in zip(known, FEATURES.values(), strict=True)
        ),
        {"properties": {"name": {"not": {"anyOf": known}}}},
    ]
    schema["examples"] = [
        {"name": "AI Chat Assistant", "enabled": True, "config_json": {"model": "gpt-4", "temperature": 0.7}},
        {"name": "vip desk", "config_json": {"minimum_orders": 20}},
    ]


class FeatureCreate(DTO):
    """A capability to configure: one of the product, however its name is written, or one of your own programs."""

    model_config = ConfigDict(json_schema_extra=_known_or_own)

    name: FeatureName
    enabled: StrictBool = False
    config_json: dict[str, Any] = Field(default_factory=dict, description="See `GET /v1/feature-schemas`.")

    @field_validator("name")
    @classmethod
    def _spelt_alike(cls, value: str) -> str:
        return feature_name(value)


class FeatureUpdate(Update):
    """What may change; a field that is left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"enabled": False}, {"config_json": {"temperature": 0.2}}]}
    )

    enabled: StrictBool = Field(default_factory=absent)
    config_json: dict[str, Any] = Field(
        default_factory=absent, description="Takes the place of the whole configuration."
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
