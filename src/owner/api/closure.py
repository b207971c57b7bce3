"""Routes of the closure detector."""

from fastapi import APIRouter

from owner.api.dependencies import Caller, UseCases
from owner.api.routing import Route, needs
from owner.models.closure_trial import ClosureScoreResponse, ClosureTrial
from owner.models.permissions import Permission

router = APIRouter(prefix="/v1/closure", tags=["closure"], route_class=Route)


@router.post("/score", **needs(Permission.SETTINGS_READ))
async def score_message(trial: ClosureTrial, services: UseCases, caller: Caller) -> ClosureScoreResponse:
    """Try a message: what the detector would decide with your keywords and thresholds, and on which words."""
    score = await services.closure_trial.score(caller.owner_id, trial)
    return ClosureScoreResponse.model_validate(score)
