"""The books: what was promised against what is there, line by line."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from chaos.ledger import Ledger
from owner.models.enums import ConversationStatus
from owner.models.lifecycle import FINAL, OPEN, TRANSITIONS

SHOWN: Final = 5  # examples of what is wrong


@dataclass(frozen=True)
class Line:
    """One promise, the figures, and what breaks it."""

    promise: str
    figures: str
    broken: list[str] = field(default_factory=list)

    @property
    def balances(self) -> bool:
        return not self.broken


Rows = list[tuple[Any, ...]]
Query = Callable[[str], Rows]


def balance(ledger: Ledger, ask: Query, taken: list[dict[str, Any]]) -> list[Line]:
    """Every line; `ask` sees all owners' rows, `taken` is what the provider has, as the simulator tells it."""
    return [
        *_webhooks(ledger, ask),
        *_sends(ledger, ask, taken),
        *_events(ledger, ask),
        *_conversations(ledger, ask),
        *_nothing_left(ask),
        Line("no client saw what may never be", f"{len(ledger.problems)} problems", ledger.problems),
    ]


def _webhooks(ledger: Ledger, ask: Query) -> Iterator[Line]:
    stored = Counter(
        {
            sid: int(count)
            for sid, count in ask(
                "SELECT provider_sid, count(*) FROM messages WHERE direction = 'INBOUND' GROUP BY 1"
            )
        }
    )
    acknowledged = {sid for sid, webhook in ledger.webhooks.items() if webhook.acknowledged}
    repeated = sum(1 for webhook in ledger.webhooks.values() if webhook.posts > 1)
    yield Line(
        "every webhook that got a 2xx is one message",
        f"{len(acknowledged):,} of {len(ledger.webhooks):,} acknowledged, {repeated:,} posted more than once, {sum(stored.values()):,} stored",
        [
            *(f"{sid} was acknowledged and is not there" for sid in acknowledged - stored.keys()),
            *(f"{sid} is there {count} times" for sid, count in stored.items() if count > 1),
            *(f"{sid} is there and nobody wrote it" for sid in stored.keys() - ledger.webhooks.keys()),
        ],
    )
    refused = ask("SELECT reason, count(*) FROM inbound_quarantine GROUP BY 1")
    yield Line(
        "no well-signed webhook was put aside",
        f"{sum(count for _, count in refused)} in quarantine",
        [f"{count} for {reason}" for reason, count in refused],
    )


def _sends(ledger: Ledger, ask: Query, taken: list[dict[str, Any]]) -> Iterator[Line]:
    ours = [message for message in taken if message["direction"] == "outbound-api"]
    times = Counter(message["body"] for message in ours)
    accepted = [send for send in ledger.sends.values() if send.is_accepted]
    refused = [send for send in ledger.sends.values() if send.is_refused]
    wanted = {send.text for send in ledger.sends.values()}
    yield Line(
        "every accepted message reached the provider once, no refused one did",
        f"{len(accepted):,} accepted, {len(refused):,} refused, {len(ledger.sends) - len(accepted) - len(refused):,} never answered, {len(ours):,} at the provider",
        [
            *(
                f"{send.text!r} was accepted and reached the provider {times[send.text]} times"
                for send in accepted
                if times[send.text] != 1
            ),
            *(
                f"{send.text!r} was refused ({send.refusal}) and reached the provider"
                for send in refused
                if times[send.text]
            ),
            *(
                f"{text!r} reached the provider {count} times"
                for text, count in times.items()
                if count > 1 and text in wanted
            ),
            *(f"{text!r} reached the provider and nobody wanted that" for text in times.keys() - wanted),
        ],
    )
    yield Line(
        "a request with one Idempotency-Key is one message",
        f"{sum(1 for send in ledger.sends.values() if send.tries > 1):,} requests were repeated",
        [f"{sorted(send.msg_ids)} for one key" for send in accepted if len(send.msg_ids) > 1],
    )
    sids = Counter(
        {
            sid: 1
            for (sid,) in ask(
                "SELECT provider_sid FROM messages WHERE direction = 'OUTBOUND' AND provider_sid IS NOT NULL"
            )
        }
    )
    yield Line(
        "each message knows its provider's number",
        f"{len(sids):,} known",
        [
            f"{message['message_sid']} is at the provider and not here"
            for message in ours
            if message["message_sid"] not in sids
        ],
    )


def _events(ledger: Ledger, ask: Query) -> Iterator[Line]:
    told: dict[int, list[int]] = defaultdict(list)
    for owner_id, event_id in ask("SELECT owner_id, event_id FROM events ORDER BY owner_id, xid, event_id"):
        told[owner_id].append(event_id)
    yield Line(
        "every stream told every event once, in order",
        f"{sum(map(len, told.values())):,} events, {sum(map(len, ledger.streamed.values())):,} streamed",
        [
            f"owner {owner_id}: {_difference(events, ledger.streamed[owner_id])}"
            for owner_id, events in told.items()
            if events != ledger.streamed[owner_id]
        ],
    )
    since: dict[int, int] = dict(
        ask("SELECT owner_id, min(after_event_id) FROM webhook_endpoints GROUP BY 1")
    )
    due = {
        owner_id: {event for event in told[owner_id] if event > after} for owner_id, after in since.items()
    }
    missing = [
        f"event {event} of owner {owner_id}"
        for owner_id, events in due.items()
        for event in sorted(events - ledger.delivered[owner_id])
    ]
    yield Line(
        "every event reached the webhook consumer",
        f"{sum(map(len, due.values())):,} due, {sum(map(len, ledger.delivered.values())):,} taken in {ledger.deliveries:,} requests",
        missing,
    )


