"""Gives the small database what a page takes, so that what is compared returns as much at both sizes.

A hundredth of ten thousand messages fills no page of what is rare. The large database is left as it is.
"""

from collections.abc import Iterable
from itertools import count
from typing import LiteralString

import psycopg
from flat_cases import Place, receive
from flat_data import url_of

from owner.db.embedded import EmbeddedServer
from owner.models.conversation_dtos import ConversationClose

SELDOM_SAID = (
    "Vou reclamar na ouvidoria da geladeira"  # before the rest: what is found at once compares with nothing
)
SAID = "Oi, tudo bem?"
_numbers = count(70_000_000)

_DAYS = """
INSERT INTO fact_days AS kept (owner_id, kind, day, channel, label, count, seconds, histogram)
VALUES (%s, %s, %s, %s, %s, 1, 1, array_fill(0, ARRAY[%s]))
ON CONFLICT (owner_id, kind, day, channel, label) DO UPDATE
    SET histogram = kept.histogram || array_fill(0, ARRAY[cardinality(excluded.histogram) - cardinality(kept.histogram)])
    WHERE cardinality(kept.histogram) < cardinality(excluded.histogram)
"""
_LEVELLED = "SELECT count(*) FROM contacts WHERE owner_id = %(owner)s AND name = 'Ana Débora Lima'"
# Open and nobody's, in somebody's hands, a bot's: a page of each, all of them urgent, with every label, of one name.
_PAGES: tuple[LiteralString, ...] = (
    "UPDATE conversations SET priority = 'URGENT' WHERE owner_id = %(owner)s AND conv_id = ANY (%(all)s)",
    "UPDATE conversations SET assignee_id = %(user)s WHERE owner_id = %(owner)s AND conv_id = ANY (%(taken)s)",
    "UPDATE conversations SET handler = 'BOT' WHERE owner_id = %(owner)s AND conv_id = ANY (%(bots)s)",
    """INSERT INTO conversation_labels (owner_id, conv_id, label_id)
    SELECT owner_id, conv_id, label_id FROM labels, unnest(%(all)s::bigint[]) AS conv_id WHERE owner_id = %(owner)s""",
    """UPDATE contacts SET name = 'Ana Débora Lima', name_key = 'ana debora lima' WHERE owner_id = %(owner)s
    AND contact_id IN (SELECT contact_id FROM conversations WHERE owner_id = %(owner)s AND conv_id = ANY (%(all)s))""",
    """INSERT INTO contact_words (owner_id, word, contact_id)
    SELECT owner_id, word, contact_id FROM contacts, unnest(ARRAY['ana', 'debora', 'lima']) AS word
    WHERE owner_id = %(owner)s AND name = 'Ana Débora Lima'""",
    """UPDATE conversations SET started_at = started_at - interval '61 days' WHERE owner_id = %(owner)s
    AND conv_id = ANY (%(bots)s)""",
    """UPDATE webhook_deliveries SET status = 'FAILED', last_error = 'STATUS', last_status = 500
    WHERE (owner_id, delivery_id) IN (SELECT owner_id, delivery_id FROM webhook_deliveries
        WHERE owner_id = %(owner)s AND status = 'DELIVERED' ORDER BY delivery_id DESC LIMIT %(page)s)""",
)


def level_days(server: EmbeddedServer, *, owner_ranks: Iterable[int]) -> None:
    """A sum for every day that the large database has one for, with a histogram that is as long."""
    names = [f"Company {rank}" for rank in owner_ranks]
    chosen = "owner_id IN (SELECT owner_id FROM owners WHERE name = ANY (%s))"
    with (
        psycopg.connect(url_of(server, "large", "postgres")) as large,
        psycopg.connect(url_of(server, "small", "postgres")) as small,
    ):
        days = large.execute(
            f"SELECT owner_id, kind, day, channel, label, cardinality(histogram) FROM fact_days WHERE {chosen}".encode(),
            (names,),
        ).fetchall()
        with small.cursor() as cursor:
            cursor.executemany(_DAYS, days)


async def level_pages(place: Place) -> None:
    """A page and a conversation more of everything that is listed; once, whoever keeps the databases."""
    page = place.limit + 1
    with psycopg.connect(place.admin, autocommit=True) as connection:
        there = connection.execute(_LEVELLED, {"owner": place.owner_id}).fetchone()
        if there is not None and there[0] >= page:
            return
        for _ in range(page):
            await receive(place, f"+55119{next(_numbers)}", content=SELDOM_SAID)
        written = [await receive(place, f"+55119{next(_numbers)}", content=SAID) for _ in range(4 * page)]
        parts = {
            "all": written,
            "taken": written[page : 2 * page],
            "bots": written[2 * page : 3 * page],
        }
        for conv_id in written[3 * page :]:
            assert conv_id is not None
            await place.services.conversations.close(
                place.owner_id, conv_id, ConversationClose(), by=place.caller.actor
            )
        for statement in _PAGES:
            connection.execute(
                statement, {"owner": place.owner_id, "user": place.user_id, "page": page, **parts}
            )
        connection.execute("VACUUM ANALYZE")
    await place.services.event_feed.sweep()
