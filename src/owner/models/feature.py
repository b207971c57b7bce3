"""What an owner has switched on, with its configuration."""

from typing import Any

from pydantic import Field

from owner.models.entity import DTO, Entity, Moment


class Feature(Entity):
    """A capability of the product for one owner."""

    owner_id: int
    feature_id: int
    name: str
    enabled: bool = False
    config_json: dict[str, Any] = Field(default_factory=dict)
    created_at: Moment
    updated_at: Moment


class FeatureCreate(DTO):
    """A capability to configure."""

    name: str = Field(min_length=1, max_length=100)
    enabled: bool = False
    config_json: dict[str, Any] = Field(default_factory=dict)


class FeatureUpdate(DTO):
    """What may change; null leaves a field as it is."""

    enabled: bool | None = None
    config_json: dict[str, Any] | None = None


class FeatureResponse(DTO):
    """A capability as the API shows it."""

    feature_id: int
    name: str
    enabled: bool
    config_json: dict[str, Any]
