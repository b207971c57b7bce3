"""The jobs: a name, the ids that come with it, one use case."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from pgqueuer.domain.errors import RetryRequested

from owner.models.enums import ActorKind
from owner.models.event import Actor
from owner.models.one_time_link import LinkPurpose
from owner.services.catalog import Services

Job = Callable[..., Awaitable[None]]
STORE_RETRY: Final = timedelta(minutes=1)


async def message_queued(services: Services, **_ids: int) -> None:
    """Look for messages to send. The former version asks for it; what is queued now is found without a job."""
    services.message_courier.wake()


async def media_arrived(services: Services, *, owner_id: int, media_id: int) -> None:
    """Have a file of a message fetched, without holding one of the queue's places meanwhile."""
    services.media_courier.take(owner_id, media_id)


async def password_reset_asked(services: Services, *, email_hash: str) -> None:
    """Find the people who have an e-mail."""
    await services.password_resets.answer(email_hash)


async def link_wanted(services: Services, *, owner_id: int, user_id: int, purpose: str) -> None:
    """Mail a person a link."""
    await services.password_links.send(owner_id, user_id, LinkPurpose(purpose))


async def contact_erased(services: Services, *, owner_id: int, contact_id: int) -> None:
    """Finish an erasure, its files above all; come back while the store refuses."""
    try:
        await services.contact_erasure.finish(owner_id, contact_id)
    except Exception as problem:
        raise RetryRequested(delay=STORE_RETRY, reason=type(problem).__name__) from problem


async def person_shut_out(
    services: Services, *, owner_id: int, user_id: int, by_kind: str, by_id: int
) -> None:
    """Give back the conversations of somebody who can't have them any more."""
    by = Actor(ActorKind(by_kind), by_id or None)
    await services.assignments.release(owner_id, user_id, by=by)


async def account_due(services: Services, *, owner_id: int, twilio_account_id: int) -> None:
    """Compare an account with Twilio's log of messages."""
    await services.reconciliation.reconcile(owner_id, twilio_account_id)


async def conversations_due(services: Services) -> None:
    """End what is over-age or idle."""
    await services.timeouts.sweep()


async def outbox_due(services: Services) -> None:
    """Give files that lost their job a new one."""
    await services.outbox_sweep.sweep()


async def events_due(services: Services) -> None:
    """Find owners whose events nobody has handed to their readers, such as those of a worker that died."""
    await services.event_feed.sweep()


async def accounts_due(services: Services) -> None:
    """Have every account compared, each for itself, so that a slow one holds up nobody."""
    await services.reconciliation.plan()


async def housekeeping_due(services: Services) -> None:
    """Partitions ahead of time; old months, job logs and kept answers gone."""
    await services.housekeeping.tidy()


JOBS: Final[dict[str, Job]] = {
    "message_queued": message_queued,
    "media_arrived": media_arrived,
    "password_reset_asked": password_reset_asked,
    "link_wanted": link_wanted,
    "contact_erased": contact_erased,
    "account_due": account_due,
    "person_shut_out": person_shut_out,
}

AT_ONCE: Final = {"account_due": 8}  # of all workers together: such a job may wait long for Twilio


SCHEDULES: Final[dict[str, tuple[str, Callable[[Services], Awaitable[None]]]]] = {
    "conversations_due": ("* * * * * */30", conversations_due),
    "outbox_due": ("* * * * * */5", outbox_due),
    "events_due": ("* * * * * */30", events_due),
    "accounts_due": ("43 * * * *", accounts_due),
    "housekeeping_due": ("17 * * * *", housekeeping_due),
}
