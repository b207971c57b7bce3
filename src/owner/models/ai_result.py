"""What a model or a detector made of a message."""

from typing import Any

from owner.models.entity import DTO, Entity, Moment


class AIResult(Entity):
    """One result about one message."""

    owner_id: int
    ai_result_id: int
    msg_id: int
    feature_id: int | None = None
    result_json: dict[str, Any]
    created_at: Moment


class AIResultCreate(DTO):
    """A result to keep."""

    msg_id: int
    feature_id: int | None = None
    result_json: dict[str, Any]


class AIResultResponse(AIResultCreate):
    """A result as the API shows it."""

    ai_result_id: int
    created_at: Moment
