"""Hands what happened to those who make something of it, in order, each event once."""

from collections.abc import Sequence
from typing import Protocol

from owner.db.database import Connection
from owner.models.event import Event


class EventReader(Protocol):
    """Makes something of events: search entries, facts, deliveries.

    `name` is the reader's own place in the feed. What `read` writes is committed together with that place, so each
    event is read exactly once; an error means that the same events come again later.
    """

    name: str

    async def read(self, connection: Connection, owner_id: int, events: Sequence[Event]) -> None: ...
