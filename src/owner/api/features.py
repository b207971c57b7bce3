"""Routes of features."""

from typing import Annotated

from fastapi import APIRouter, Path, status

from owner.api.dependencies import Caller, Cursor, Limit, UseCases
from owner.api.routing import Route, needs
from owner.models.entity import LARGEST_ID, Page
from owner.models.feature import FeatureCreate, FeatureResponse, FeatureSchemaResponse, FeatureUpdate
from owner.models.feature_schemas import FEATURES, config_schema
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1", tags=["features"], route_class=Route)
FeatureId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("/features", **needs(Permission.SETTINGS_READ))
async def list_features(
    services: UseCases, caller: Caller, limit: Limit = 50, cursor: Cursor = None
) -> Page[FeatureResponse]:
    """What you have configured, newest first; what there is to configure is in `/v1/feature-schemas`."""
    page = await services.features.list_page(caller.owner_id, limit=limit, cursor=cursor)
    return Page[FeatureResponse].model_validate(page)


@router.post(
    "/features", status_code=status.HTTP_201_CREATED, **needs(Permission.SETTINGS_WRITE, creates=True)
)
async def create_feature(create: FeatureCreate, services: UseCases, caller: Caller) -> FeatureResponse:
    """Configure a feature of the product, or keep one of your own programs. The product's names are shown as in `/v1/feature-schemas`, however they were written."""
    feature = await services.features.create(caller.owner_id, create, by=caller.actor)
    return FeatureResponse.model_validate(feature)


@router.get("/features/{feature_id}", **needs(Permission.SETTINGS_READ))
async def get_feature(feature_id: FeatureId, services: UseCases, caller: Caller) -> FeatureResponse:
    """One feature with its configuration."""
    return FeatureResponse.model_validate(await services.features.get(caller.owner_id, feature_id))


@router.patch("/features/{feature_id}", **needs(Permission.SETTINGS_WRITE))
async def change_feature(
    feature_id: FeatureId, update: FeatureUpdate, services: UseCases, caller: Caller
) -> FeatureResponse:
    """Switch a feature on or off, or configure it anew."""
    feature = await services.features.change(caller.owner_id, feature_id, update, by=caller.actor)
    return FeatureResponse.model_validate(feature)


@router.delete(
    "/features/{feature_id}", status_code=status.HTTP_204_NO_CONTENT, **needs(Permission.SETTINGS_WRITE)
)
async def delete_feature(feature_id: FeatureId, services: UseCases, caller: Caller) -> None:
    """Forget a feature and its configuration; 409 while results of it are kept."""
    await services.features.delete(caller.owner_id, feature_id, by=caller.actor)


@router.get("/feature-schemas", **needs(Permission.SETTINGS_READ))
async def list_feature_schemas(_caller: Caller) -> Page[FeatureSchemaResponse]:
    """Every feature of the product, with a JSON Schema of its configuration, for forms; always one page."""
    items = [
        FeatureSchemaResponse(
            name=kind.name,
            description=kind.description,
            is_in_effect=kind.is_in_effect,
            config_schema=config_schema(kind),
        )
        for kind in FEATURES.values()
    ]
    return Page[FeatureSchemaResponse](items=items)
