"""Counts requests, messages and sign-ins, and says when it was enough and when it will be possible again."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from time import monotonic, time
from typing import Final

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.storage.redis.redispy import RedispyBridge
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from owner.logs import get_logger
from owner.models.errors import Misconfigured
from owner.models.outage_errors import RateLimited
from owner.models.principal import Principal
from owner.models.user import User

log = get_logger(__name__)

STORE_TIMEOUT: Final = 0.5  # seconds that a request waits for a store that says nothing
STORE_PAUSE: Final = 5.0  # seconds until a store that was away is asked again
WRONG_CODES: Final = RateLimitItemPerDay(20)  # of one person: three of a million are right at any time
MAILS_TO_PERSON: Final = RateLimitItemPerDay(5)
MAILS_OF_OWNER: Final = RateLimitItemPerDay(200)


@dataclass(frozen=True, slots=True)
class RateLimitSettings:
    """How much is allowed; 0 turns a limit off."""

    key_per_minute: int = 1_200
    owner_per_minute: int = 6_000
    messages_per_day: int = 0
    sign_in_per_ip: int = 20  # in 5 minutes
    sign_in_per_email: int = 10  # in 15 minutes
    password_reset: int = 5  # in 30 minutes, for each address and each e-mail


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit; `reset_after` is in seconds."""

    limit: int
    remaining: int
    reset_after: int

    @property
    def headers(self) -> Mapping[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_after),
        }


class RateLimitService:
    """Limits over moving windows: in this process's memory, or in Redis for all processes together."""

    def __init__(self, settings: RateLimitSettings, *, redis_url: str | None = None) -> None:
        """Raise `Misconfigured` unless the URL is one of a Redis, for which the client library is installed."""
        self.settings = settings
        self._storage = _open_storage(redis_url)
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._store_is_away_until = 0.0

    async def is_reachable(self) -> bool:
        """Whether the store that all processes share answers; memory always does."""
        try:
            return await self._storage.check()
        except StorageError:
            return False

    async def aclose(self) -> None:
        await _close_storage(self._storage)

    async def count_request(self, caller: Principal) -> Allowance | None:
        """Count a request of a key or a person, and of their owner; the tighter allowance is returned.

        Raises:
            RateLimited: one of the two is used up.
        """
        who = f"{caller.owner_id}:{caller.actor.kind}:{caller.actor.id}"
        allowances = [
            await self._count("key", who, _per_minutes(self.settings.key_per_minute)),
            await self._count("owner", str(caller.owner_id), _per_minutes(self.settings.owner_per_minute))
            if caller.owner_id
            else None,
        ]
        return min(filter(None, allowances), key=lambda allowance: allowance.remaining, default=None)

    async def count_message(self, owner_id: int) -> None:
        """Count a message to a customer against the owner's day; raises `RateLimited`."""
        limit = self.settings.messages_per_day
        await self._count("messages", str(owner_id), RateLimitItemPerDay(limit) if limit else None)

    async def count_sign_in(self, *, email: str, address: str) -> None:
        """Count a try to sign in, before it is known whether it succeeds; raises `RateLimited`."""
        await self._count("sign-in-ip", address, _per_minutes(self.settings.sign_in_per_ip, 5))
        await self._count("sign-in-email", email, _per_minutes(self.settings.sign_in_per_email, 15))

    async def refuse_code(self, user: User) -> None:
        """Raise `RateLimited` for who sent so many wrong codes that the next may be right by chance."""
        await self._count("wrong-code", _person(user), WRONG_CODES, hits=False)

    async def count_wrong_code(self, user: User) -> None:
        await self._count("wrong-code", _person(user), WRONG_CODES)

    async def count_mail(self, user: User) -> None:
        """Count a mail that a company has sent to somebody: anybody's address can be written there.

        Raises:
            RateLimited: it was enough for the person, or for the company, today.
        """
        await self._count("mail-person", _person(user), MAILS_TO_PERSON)
        await self._count("mail-owner", str(user.owner_id), MAILS_OF_OWNER)

    async def count_password_reset(self, *, email: str, address: str) -> None:
        """Count a wish for a reset link; raises `RateLimited`."""
        for kind, who in (("reset-ip", address), ("reset-email", email)):
            await self._count(kind, who, _per_minutes(self.settings.password_reset, 30))

    async def _count(
        self, kind: str, who: str, limit: RateLimitItem | None, *, hits: bool = True
    ) -> Allowance | None:
        """Count one, or only look; a store that is away lets everybody through, because a limit is no condition."""
        if limit is None or monotonic() < self._store_is_away_until:
            return None
        try:
            is_within = await (self._limiter.hit if hits else self._limiter.test)(limit, kind, who)
            window = await self._limiter.get_window_stats(limit, kind, who)
        except StorageError as problem:
            self._store_is_away_until = monotonic() + STORE_PAUSE
            log.warning("rate_limit_store_unavailable", problem=type(problem.storage_error).__name__)
            return None
        allowance = Allowance(
            limit.amount, max(0, window.remaining), max(1, ceil(window.reset_time - time()))
        )
        if not is_within:
            raise RateLimited(
                f"More than {limit.amount} in {_span(limit)}; try again in {allowance.reset_after} seconds.",
                limit=limit.amount,
                remaining=0,
                retry_after=allowance.reset_after,
            )
        return allowance


def _person(user: User) -> str:
    return f"{user.owner_id}:{user.user_id}"


async def _close_storage(storage: Storage) -> None:
    """The library opens connections and leaves it to others to close them."""
    if isinstance(storage, RedisStorage) and isinstance(storage.bridge, RedispyBridge):
        await storage.bridge.storage.aclose()


def _open_storage(redis_url: str | None) -> Storage:
    if redis_url is None:
        return MemoryStorage()
    try:
        opened = storage_from_string(
            f"async+{redis_url}",
            implementation="redispy",
            wrap_exceptions=True,
            socket_timeout=STORE_TIMEOUT,
            socket_connect_timeout=STORE_TIMEOUT,
        )
    except (ConfigurationError, ValueError) as problem:
        raise Misconfigured(
            "OWNER_REDIS_URL must be like redis://host:6379/0, and `pip install 'owner[redis]'` must have been run.",
            field="OWNER_REDIS_URL",
        ) from problem
    assert isinstance(opened, Storage)
    return opened


def _per_minutes(amount: int, minutes: int = 1) -> RateLimitItem | None:
    return RateLimitItemPerMinute(amount, minutes) if amount else None


_SPANS: Final = {60: "a minute", 86_400: "a day"}


def _span(limit: RateLimitItem) -> str:
    seconds = limit.get_expiry()
    return _SPANS.get(seconds, f"{seconds // 60} minutes")
