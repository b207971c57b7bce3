"""Files of messages: fetched from the provider, stored here, served to those who may see them."""

from enum import StrEnum

from owner.models.entity import Entity, Moment


class MediaStatus(StrEnum):
    """Where the bytes are."""

    PENDING = "PENDING"  # at the provider only
    STORED = "STORED"  # here
    FAILED = "FAILED"  # the provider would not give them, or they are too large


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
