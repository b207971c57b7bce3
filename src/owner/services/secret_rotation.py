"""Encrypts all that is encrypted with the newest key, so that former keys may go."""

from owner.db.database import Database
from owner.repositories.directory import Directory
from owner.repositories.encrypted import ENCRYPTED, EncryptedRepository
from owner.repositories.platform import PlatformRepository
from owner.services.ports import SecretBox


class SecretRotationService:
    """Rotation of OWNER_SECRET_KEY, while everything runs."""

    def __init__(self, database: Database, *, secrets_box: SecretBox) -> None:
        self.database = database
        self.secrets_box = secrets_box

    async def rotate(self) -> int:
        """Encrypt everything anew, an owner at a time; a second run changes no meaning. Returns how many secrets."""
        async with self.database.system() as connection:
            owner_ids = await Directory(connection).owner_ids()
        return sum([await self.rotate_of(owner_id) for owner_id in owner_ids]) + await self._rotate_platform()

    async def rotate_of(self, owner_id: int) -> int:
        count = 0
        async with self.database.owner(owner_id) as connection:
            repository = EncryptedRepository(connection)
            for column in ENCRYPTED:
                async for sealed in repository.list_locked(column):
                    renewed = [(key, self.secrets_box.rotate(secret)) for key, secret in sealed]
                    await repository.replace(column, renewed)
                    count += len(renewed)
        return count

    async def _rotate_platform(self) -> int:
        async with self.database.system() as connection:
            platform = PlatformRepository(connection)
            answers = await platform.list_answers()
            for key, body in answers:
                await platform.replace_answer(key, former=body, renewed=self.secrets_box.rotate(body))
        return len(answers)
