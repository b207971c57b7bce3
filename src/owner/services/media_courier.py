"""Fetches files of messages: many at once, few of each owner, a few times in a row where that may help."""

import asyncio
from typing import Final

from owner.models.errors import OutcomeUnknown, ProviderError
from owner.repositories.directory import Key
from owner.services.lanes import Lanes
from owner.services.media import MediaService

LANES: Final = 40  # files that are fetched at the same time by one process
OF_OWNER: Final = 10
RETRY: Final = 5.0  # seconds until a file that could not be had is asked for again


class MediaCourier:
    """What it forgets when it is killed, and what has to be waited for longer, the sweep finds."""

    def __init__(self, media: MediaService) -> None:
        self.media = media
        self._lanes = Lanes(self._fetch, at_once=LANES, of_owner=OF_OWNER, name="media")

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for `stop`, and for what is under way then."""
        await stop.wait()
        await self._lanes.finish()

    def take(self, owner_id: int, media_id: int) -> None:
        """Have a file fetched."""
        self._lanes.offer(Key(owner_id, media_id))

    async def _fetch(self, key: Key) -> None:
        try:
            await self.media.fetch(key.owner_id, key.id)
        except (ProviderError, OutcomeUnknown):
            asyncio.get_running_loop().call_later(RETRY, self._lanes.offer, key)
