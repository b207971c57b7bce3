"""Answers a repeated request as it was answered before, whatever happened in between."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic_core import from_json, to_json

from owner.db.database import PLATFORM_ID, Connection, Database
from owner.models.errors import IdempotencyKeyReused, InvalidInput
from owner.models.event import SYSTEM, Actor
from owner.repositories.idempotency_keys import IdempotencyKeyRepository, KeptAnswer
from owner.repositories.platform import PlatformRepository
from owner.services.ports import Clock, SecretBox

KEPT_FOR: Final = timedelta(hours=24)
_KEY: Final = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """A key, and what it was sent with."""

    key: str
    fingerprint: bytes

    @classmethod
    def of(
        cls, *, key: str, method: str, path: str, query: str, body: bytes, caller: Actor = SYSTEM
    ) -> "RequestIdentity":
        """Bodies that differ in white space or the order of their names are the same.

        Two callers are never the same: an answer may hold a secret that only one of them was shown.

        Raises:
            InvalidInput: the key is empty, too long, or not printable ASCII without blanks.
        """
        if not _KEY.fullmatch(key):
            raise InvalidInput(
                "An Idempotency-Key is 1 to 255 printable ASCII characters without blanks.",
                field="Idempotency-Key",
            )
        who = f"{caller.kind}:{caller.id}"
        parts = (who.encode(), method.encode(), path.encode(), query.encode(), _canonical(body))
        return cls(key, hashlib.sha256(b"\n".join(parts)).digest())


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told."""

    status: int
    body: bytes
    media_type: str
    is_replayed: bool = False


class IdempotencyService:
    """Keeps answers with the change that they are about: both are committed, or neither."""

    def __init__(self, database: Database, *, clock: Clock, secrets_box: SecretBox) -> None:
        self.database = database
        self.clock = clock
        self.secrets_box = secrets_box

    async def run(
        self, owner_id: int, identity: RequestIdentity, produce: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Produce the answer once; a request with the same key that comes meanwhile waits for it.

        What `produce` changes by way of `Database.owner()` becomes part of this transaction. An error is not
        kept: it changed nothing, so the next try starts afresh.

        Raises:
            IdempotencyKeyReused: the key came with another request.
        """
        async with self.database.request(owner_id, lock=_lock(owner_id, identity)) as connection:
            keys = _Kept(connection, owner_id, at=self.clock.now())
            kept = await keys.find(identity.key)
            if kept is not None:
                return self._replay(kept, identity)
            answer = await produce()
            await keys.put(identity.key, self._kept(answer, identity))
            return answer

    def _kept(self, answer: Answer, identity: RequestIdentity) -> KeptAnswer:
        # Encrypted, because an answer may hold a key that is shown this once and stored nowhere else.
        body = self.secrets_box.encrypt(answer.body.decode())
        return KeptAnswer(identity.fingerprint, answer.status, body, answer.media_type)

    def _replay(self, kept: KeptAnswer, identity: RequestIdentity) -> Answer:
        if kept.fingerprint != identity.fingerprint:
            raise IdempotencyKeyReused(field="Idempotency-Key")
        body = self.secrets_box.decrypt(kept.body).encode()
        return Answer(kept.status, body, kept.media_type, is_replayed=True)


class _Kept:
    """Where answers are kept: with the owner, or with the platform for callers who have none."""

    def __init__(self, connection: Connection, owner_id: int, *, at: datetime) -> None:
        self.connection = connection
        self.owner_id = owner_id
        self.at = at
        self.kept_since = at - KEPT_FOR

    async def find(self, key: str) -> KeptAnswer | None:
        if self.owner_id == PLATFORM_ID:
            return await PlatformRepository(self.connection).find_answer(key, kept_since=self.kept_since)
        return await IdempotencyKeyRepository(self.connection).find(key, kept_since=self.kept_since)

    async def put(self, key: str, answer: KeptAnswer) -> None:
        if self.owner_id == PLATFORM_ID:
            platform = PlatformRepository(self.connection)
            await platform.put_answer(key, answer, at=self.at, kept_since=self.kept_since)
            return
        await IdempotencyKeyRepository(self.connection).put(self.owner_id, key, answer, at=self.at)


def _lock(owner_id: int, identity: RequestIdentity) -> int:
    words = f"idempotency\x1f{owner_id}\x1f{identity.key}"
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big", signed=True)


def _canonical(body: bytes) -> bytes:
    try:
        return to_json(_sorted(from_json(body)))
    except ValueError:
        return body


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value
