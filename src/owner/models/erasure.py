"""What stays of a person whose data is erased: that something happened, when, and how much; no word of it."""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal

from pydantic import ConfigDict
from pydantic_core import from_json, to_json

from owner.models.entity import DTO, Moment

ERASED: Final = "the contact was erased"
# Texts of events that are ours, by their names; every other text may be a person's.
_OUR_TEXTS: Final = frozenset(
    {
        "by",
        "channel",
        "content_type",  # read from a file's bytes, never what its sender claims
        "decision",
        "detector_version",
        "expires_at",
        "handler",
        "message_type",
        "outcome",
        "priority",
        "status_from",
        "status_to",
        "written_by",
    }
)
_NAMED: Final = re.compile(r'"(conv_id|contact_id|survivor_id|merged_id|merged_into_id)": ?(\d{1,19})\b')


class ContactErase(DTO):
    """That it is meant: nothing brings the data back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"confirm": "ERASE"}]})

    confirm: Literal["ERASE"]


class ContactErasureResponse(DTO):
    """What was erased; the same however often it is asked for."""

    contact_id: int
    erased_at: Moment
    conversations: int
    messages: int
    files: int


def tombstone(contact_id: int) -> str:
    """What stands where an address was."""
    return f"erased:{contact_id}"


def without_words(data: Mapping[str, Any]) -> dict[str, Any]:
    """An event's data without any text that is not ours; numbers, yes and no stay."""
    return {
        name: _bare(value)
        for name, value in data.items()
        if not isinstance(value, str) or name in _OUR_TEXTS or value == ERASED
    }


def bare_payload(payload: str) -> str:
    """What an integrator is told of an event, as JSON, without any text that is not ours."""
    told = from_json(payload)
    told["data"]["data"] = without_words(told["data"]["data"])
    return to_json(told).decode()


def is_about(answer: str, *, contact_ids: Collection[int], conv_ids: Collection[int]) -> bool:
    """Whether an answer of the API names one of these contacts or conversations."""
    return any(
        int(key) in (conv_ids if name == "conv_id" else contact_ids) for name, key in _NAMED.findall(answer)
    )


def _bare(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_words(value)
    if isinstance(value, list):
        return [_bare(each) for each in value if not isinstance(each, str)]
    return value
