"""Fetches files of messages from the provider, and shows them to those who may see them."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from owner.db.database import Connection, Database
from owner.logs import get_logger
from owner.models.errors import MediaNotFound, OutcomeUnknown, ProviderError
from owner.models.event import SYSTEM, NewEvent
from owner.models.media import AWAY_FOR, SPREADS_FOR, Media, MediaStatus
from owner.models.outage_errors import MediaStoreUnavailable
from owner.models.twilio_account import TwilioAccount
from owner.repositories.events import EventRepository
from owner.repositories.media import MediaRepository
from owner.repositories.twilio_accounts import TwilioAccountRepository
from owner.services.ports import Clock, FetchedMedia, MediaStore, MessageGateway
from owner.services.twilio_accounts import TwilioService

log = get_logger(__name__)

MAXIMUM_BYTES: Final = 25 * 1024 * 1024
_TOLD: Final = {MediaStatus.STORED: "media.stored", MediaStatus.FAILED: "media.failed"}


@dataclass(frozen=True, slots=True)
class File:
    """A stored file, ready to be served."""

    media: Media
    content: bytes


class MediaService:
    """Files of messages."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        gateway: MessageGateway,
        twilio: TwilioService,
        store: MediaStore,
    ) -> None:
        self.database = database
        self.clock = clock
        self.gateway = gateway
        self.twilio = twilio
        self.store = store

    async def fetch(self, owner_id: int, media_id: int) -> None:
        """Bring a file here; a second call changes nothing.

        Raises:
            ProviderError, OutcomeUnknown: it can't be had now; worth another attempt within seconds.
            MediaStoreUnavailable: it can't be kept now; worth any number of attempts.
        """
        media, conv_id, account = await self._find(owner_id, media_id)
        if media.status is not MediaStatus.PENDING:
            return
        try:
            credentials = self.twilio.credentials(account)
            fetched = await self.gateway.fetch_media(media.provider_url, credentials, max_bytes=MAXIMUM_BYTES)
        except (ProviderError, OutcomeUnknown) as problem:
            if await self._miss(media, conv_id, problem):
                raise
            return
        try:
            await self._keep(media, conv_id, fetched)
        except MediaStoreUnavailable as problem:
            await self._postpone(media, problem.message)
            raise

    async def open(self, owner_id: int, media_id: int) -> File:
        """A file to show.

        Raises:
            MediaNotFound: there is none, it is another owner's, or it is not here yet.
        """
        async with self.database.owner(owner_id) as connection:
            media = await MediaRepository(connection).get(media_id)
        content = (
            await self.store.get(media_key(owner_id, media_id))
            if media.status is MediaStatus.STORED
            else None
        )
        if content is None:
            raise MediaNotFound(media_id=media_id, media_status=media.status)
        return File(media, content)

    async def _find(self, owner_id: int, media_id: int) -> tuple[Media, int, TwilioAccount]:
        """A file, the conversation that it belongs to, and the account that it came by."""
        async with self.database.owner(owner_id) as connection:
            media = await MediaRepository(connection).get(media_id)
            origin = await MediaRepository(connection).get_origin(media.msg_id)
            account = await TwilioAccountRepository(connection).get(origin.twilio_account_id)
        return media, origin.conv_id, account

    async def _keep(self, media: Media, conv_id: int, fetched: FetchedMedia) -> None:
        """Store a file while its row is held: whoever erases the customer's data waits, and then deletes it."""
        async with self.database.owner(media.owner_id) as connection:
            held = await MediaRepository(connection).get(media.media_id, for_update=True)
            if held.status is not MediaStatus.PENDING:
                return
            await self.store.put(media_key(held.owner_id, held.media_id), fetched.content)
            held.store(fetched.content, fetched.content_type, at=self.clock.now())
            await _settle(connection, held, conv_id)
        log.info("media_fetched", owner_id=held.owner_id, media_id=held.media_id, status=held.status)

    async def _postpone(self, media: Media, error: str) -> None:
        async with self.database.owner(media.owner_id) as connection:
            held = await MediaRepository(connection).get(media.media_id, for_update=True)
            if held.status is MediaStatus.PENDING:
                held.postpone(error, at=self.clock.now())
                await MediaRepository(connection).save(held)
        log.warning("media_not_kept", owner_id=held.owner_id, media_id=held.media_id)

    async def _miss(self, media: Media, conv_id: int, problem: ProviderError | OutcomeUnknown) -> bool:
        """Note that the provider did not give it. Returns whether to ask again within seconds."""
        async with self.database.owner(media.owner_id) as connection:
            held = await MediaRepository(connection).get(media.media_id, for_update=True)
            if held.status is not MediaStatus.PENDING:
                return False
            is_soon = held.miss(problem.message, patience=_patience(problem), at=self.clock.now())
            await _settle(connection, held, conv_id)
        log.info("media_missed", owner_id=held.owner_id, media_id=held.media_id, status=held.status)
        return is_soon


def _patience(problem: ProviderError | OutcomeUnknown) -> timedelta:
    """How long what was said of a file may change."""
    if isinstance(problem, ProviderError) and problem.permanent:
        return timedelta(0)
    if isinstance(problem, ProviderError) and problem.http_status == HTTPStatus.NOT_FOUND:
        return SPREADS_FOR
    return AWAY_FOR


async def _settle(connection: Connection, held: Media, conv_id: int) -> None:
    """Save what became of a file, and tell it where nothing more will."""
    await MediaRepository(connection).save(held)
    if event_type := _TOLD.get(held.status):
        event = NewEvent(event_type, SYSTEM, conv_id, held.msg_id, data=held.facts())
        await EventRepository(connection).add_all(held.owner_id, [event])


def media_key(owner_id: int, media_id: int) -> str:
    return f"{owner_id}/{media_id}"
