"""Files of messages: fetched from the provider, stored here, served to those who may see them."""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from owner.models.entity import Entity, Moment

QUICK_ATTEMPTS: Final = 8  # seconds apart; what has not come by then is asked for each minute
# How long a file may come that is not there yet: a new one spreads inside the provider.
SPREADS_FOR: Final = timedelta(minutes=10)
# How long the end of an outage, a limit or a wrong token is waited for: as long as with messages to send.
AWAY_FOR: Final = timedelta(hours=24)


class MediaStatus(StrEnum):
    """Where the bytes are."""

    PENDING = "PENDING"  # at the provider only
    STORED = "STORED"  # here
    FAILED = "FAILED"  # the provider would not give them, or they are too large
    ERASED = "ERASED"  # nowhere: the customer's data was erased


class Media(Entity):
    """One file of a message. `content_type` is sniffed from the bytes once they are stored."""

    owner_id: int
    media_id: int
    msg_id: int
    position: int
    provider_url: str
    content_type: str
    size: int | None = None
    sha256: bytes | None = None
    status: MediaStatus = MediaStatus.PENDING
    attempts: int = 0
    error: str | None = None
    created_at: Moment
    updated_at: Moment

    def store(self, content: bytes, content_type: str, *, at: datetime) -> None:
        """The bytes are here."""
        self._note_attempt(None, at)
        self.status = MediaStatus.STORED
        self.size = len(content)
        self.sha256 = sha256(content).digest()
        self.content_type = content_type

    def miss(self, error: str, *, patience: timedelta, at: datetime) -> bool:
        """The provider did not give it, and may until `patience` ends. Returns whether to ask again within seconds."""
        self._note_attempt(error, at)
        is_tried_enough = self.attempts >= QUICK_ATTEMPTS
        if not patience or (is_tried_enough and at - self.created_at >= patience):
            self.status = MediaStatus.FAILED
        return self.status is MediaStatus.PENDING and not is_tried_enough

    def postpone(self, error: str, *, at: datetime) -> None:
        """It could not be kept, which is no fault of its provider's: it may be tried any number of times."""
        self.error = error
        self.updated_at = at

    def facts(self) -> dict[str, int | str | None]:
        """What may be told of it, also after it was erased: what others claim that a file is may be anything."""
        if self.status is MediaStatus.STORED:
            return {"media_id": self.media_id, "content_type": self.content_type, "size": self.size}
        return {"media_id": self.media_id, "attempts": self.attempts}

    def _note_attempt(self, error: str | None, at: datetime) -> None:
        self.attempts += 1
        self.error = error
        self.updated_at = at
