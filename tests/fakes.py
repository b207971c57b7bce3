"""Stand-ins for what is outside of the product; small, and real enough to be wrong in the right ways."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from factories import some_sid
from owner.models.enums import DeliveryStatus
from owner.models.template import Template
from owner.services.ports import Credentials, FetchedMedia, OutboundMessage, SentMessage


class FakeGateway:
    """Takes messages and remembers them; `answers` are raised or given instead, first come first served."""

    def __init__(self) -> None:
        self.taken: list[tuple[OutboundMessage, SentMessage]] = []
        self.answers: list[BaseException] = []  # raised without taking the message
        self.lost_answers: list[BaseException] = []  # raised after taking the message
        self.clock_ahead = timedelta(0)  # by how much ours is before the provider's
        self.templates: list[Template] = []
        self.templates_asked = 0
        self.media: dict[str, FetchedMedia | Exception] = {}

    async def send(self, message: OutboundMessage, _credentials: Credentials) -> SentMessage:
        await asyncio.sleep(0)
        if self.answers:
            raise self.answers.pop(0)
        sent = SentMessage(
            some_sid(), DeliveryStatus.QUEUED, message.body, len(message.media_urls), datetime.now(UTC)
        )
        self.taken.append((message, sent))
        if self.lost_answers:
            raise self.lost_answers.pop(0)
        return sent

    async def list_sent(self, *, to: str, since: datetime, credentials: Credentials) -> Sequence[SentMessage]:
        del credentials
        return [
            sent
            for message, sent in self.taken
            if message.to == to and sent.created_at is not None and sent.created_at >= since
        ]

    def provider_time(self, moment: datetime) -> datetime:
        return moment - self.clock_ahead

    async def check(self, _credentials: Credentials) -> None:
        if self.answers:
            raise self.answers.pop(0)

    async def list_templates(self, _credentials: Credentials) -> Sequence[Template]:
        self.templates_asked += 1
        if self.answers:
            raise self.answers.pop(0)
        return self.templates

    async def fetch_media(self, url: str, _credentials: Credentials, *, max_bytes: int) -> FetchedMedia:
        del max_bytes
        found = self.media[url]
        if isinstance(found, Exception):
            raise found
        return found

    def sent_to(self, address: str) -> list[str]:
        """What was taken for an address, in order."""
        return [message.body for message, _ in self.taken if message.to == address]