def _difference(events: list[int], streamed: list[int]) -> str:
    missing, more = Counter(events) - Counter(streamed), Counter(streamed) - Counter(events)
    if not missing and not more:
        return "another order"
    return (
        f"{missing.total()} missing {sorted(missing)[:SHOWN]}, {more.total()} too many {sorted(more)[:SHOWN]}"
    )


def _conversations(ledger: Ledger, ask: Query) -> Iterator[Line]:
    [(conversations,)] = ask("SELECT count(*) FROM conversations")
    [(open_now,)] = ask("SELECT count(*) FROM conversations WHERE closed_at IS NULL")
    yield Line(
        "sequence numbers have no holes",
        f"{conversations:,} conversations",
        [
            f"conversation {conv_id} has {count} messages from {first} to {last}, last_seq {kept}"
            for conv_id, count, first, last, kept in ask(
                """
                SELECT conv_id, count(msg_id), min(seq), max(seq), max(last_seq)
                FROM conversations LEFT JOIN messages USING (owner_id, conv_id) GROUP BY owner_id, conv_id
                HAVING count(msg_id) <> COALESCE(max(seq), 0) OR min(seq) <> 1 OR COALESCE(max(seq), 0) <> max(last_seq)
                """
            )
        ],
    )
    yield Line(
        "no conversation is open twice",
        f"{open_now:,} open",
        [
            f"{count} of one customer ({ids})"
            for count, ids in ask(
                """
                SELECT count(*), array_agg(conv_id) FROM conversations WHERE status IN ('PENDING', 'PROGRESS')
                GROUP BY owner_id, channel, customer_address, our_address HAVING count(*) > 1
                """
            )
        ],
    )
    yield from _lives(ledger, ask)


def _lives(ledger: Ledger, ask: Query) -> Iterator[Line]:
    """Each conversation's life, event by event in the order in which readers are told."""
    lives: dict[tuple[int, int], list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for owner_id, conv_id, kind, data in ask(
        """
        SELECT owner_id, conv_id, type, data FROM events
        WHERE conv_id IS NOT NULL AND type IN ('conversation.opened', 'conversation.status_changed',
            'conversation.closed', 'conversation.reopened', 'message.received', 'message.queued')
        ORDER BY xid, event_id
        """
    ):
        lives[owner_id, conv_id].append((kind, data))
    now = {
        (owner_id, conv_id): status
        for owner_id, conv_id, status in ask("SELECT owner_id, conv_id, status FROM conversations")
    }
    transitions = late = 0
    wrong: list[str] = []
    too_late: list[str] = []
    for key, life in lives.items():
        status: str | None = None
        for kind, data in life:
            if kind.startswith("message."):
                is_after = bool(data.get("after_closure"))
                late += is_after
                if status in FINAL and not is_after:
                    too_late.append(f"conversation {key[1]}: {kind} while {status}")
            elif kind != "conversation.opened":
                transitions += 1
                wrong += [f"conversation {key[1]}: {problem}" for problem in _wrong_transition(status, data)]
                status = data["status_to"]
        if status is not None and status != now[key]:
            wrong.append(f"conversation {key[1]} is {now[key]}, its events end with {status}")
    yield Line("every change of status is in the table", f"{transitions:,} changes", wrong)
    yield Line("no message follows an end, but for a goodbye", f"{late:,} goodbyes", too_late)
    closed = {key for key, life in lives.items() if any(kind == "conversation.closed" for kind, _ in life)}
    yield Line(
        "every acknowledged closing happened",
        f"{len(ledger.closings):,} closings",
        [f"conversation {conv_id} was never closed" for _, conv_id in ledger.closings - closed],
    )


def _wrong_transition(status: str | None, data: dict[str, Any]) -> Iterable[str]:
    before, after = ConversationStatus(data["status_from"]), ConversationStatus(data["status_to"])
    if after not in TRANSITIONS[before]:
        yield f"{before} to {after} is not in the table"
    if status is not None and status != before:
        yield f"{before} to {after} while it was {status}"
    if status is None and before not in OPEN:
        yield f"it began as {before}"


def _nothing_left(ask: Query) -> Iterator[Line]:
    waiting = ask(
        "SELECT msg_id, attempts FROM messages WHERE direction = 'OUTBOUND' AND provider_sid IS NULL AND delivery_status = 'QUEUED'"
    )
    yield Line(
        "no message waits to be sent",
        f"{len(waiting)} wait",
        [f"message {msg_id} after {attempts} attempts" for msg_id, attempts in waiting],
    )
    jobs = ask("SELECT entrypoint, status, count(*) FROM jobs.pgqueuer GROUP BY 1, 2")
    yield Line(
        "no job is left",
        f"{sum(count for *_, count in jobs)} left",
        [f"{count} {name} {status}" for name, status, count in jobs],
    )


def as_json(lines: list[Line]) -> str:
    return json.dumps(
        [{"promise": line.promise, "figures": line.figures, "broken": line.broken} for line in lines],
        indent=1,
    )
