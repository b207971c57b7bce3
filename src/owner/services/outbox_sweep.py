"""Finds files that nobody works on: the provider is away for longer, the disk is full, a worker died."""

from typing import Final

from owner.db.database import Database
from owner.repositories.directory import Directory
from owner.repositories.jobs import JobRepository
from owner.services.ports import Clock

BATCH: Final = 500


class OutboxSweepService:
    """Gives every file that waits a job again; messages need none."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    async def sweep(self) -> int:
        """Enqueue what nobody is working on. Returns how many jobs were made."""
        now = self.clock.now()
        async with self.database.system() as connection:
            directory, jobs = Directory(connection), JobRepository(connection)
            files = await directory.pending_media(now=now, limit=BATCH)
            for owner_id, media_id in files:
                await jobs.enqueue("media_arrived", owner_id=owner_id, media_id=media_id)
        return len(files)
