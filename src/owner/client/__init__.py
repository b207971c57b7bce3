"""A typed client of the REST API, for programs: `pip install owner[client]`.

```python
async with OwnerClient("https://owner.example.com", "ok_…") as owner:
    async for conversation in owner.conversations.list(status="PENDING"):
        await owner.conversations.send(conversation.conv_id, "Olá! Já vamos ver.")
```
"""

import httpx

from owner.client.errors import ApiError, Unreachable
from owner.client.models import (
    ApiKey,
    CannedReply,
    Contact,
    Conversation,
    Event,
    Feature,
    Label,
    Message,
    Note,
    Owner,
    Template,
    TwilioAccount,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from owner.client.resources import Collection, Conversations, Events, TwilioAccounts
from owner.client.transport import Transport

__all__ = [
    "ApiError",
    "ApiKey",
    "CannedReply",
    "Collection",
    "Contact",
    "Conversation",
    "Event",
    "Feature",
    "Label",
    "Message",
    "Note",
    "Owner",
    "OwnerClient",
    "Template",
    "TwilioAccount",
    "TwilioAccounts",
    "Unreachable",
    "User",
    "WebhookDelivery",
    "WebhookEndpoint",
]


class OwnerClient(Transport):
    """One API with one key or session token; what creates something is safe to try again, and is."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`timeout` is in seconds; `transport` stands in for the network, as in tests."""
        super().__init__(url, token, timeout=timeout, transport=transport)
        self.conversations = Conversations(self)
        self.events = Events(self)
        self.contacts = Collection(self, "/v1/contacts", Contact)
        self.labels = Collection(self, "/v1/labels", Label)
        self.canned_replies = Collection(self, "/v1/canned-replies", CannedReply)
        self.users = Collection(self, "/v1/users", User)
        self.api_keys = Collection(self, "/v1/api-keys", ApiKey)
        self.owners = Collection(self, "/v1/owners", Owner)
        self.features = Collection(self, "/v1/features", Feature)
        self.twilio_accounts = TwilioAccounts(self)
        self.webhook_endpoints = Collection(self, "/v1/webhook-endpoints", WebhookEndpoint)
        self.webhook_deliveries = Collection(self, "/v1/webhook-deliveries", WebhookDelivery)

    async def media(self, media_id: int) -> bytes:
        """A file that a customer sent."""
        return await self.fetch(f"/v1/media/{media_id}")

    async def report(self, name: str, **parameters: str) -> dict[str, object]:
        """A report by its name, such as `first-response`; parameters as `to="2026-11-30"`, `channel="SMS"`."""
        answer: dict[str, object] = await self.call("GET", f"/v1/reports/{name}", query=parameters)
        return answer
