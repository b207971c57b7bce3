"""What the clients were promised: the side of the books that the product does not write."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass
class Webhook:
    """A customer's message, as Twilio knows it."""

    owner_id: int
    posts: int = 0
    acknowledged: int = 0  # answers 2xx; a delivery that came twice has two


@dataclass
class Send:
    """A message that an agent's program wanted to be sent; `text` is no other message's."""

    owner_id: int
    conv_id: int
    text: str
    tries: int = 0
    msg_ids: set[int] = field(default_factory=set)
    refusal: str | None = None

    @property
    def is_accepted(self) -> bool:
        return bool(self.msg_ids)

    @property
    def is_refused(self) -> bool:
        """For sure: of an earlier try without an answer nobody knows whether it still goes through."""
        return self.refusal is not None and not self.msg_ids and self.tries == 1


@dataclass
class Ledger:
    """Everything that a client saw."""

    webhooks: dict[str, Webhook] = field(default_factory=dict)
    sends: dict[str, Send] = field(default_factory=dict)
    closings: set[tuple[int, int]] = field(default_factory=set)  # owner and conversation, acknowledged
    statuses: Counter[str] = field(default_factory=Counter)  # of all answers, by client
    problems: list[str] = field(default_factory=list)  # what a client saw that may never be
    streamed: dict[int, list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )  # events by owner, as told
    delivered: dict[int, set[int]] = field(
        default_factory=lambda: defaultdict(set)
    )  # events by owner, by webhook
    bodies: dict[str, bytes] = field(default_factory=dict)  # of outbound webhooks, by their id
    deliveries: int = 0

    @property
    def messages(self) -> int:
        """How many the product took in."""
        acknowledged = sum(1 for webhook in self.webhooks.values() if webhook.acknowledged)
        return acknowledged + sum(1 for send in self.sends.values() if send.is_accepted)
