"""The ledger of consent."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from owner.models.consent import Consent, NewConsent
from owner.repositories.base import BaseRepository


class ConsentRepository(BaseRepository[Consent]):
    """Changes are added and read, never changed."""

    entity: ClassVar = Consent
    table: ClassVar = "contact_consents"
    key: ClassVar = "consent_id"

    async def add_all(self, owner_id: int, consents: Iterable[NewConsent]) -> None:
        """Record changes with the same fate as the changes themselves."""
        await self.connection.executemany(
            """
            INSERT INTO contact_consents
                (owner_id, contact_id, channel, address, change, source, evidence, actor_kind, actor_id, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """,
            [
                (
                    owner_id,
                    consent.contact_id,
                    consent.address.channel,
                    consent.address.value,
                    consent.change,
                    consent.source,
                    consent.evidence,
                    consent.actor.kind,
                    consent.actor.id,
                    consent.at,
                )
                for consent in consents
            ],
        )

    async def move_all(self, *, from_id: int, to_id: int) -> list[int]:
        """Give a contact's ledger to another one; returns the ids of what moved."""
        rows = await self.connection.fetch(
            "UPDATE contact_consents SET contact_id = $2 WHERE contact_id = $1 RETURNING consent_id",
            from_id,
            to_id,
        )
        return sorted(row["consent_id"] for row in rows)

    async def move(self, consent_ids: Sequence[int], *, from_id: int, to_id: int) -> None:
        await self.connection.execute(
            "UPDATE contact_consents SET contact_id = $3 WHERE consent_id = ANY ($1) AND contact_id = $2",
            consent_ids,
            from_id,
            to_id,
        )
