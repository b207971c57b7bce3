"""The API's nouns, each with its verbs."""

from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

from owner.client.models import (
    Answer,
    Conversation,
    Event,
    Label,
    Message,
    Note,
    Template,
    TwilioAccount,
)
from owner.client.transport import Transport

M = TypeVar("M", bound=Answer)


class Collection(Generic[M]):
    """A noun that is listed, read, created, changed and deleted, as far as the API lets it."""

    def __init__(self, transport: Transport, path: str, model: type[M]) -> None:
        self.transport = transport
        self.path = path
        self.model = model

    async def create(self, **body: Any) -> M:
        return self._read(await self.transport.call("POST", self.path, body=body, creates=True))

    async def get(self, key: int) -> M:
        return self._read(await self.transport.call("GET", f"{self.path}/{key}"))

    async def update(self, key: int, **changes: Any) -> M:
        """Change what is named; None clears a field."""
        return self._read(await self.transport.call("PATCH", f"{self.path}/{key}", body=changes))

    async def delete(self, key: int) -> None:
        await self.transport.call("DELETE", f"{self.path}/{key}")

    async def list(self, *, limit: int = 100, **filters: Any) -> AsyncIterator[M]:
        """Everything, page after page as it is asked for."""
        cursor: str | None = None
        while True:
            query = {**filters, "limit": limit, "cursor": cursor}
            page = await self.transport.call("GET", self.path, query=query)
            for item in page["items"]:
                yield self._read(item)
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def act(self, key: int, verb: str, *, creates: bool = False, **body: Any) -> Any:
        """A verb of the noun that has no method of its own here, such as `rotate`; the answer as JSON."""
        return await self.transport.call("POST", f"{self.path}/{key}/{verb}", body=body, creates=creates)

    def _read(self, answer: Any) -> M:
        return self.model.model_validate(answer)


class Conversations(Collection[Conversation]):
    """Conversations, and what belongs to one."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "/v1/conversations", Conversation)

    async def close(
        self, conv_id: int, *, reason: str | None = None, status: str | None = None
    ) -> Conversation:
        named = {"reason": reason, "status": status}
        body: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        return self._read(await self.act(conv_id, "close", **body))

    async def extend(self, conv_id: int, *, minutes: int) -> Conversation:
        return self._read(await self.act(conv_id, "extend", minutes=minutes))

    async def send(self, conv_id: int, content: str | None = None, **body: Any) -> Message:
        """Send a text, or files, a template, a canned reply by their names in the API."""
        wanted = {**body, **({"content": content} if content is not None else {})}
        return Message.model_validate(await self.act(conv_id, "messages", creates=True, **wanted))

    def messages(self, conv_id: int) -> Collection[Message]:
        return Collection(self.transport, f"{self.path}/{conv_id}/messages", Message)

    def notes(self, conv_id: int) -> Collection[Note]:
        return Collection(self.transport, f"{self.path}/{conv_id}/notes", Note)

    def events(self, conv_id: int) -> Collection[Event]:
        return Collection(self.transport, f"{self.path}/{conv_id}/events", Event)

    async def label(self, conv_id: int, label: Label) -> None:
        await self.transport.call("PUT", f"{self.path}/{conv_id}/labels/{label.label_id}")

    async def mark_read(self, conv_id: int) -> int:
        """Returns how many messages are unread still."""
        unread: int = (await self.act(conv_id, "read"))["unread_count"]
        return unread


class Events(Collection[Event]):
    """Everything that happens."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "/v1/events", Event)

    async def stream(
        self, *, last_event_id: str | None = None, **filters: Any
    ) -> AsyncIterator[tuple[str, Event]]:
        """Events as they happen, each with the id from which a later call goes on without a gap or a double."""
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        async with self.transport.stream(f"{self.path}/stream", query=filters, headers=headers) as lines:
            event_id, data = "", ""
            async for line in lines:
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "id":
                    event_id = value
                elif name == "data":
                    data += value
                elif not line and data:
                    yield event_id, Event.model_validate_json(data)
                    data = ""


class TwilioAccounts(Collection[TwilioAccount]):
    """Accounts at Twilio, and the templates that each has there."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "/v1/twilio-accounts", TwilioAccount)

    async def templates(self, twilio_account_id: int, *, status: str | None = None) -> list[Template]:
        """By name; those with a `status` such as `APPROVED` only."""
        path = f"{self.path}/{twilio_account_id}/templates"
        page = await self.transport.call("GET", path, query={"status": status})
        return [Template.model_validate(item) for item in page["items"]]
