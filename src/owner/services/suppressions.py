"""Remembers that somebody wanted no messages after their address is gone: an address that returns is still opted out."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from owner.db.database import Connection
from owner.models.addresses import Address
from owner.models.contact import ContactAddress
from owner.repositories.suppressions import Suppression, SuppressionRepository
from owner.services.ports import SecretBox

_KEY_BYTES: Final = 32


class SuppressionList:
    """Addresses by a keyed hash. The key is the owner's own, and encrypted: the table alone tells nothing."""

    def __init__(self, secrets_box: SecretBox) -> None:
        self.secrets_box = secrets_box

    async def keep(self, connection: Connection, owner_id: int, addresses: Iterable[ContactAddress]) -> None:
        """Remember those of the addresses that are opted out, before they go."""
        refusing = [
            (address, address.opted_out_at) for address in addresses if address.opted_out_at is not None
        ]
        if not refusing:
            return
        repository = SuppressionRepository(connection)
        key = await repository.find_key() or await self._make_key(repository, owner_id)
        await repository.put(
            owner_id,
            [
                Suppression(
                    address.channel,
                    self._hash(key, address.key),
                    opted_out_at,
                    address.opt_out_source or "PROVIDER",
                )
                for address, opted_out_at in refusing
            ],
        )

    async def take(
        self, connection: Connection, addresses: Sequence[Address]
    ) -> Mapping[Address, Suppression]:
        """What is remembered of addresses that are about to be known again; it is theirs from then on."""
        repository = SuppressionRepository(connection)
        key = await repository.find_key()
        if key is None:
            return {}
        by_hash = {(address.channel.value, self._hash(key, address)): address for address in addresses}
        taken = await repository.take([channel for channel, _ in by_hash], [digest for _, digest in by_hash])
        return {by_hash[each.channel, each.address_hash]: each for each in taken}

    async def _make_key(self, repository: SuppressionRepository, owner_id: int) -> bytes:
        return await repository.add_key(owner_id, self.secrets_box.encrypt(secrets.token_hex(_KEY_BYTES)))

    def _hash(self, key_encrypted: bytes, address: Address) -> bytes:
        key = bytes.fromhex(self.secrets_box.decrypt(key_encrypted))
        words = f"{address.channel}\x1f{address.value}".encode(errors="surrogatepass")
        return hmac.new(key, words, hashlib.sha256).digest()
