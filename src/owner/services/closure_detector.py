"""Asks the closure scores what a message means, with the owner's own words and thresholds."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from owner.models.closure import ClosureScore, Turn, score
from owner.models.closure_keywords import DEFAULT, ClosureKeywords
from owner.models.closure_trial import LONGEST_TEXT
from owner.models.enums import MessageDirection
from owner.models.owner import ClosureSettings

_AS_SHIPPED: Final = ClosureSettings()


class ClosureDetector:
    """The seed's detector: scores a message, remembers each owner's keywords."""

    def __init__(self) -> None:
        self._keywords: dict[int, ClosureKeywords] = {}

    def set_owner_keywords(self, owner_id: int | str, keywords: Sequence[str]) -> None:
        """Use these keywords for an owner, besides the built-in lists.

        Raises:
            ReservedClosureKeyword: one of them opts the customer out of all messages.
        """
        self._keywords[int(owner_id)] = ClosureKeywords(keywords=tuple(keywords))

    def detect(
        self,
        text: str,
        *,
        owner_id: int | str,
        history: Sequence[tuple[MessageDirection, str]] = (),
        context: Mapping[str, object] | None = None,
        age: timedelta | None = None,
        settings: ClosureSettings = _AS_SHIPPED,
    ) -> ClosureScore:
        """How sure it is that the customer is done, and why."""
        return score(
            [
                Turn("user" if direction is MessageDirection.INBOUND else "agent", said[-LONGEST_TEXT:])
                for direction, said in history
            ],
            text[-LONGEST_TEXT:],  # a goodbye comes last, and reading a megabyte would make everybody wait
            keywords=self._keywords_of(int(owner_id), settings),
            context=context,
            age=age,
            confirm_at=settings.confirm_at,
            close_at=settings.close_at,
        )

    def _keywords_of(self, owner_id: int, settings: ClosureSettings) -> ClosureKeywords:
        own = settings.closure_keywords
        return own if own != DEFAULT else self._keywords.get(owner_id, DEFAULT)
