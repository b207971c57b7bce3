"""Tries the closure detector on one message, with an owner's own words and thresholds."""

from owner.db.database import Database
from owner.models.closure import ClosureScore
from owner.models.closure_trial import ClosureTrial
from owner.models.enums import MessageDirection
from owner.repositories.owners import OwnerRepository
from owner.services.closure_detector import ClosureDetector

_DIRECTIONS = {"user": MessageDirection.INBOUND, "agent": MessageDirection.OUTBOUND}


class ClosureTrialService:
    """Decides nothing and stores nothing."""

    def __init__(self, database: Database, *, detector: ClosureDetector) -> None:
        self.database = database
        self.detector = detector

    async def score(self, owner_id: int, trial: ClosureTrial) -> ClosureScore:
        async with self.database.owner(owner_id) as connection:
            owner = await OwnerRepository(connection).get(owner_id)
        return self.detector.detect(
            trial.text,
            owner_id=owner_id,
            history=[(_DIRECTIONS[turn.speaker], turn.text) for turn in trial.history],
            context=trial.context,
            settings=owner.closure,
        )
