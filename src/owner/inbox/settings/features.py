"""Features of the product: switched on or off, and configured by a form that is made from each one's JSON schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

from fastapi import APIRouter, Path, Request, Response

from owner.api.dependencies import UseCases
from owner.api.routing import needs
from owner.inbox.forms import Form, Sent
from owner.inbox.routing import PageRoute, Person
from owner.inbox.settings.sections import SettingsPage, saved, show_settings
from owner.models.errors import NotFound
from owner.models.event import Actor
from owner.models.feature import Feature, FeatureCreate, FeatureUpdate
from owner.models.feature_schemas import FEATURES, FeatureKind, config_schema
from owner.models.permissions import Permission
from owner.services.catalog import Services

router = APIRouter(prefix="/inbox/settings/features", route_class=PageRoute)
_NUMBERS: Final = frozenset({"number", "integer"})


@dataclass(frozen=True, slots=True)
class ConfigField:
    """One property of a schema, as a form asks for it. What is left empty is not stored: the default counts."""

    name: str
    schema: Mapping[str, Any]

    @property
    def is_number(self) -> bool:
        return self.schema["type"] in _NUMBERS

    @property
    def is_box(self) -> bool:
        return bool(self.schema["type"] == "boolean")

    @property
    def attributes(self) -> dict[str, Any]:
        """What a browser checks by itself."""
        limits = {"minimum": "min", "maximum": "max", "maxLength": "maxlength"}
        known = {html: self.schema[name] for name, html in limits.items() if name in self.schema}
        steps = {"step": 1 if self.schema["type"] == "integer" else "any"} if self.is_number else {}
        return {**known, **steps, "placeholder": self.schema.get("default", "")}

    def read(self, form: Form) -> Any:
        """What was typed, of the type that the schema wants; None where nothing was."""
        if self.is_box:
            return form.has(self.name)
        if not form.text_or_none(self.name):
            return None
        return form.number(self.name) if self.is_number else form.text(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesPage(SettingsPage):
    """What there is, and which of it is on."""

    template: ClassVar = "settings/features.html"
    section: ClassVar = "features"
    kinds: ClassVar = tuple(FEATURES.values())
    stored: Mapping[str, Feature]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePage(SettingsPage):
    """One feature with the fields of its configuration."""

    template: ClassVar = "settings/feature.html"
    section: ClassVar = "features"
    kind: FeatureKind

    @property
    def fields(self) -> Sequence[ConfigField]:
        return fields_of(self.kind)


Slug = Annotated[str, Path(max_length=100)]


@router.get("", **needs(Permission.SETTINGS_READ))
async def show_features(request: Request, services: UseCases, person: Person) -> Response:
    return show_settings(
        request, FeaturesPage(stored=await services.features.list_known(person.caller.owner_id))
    )


@router.get("/{slug}", **needs(Permission.SETTINGS_READ))
async def show_feature(request: Request, services: UseCases, person: Person, slug: Slug) -> Response:
    kind = _kind(slug)
    feature = (await services.features.list_known(person.caller.owner_id)).get(kind.name)
    form = Form.of(enabled=feature.enabled, **feature.config_json) if feature else Form()
    return show_settings(request, FeaturePage(kind=kind, form=form))


@router.post("/{slug}", **needs(Permission.SETTINGS_WRITE))
async def configure(request: Request, services: UseCases, person: Person, slug: Slug, form: Sent) -> Response:
    kind = _kind(slug)
    with form.refusing():
        await _configure(services, person.caller.owner_id, kind, form, by=person.caller.actor)
        return saved("features")
    return show_settings(request, FeaturePage(kind=kind, form=form))


def fields_of(kind: FeatureKind) -> list[ConfigField]:
    properties: dict[str, Any] = config_schema(kind)["properties"]
    return [ConfigField(name, schema) for name, schema in properties.items()]


def _kind(slug: str) -> FeatureKind:
    kind = next((kind for kind in FEATURES.values() if kind.slug == slug), None)
    if kind is None:
        raise NotFound
    return kind


async def _configure(services: Services, owner_id: int, kind: FeatureKind, form: Form, *, by: Actor) -> None:
    typed = {field.name: field.read(form) for field in fields_of(kind)}
    config = {name: value for name, value in typed.items() if value is not None}
    feature = (await services.features.list_known(owner_id)).get(kind.name)
    if feature is None:
        create = FeatureCreate(name=kind.name, enabled=form.has("enabled"), config_json=config)
        await services.features.create(owner_id, create, by=by)
    else:
        update = FeatureUpdate(enabled=form.has("enabled"), config_json=config)
        await services.features.change(owner_id, feature.feature_id, update, by=by)
