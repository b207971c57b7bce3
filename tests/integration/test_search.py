"""Finding messages by their words: in three languages, at once, and one's own only."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import asyncpg
import pytest

from calling import Api, calling
from databases import ask, new_database, url_of
from factories import Tenant, some_number
from owner.db.database import Database
from owner.db.embedded import EmbeddedServer
from owner.models.conversation_dtos import ConversationAssign
from owner.models.conversation_query import ConversationQuery, ConversationSort
from owner.models.enums import MessageOwner
from owner.models.event import FeedPosition
from owner.models.message import MessageCreate
from owner.models.search import MessageSearch, is_unfinished
from owner.repositories.conversation_lists import ConversationListRepository, Narrowed, list_statement
from owner.repositories.events import EventRepository
from owner.repositories.message_search import MessageSearchRepository
from owner.services.catalog import Services
from owner.services.search import SearchReader, list_conversations
from reading import messages_of, rows, settled
from working import a_customer_writes, a_program, make_person

ME = ConversationAssign()
BIG = 1
# One owner's 6,000 messages; one in a thousand speaks of a giraffe. Another owner's speak of nothing else.
MANY_ROWS = """
INSERT INTO owners (owner_id, name, email) SELECT o, 'acme', o || '@example.com' FROM generate_series(1, 2) AS o;
INSERT INTO twilio_accounts (owner_id, twilio_account_id, account_sid, auth_token_encrypted, webhook_key)
    SELECT o, 1, 'AC' || o, '', o FROM generate_series(1, 2) AS o;
INSERT INTO contacts (owner_id, contact_id) SELECT o, 1 FROM generate_series(1, 2) AS o;
INSERT INTO conversations (owner_id, conv_id, status, channel, contact_id, customer_address, our_address,
    twilio_account_id, started_at, last_activity_at, expires_at, idle_after, reopen_grace, closed_at)
    SELECT o, o * 10000 + c, 'EXPIRED', 'SMS', 1, '+55' || c, '+1', 1, now(), now(), now(), '1 hour', '10 min', now()
    FROM generate_series(1, 2) AS o, generate_series(1, 3000) AS c;
INSERT INTO messages (owner_id, msg_id, conv_id, seq, direction, message_owner, message_type, content, delivery_status)
    SELECT owner_id, conv_id * 10 + seq, conv_id, seq, 'INBOUND', 'USER', 'TEXT',
        'Oi, quero saber do meu pedido número ' || conv_id * 10 + seq
        || CASE WHEN owner_id = 2 OR conv_id % 500 = 7 AND seq = 1 THEN ' girafa' ELSE '' END, 'RECEIVED'
    FROM conversations, generate_series(1, 2) AS seq;
INSERT INTO message_search (owner_id, msg_id, conv_id, lexemes)
    SELECT owner_id, msg_id, conv_id, search_lexemes(owner_id, translate(lower(content), 'ú,', 'u ')) FROM messages;
ANALYZE
"""


# The 3,000 newest say something else than all that were said before.
SAID_LATELY = """
INSERT INTO message_search (owner_id, msg_id, conv_id, lexemes)
    SELECT $1::bigint, $2::bigint - place, place, search_lexemes($1, CASE WHEN place < 3000 THEN 'zebra' ELSE 'morcego' END)
    FROM generate_series(0, $3::integer - 1) AS place
"""


@pytest.fixture
async def api(services: Services, acme: Tenant) -> AsyncIterator[Api]:
    async with calling(services, acme.api_key) as program:
        yield program


@pytest.fixture(scope="module")
def grown(server: EmbeddedServer, template: str, worker_id: str) -> Iterator[str]:
    with new_database(server, f"search_{worker_id}", template=template) as name:
        ask(url_of(server, name, "postgres"), MANY_ROWS)
        yield name


@pytest.fixture(scope="module")
async def big(server: EmbeddedServer, grown: str) -> AsyncIterator[Database]:
    database = await Database.connect(url_of(server, grown), pool_size=2)
    yield database
    await database.close()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Quando chegam as entregas?", "entrega"),
        ("Quando chega a entrega?", "entregas"),
        ("Quero cancelar a assinatura", "cancelando"),
        ("A promoção acabou", "promocao"),
        ("A promocao acabou", "PROMOÇÃO"),
        ("Where are my orders?", "order"),
        ("I was running late", "run"),
        ("¿Cuándo llegan los paquetes?", "paquete"),
        ("El señor está enojado", "senor"),
        ("Meu pedido é PED-1234", "1234"),
        ("Meu pedido é PED-1234", "ped-1234"),
        ("Escreva para ana@example.com", "ana@example"),
        ("O boleto venceu ontem", "ontem boleto"),
        ("O boleto de ontem venceu", "o boleto que venceu "),
        ("Preciso de entregadores", "entregad"),
        ("de novo e de novo", "de"),
        ("O'Brien said: don't", "o'brien"),
        ("Привет, как дела", "привет"),
    ],
)
async def test_a_message_is_found_by_any_form_of_its_words(
    api: Api, services: Services, acme: Tenant, said: str, text: str
) -> None:
    await a_customer_writes(services, acme, said)
    await a_customer_writes(services, acme, "Bom dia")

    answer = await api.call("GET", "/v1/messages/search", text=text)

    assert [item["content"] for item in answer.body["items"]] == [said]
    [item] = answer.body["items"]
    assert item["snippet"] == said
    assert item["highlights"]


@pytest.mark.parametrize(
    "text",
    ["entrega amanhã", "entr ", "boleto entrega", "tregas", "girafa"],
    ids=[
        "one word is not there",
        "no beginning after a blank",
        "one word is elsewhere",
        "not an end",
        "nothing",
    ],
)
async def test_what_was_not_said_is_not_found(api: Api, services: Services, acme: Tenant, text: str) -> None:
    await a_customer_writes(services, acme, "A entrega é hoje")
    await a_customer_writes(services, acme, "O boleto venceu")

    answer = await api.call("GET", "/v1/messages/search", text=text)

    assert (answer.status, answer.body) == (200, {"items": [], "next_cursor": None})


@pytest.mark.parametrize(
    "text",
    [
        "'",
        '"',
        "\\",
        "&",
        "| entrega",
        "entrega:*",
        "!(entrega)",
        "entrega <-> hoje",
        "' | '1:entreg",
        "a' | '2:oi':* | 'b",
        "%",
        "; DROP TABLE messages",
        "o a os as de da do",
        "the and of",
        "👍",
        "\u202e\u200f",
        "x" * 200,
        " ".join("abcdefghijklmnopqrstuvwxyz" * 3)[:200],
        "1e5 1.5 -3 +4 0x1f",
        "<b>entrega</b> http://example.com/?a=b",
    ],
)
async def test_no_query_breaks_the_search(api: Api, services: Services, acme: Tenant, text: str) -> None:
    await a_customer_writes(services, acme, text[:100])

    messages = await api.call("GET", "/v1/messages/search", text=text)
    conversations = await api.call("GET", "/v1/conversations", text=text)

    assert (messages.status, conversations.status) == (200, 200)


@pytest.mark.parametrize("text", ["", "x" * 201, "a\x00b", " ".join(["entrega"] * 1000)])
async def test_a_query_that_can_not_be_is_refused(api: Api, text: str) -> None:
    for path in ("/v1/messages/search", "/v1/conversations"):
        answer = await api.call("GET", path, text=text)

        assert (answer.status, answer.code) == (422, "invalid_input")


async def test_a_search_needs_words(api: Api) -> None:
    answer = await api.call("GET", "/v1/messages/search")

    assert (answer.status, answer.body["field"]) == (422, "text")


async def test_found_messages_come_newest_first_and_page_by_page(
    api: Api, services: Services, acme: Tenant
) -> None:
    for number in range(5):
        await a_customer_writes(services, acme, f"entrega {number}")

    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await api.call("GET", "/v1/messages/search", text="entrega", limit=2, **cursor)
        seen += [item["content"] for item in page.body["items"]]
        if page.body["next_cursor"] is None:
            break
        cursor = {"cursor": page.body["next_cursor"]}

    assert seen == [f"entrega {number}" for number in (4, 3, 2, 1, 0)]
    assert (await api.call("GET", "/v1/messages/search", text="entrega", cursor="x")).status == 400


async def test_what_we_write_is_found_too_and_at_once(api: Api, services: Services, acme: Tenant) -> None:
    agent, conv_id = await make_person(services, acme), await a_customer_writes(services, acme)
    await services.messages.send_as(agent, conv_id, MessageCreate(content="Enviamos o girassol"))

    answer = await api.call("GET", "/v1/messages/search", text="girassol")

    [item] = answer.body["items"]
    assert (item["conv_id"], item["message_owner"]) == (conv_id, MessageOwner.AGENT)


async def test_an_owner_finds_only_their_own(
    api: Api, services: Services, acme: Tenant, globex: Tenant
) -> None:
    await a_customer_writes(services, globex, "girafa")
    await services.search.search(globex.owner_id, MessageSearch(text="girafa"))

    messages = await api.call("GET", "/v1/messages/search", text="girafa")
    conversations = await api.call("GET", "/v1/conversations", text="girafa")
    forged = await api.call("GET", "/v1/messages/search", text=f"{globex.owner_id}:girafa")
    theirs = await api.call("GET", "/v1/messages/search", text="girafa", key=globex.api_key)

    assert messages.body["items"] == conversations.body["items"] == forged.body["items"] == []
    assert len(theirs.body["items"]) == 1


async def test_the_search_asks_the_setting_and_nothing_else_whose_it_is(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    await a_customer_writes(services, acme, "girafa")
    await services.search.search(acme.owner_id, MessageSearch(text="girafa"))
    call = "SELECT msg_id FROM search_messages($1, false, 9223372036854775807, 10)"
    hostile = [f"x' | '{acme.owner_id}:girafa", f"{acme.owner_id}:girafa", "girafa"]

    for words in ([word] for word in hostile):
        async with services.database.owner(globex.owner_id) as connection:
            assert await connection.fetch(call, words) == []
        async with services.database.system() as connection:
            assert await connection.fetch(call, words) == []


async def test_the_role_that_searches_reads_no_text(server: EmbeddedServer, database_name: str) -> None:
    connection = await asyncpg.connect(url_of(server, database_name, "postgres"))
    try:
        await connection.execute("SET ROLE owner_search")
        assert await connection.fetchval("SELECT count(*) >= 0 FROM message_search")
        for table in ("messages", "conversations", "contacts", "notes", "events"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT FROM {table}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM message_search")
    finally:
        await connection.close()


async def test_the_index_holds_lexemes_and_no_text(services: Services, acme: Tenant) -> None:
    await a_customer_writes(services, acme, "Moro na Rua das Flores")
    await services.search.search(acme.owner_id, MessageSearch(text="rua"))

    [entry] = await rows(services, acme, "SELECT lexemes::text FROM message_search")

    assert "Rua das Flores" not in entry["lexemes"]
    assert f"'{acme.owner_id}:flor'" in entry["lexemes"]


async def test_a_message_as_large_as_a_webhook_can_be_is_found_and_keeps_no_other_from_being_found(
    api: Api, services: Services, acme: Tenant
) -> None:
    everything = " ".join(["girafa", *(f"{number:08x}" for number in range(110_000))])
    await a_customer_writes(services, acme, everything)
    await a_customer_writes(services, acme, "uma zebra")

    found = [await api.call("GET", "/v1/messages/search", text=text) for text in ("girafa", "zebra")]

    assert [len(answer.body["items"]) for answer in found] == [1, 1]


async def test_the_reader_makes_messages_findable_and_twice_is_once(services: Services, acme: Tenant) -> None:
    conv_id = await a_customer_writes(services, acme, "girafa")
    program = a_program(acme)
    await services.messages.send_as(program, conv_id, MessageCreate(media_urls=["https://example.com/a.png"]))
    await settled(services.database)

    for _ in range(2):
        async with services.database.owner(acme.owner_id) as connection:
            events = await EventRepository(connection).list_after(FeedPosition(0, 0), limit=100)
            await SearchReader().read(connection, acme.owner_id, events)

    [message, _] = await messages_of(services, acme, conv_id)
    assert await rows(services, acme, "SELECT msg_id, conv_id FROM message_search") == [
        {"msg_id": message.msg_id, "conv_id": conv_id}
    ]


async def test_the_feed_has_a_reader_that_indexes(services: Services, acme: Tenant) -> None:
    await a_customer_writes(services, acme, "girafa")
    await settled(services.database)

    await services.event_feed.advance(acme.owner_id)  # gives each reader its place
    await services.event_feed.advance(acme.owner_id)

    assert len(await rows(services, acme, "SELECT FROM message_search")) == 1


async def test_searches_and_the_reader_at_once_index_each_message_once(
    services: Services, acme: Tenant
) -> None:
    for number in range(6):
        await a_customer_writes(services, acme, f"girafa {number}")

    async def read() -> None:
        async with services.database.owner(acme.owner_id) as connection:
            msg_ids = [row["msg_id"] for row in await connection.fetch("SELECT msg_id FROM messages")]
            await MessageSearchRepository(connection, acme.owner_id).index(msg_ids)

    found = await asyncio.gather(
        *(services.search.search(acme.owner_id, MessageSearch(text="girafa")) for _ in range(4)),
        read(),
        read(),
    )

    assert [len(one[0]) for one in found[:4] if one is not None] == [6, 6, 6, 6]
    assert len(await rows(services, acme, "SELECT FROM message_search")) == 6


async def test_what_an_erased_contact_said_is_found_no_more(services: Services, acme: Tenant) -> None:
    conv_id = await a_customer_writes(services, acme, "girafa")
    await services.search.search(acme.owner_id, MessageSearch(text="girafa"))
    contact_id = (await services.conversations.get(acme.owner_id, conv_id)).contact_id

    await services.contact_erasure.erase(acme.owner_id, contact_id, by=a_program(acme).actor)
    found, _ = await services.search.search(acme.owner_id, MessageSearch(text="girafa"))

    assert found == []
    assert await rows(services, acme, "SELECT FROM message_search") == []


async def test_conversations_are_narrowed_by_what_was_said_and_by_everything_else(
    api: Api, services: Services, acme: Tenant
) -> None:
    customer = some_number()
    first = await a_customer_writes(services, acme, "a girafa", customer=customer)
    await a_customer_writes(services, acme, "outra girafa", customer=customer)
    second = await a_customer_writes(services, acme, "Girafas!")
    await a_customer_writes(services, acme, "zebra")
    await services.assignments.assign(await make_person(services, acme), second, ME)

    both = await api.call("GET", "/v1/conversations", text="girafa", sort="oldest")
    free = await api.call("GET", "/v1/conversations", text="girafa", unassigned="true")
    none = await api.call("GET", "/v1/conversations", text="girafa zebra")
    punctuation = await api.call("GET", "/v1/conversations", text="!?")

    assert [item["conv_id"] for item in both.body["items"]] == [first, second]
    assert [item["conv_id"] for item in free.body["items"]] == [first]
    assert none.body["items"] == punctuation.body["items"] == []


async def test_the_hit_shown_with_a_conversation_is_its_newest_and_its_owners(
    services: Services, acme: Tenant, globex: Tenant
) -> None:
    customer = some_number()
    conv_id = await a_customer_writes(services, acme, "a girafa fugiu", customer=customer)
    await a_customer_writes(services, acme, "outra girafa", customer=customer)
    await a_customer_writes(services, acme, "zebra", customer=customer)
    foreign = await a_customer_writes(services, globex, "girafa")
    for tenant in (acme, globex):
        await services.search.search(tenant.owner_id, MessageSearch(text="girafa"))

    hits = await services.search.snippets(acme.owner_id, [conv_id, foreign], "girafas")
    none = await services.search.snippets(acme.owner_id, [conv_id], "girafa zebra")

    assert {found: hit.text for found, hit in hits.items()} == {conv_id: "outra girafa"}
    assert none == {}


async def test_a_rare_word_is_looked_up_in_the_index_and_a_common_one_among_the_latest(big: Database) -> None:
    async with big.owner(BIG) as connection:
        search = MessageSearchRepository(connection, BIG)
        rare = await search.find(["girafa"], is_unfinished=False, before_id=None, limit=100)
        page = await search.find(["girafa"], is_unfinished=False, before_id=rare[2].msg_id, limit=2)
        common = await search.find(["pedidos"], is_unfinished=False, before_id=None, limit=100)

    assert [one.msg_id for one in rare] == [(10_007 + 500 * place) * 10 + 1 for place in reversed(range(6))]
    assert page == rare[3:5]
    assert len(common) == 100


async def test_the_lookup_of_a_rare_word_reads_the_owners_part_of_the_index_only(
    server: EmbeddedServer, grown: str
) -> None:
    connection = await asyncpg.connect(url_of(server, grown, "postgres"))
    try:
        body = await connection.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'search_messages'")
        rare = body[body.index("SELECT held.owner_id") :]
        statement = rare[: rare.index(" LIMIT rare")]
        query = await connection.fetchval("SELECT search_query($1, ARRAY['girafa'], false, '&')", BIG)
        await connection.execute("SET ROLE owner_search")
        plan = json.loads(
            await connection.fetchval(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.replace('part', '$1::tsquery')}", query
            )
        )
    finally:
        await connection.close()

    [scan] = [step for step in steps(plan[0]["Plan"]) if step["Node Type"] == "Bitmap Index Scan"]
    assert scan["Index Name"] == "idx_message_search_lexemes"
    assert scan["Actual Rows"] == 6


@pytest.mark.parametrize("asked", ["morcego ", "morcego", "morce"])
@pytest.mark.parametrize("said_by", [9_000, 5_000])
async def test_what_the_latest_messages_lack_is_found_whether_it_is_common_or_rare(
    server: EmbeddedServer, grown: str, said_by: int, asked: str
) -> None:
    owner_id, newest = 4_711, 10_000_000
    connection = await asyncpg.connect(url_of(server, grown, "postgres"))
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(SAID_LATELY, owner_id, newest, said_by)
        await connection.execute("SELECT set_config('app.owner_id', $1::text, true)", str(owner_id))
        found = await connection.fetch(
            "SELECT msg_id FROM search_messages(ARRAY[$1], $2, 9223372036854775807, 30)",
            asked.strip(),
            is_unfinished(asked),
        )
        other = await connection.fetch(
            "SELECT msg_id FROM search_messages(ARRAY['coruja'], false, 9223372036854775807, 30)"
        )
    finally:
        await transaction.rollback()
        await connection.close()

    assert [row["msg_id"] for row in found] == [newest - 3000 - place for place in range(30)]
    assert other == []


async def test_the_index_is_not_asked_for_a_word_that_a_second_look_meets(
    server: EmbeddedServer, grown: str
) -> None:
    connection = await asyncpg.connect(url_of(server, grown, "postgres"))
    asked = "SELECT pg_stat_get_xact_numscans('idx_message_search_lexemes'::regclass)"
    found: list[int] = []
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(SAID_LATELY, 4_711, 10_000_000, 9_000)
        await connection.execute("SET LOCAL app.owner_id = '4711'")
        for before_id in (10_000_000 - 1000, 10_000_000):
            before = await connection.fetchval(asked)
            await connection.fetch(f"SELECT FROM search_messages(ARRAY['morcego'], false, {before_id}, 30)")
            found.append(await connection.fetchval(asked) - before)
    finally:
        await transaction.rollback()
        await connection.close()

    assert found == [0, 1]


async def test_what_is_not_indexed_yet_is_looked_for_among_the_latest_messages_only(big: Database) -> None:
    async with big.owner(BIG) as connection:
        # What Postgres would rather do where it takes the owner for smaller than they are: merge with all of the index.
        await connection.execute("SET LOCAL enable_nestloop = off")
        asked: Any = Explaining(connection)
        await MessageSearchRepository(asked, BIG).index_latest(before_id=10**9, limit=200)

    assert rows_read(asked.plan) == {"messages": 200, "message_search": 200}


async def test_a_list_is_whole_also_by_a_word_that_was_said_too_often_to_be_looked_up(big: Database) -> None:
    query = ConversationQuery(text="pedidos", sort=ConversationSort.OLDEST, limit=40)
    listed: list[int] = []

    for _ in range(3):
        async with big.owner(BIG) as connection:
            page = await list_conversations(connection, BIG, query)
        listed += [one.conv_id for one in page.items]
        query = query.model_copy(update={"cursor": page.next_cursor})

    assert listed == list(range(10_001, 10_121))


async def test_a_word_that_is_said_often_but_not_where_one_looks_is_not_walked_to(big: Database) -> None:
    async with big.owner(BIG) as connection:
        keep = Keeping()
        lists = ConversationListRepository(connection)
        page = await lists.walk(ConversationQuery(sort=ConversationSort.OLDEST, limit=10), keep=keep)

    assert page is None
    assert keep.asked == list(range(10_001, 10_051))


async def test_a_walk_ends_with_the_list(big: Database) -> None:
    async with big.owner(BIG) as connection:
        lists = ConversationListRepository(connection)
        last = await lists.list_page(ConversationQuery(sort=ConversationSort.OLDEST, limit=100))
        for _ in range(28):
            query = ConversationQuery(sort=ConversationSort.OLDEST, limit=100, cursor=last.next_cursor)
            last = await lists.list_page(query)
        query = ConversationQuery(sort=ConversationSort.OLDEST, limit=10, cursor=last.next_cursor)
        page = await lists.walk(query, keep=Keeping(12_910, 12_950))

    assert page is not None
    assert [one.conv_id for one in page.items] == [12_910, 12_950]
    assert page.next_cursor is None


async def test_a_list_that_is_narrowed_by_what_was_said_reads_those_conversations_only_and_each_once(
    big: Database,
) -> None:
    query = ConversationQuery(text="girafa", limit=20)
    among = [10_007 + 500 * place for place in range(6)]
    sql, values = list_statement(query, place=None, size=21, narrowed=Narrowed(among))

    async with big.owner(BIG) as connection:
        page = await ConversationListRepository(connection).list_page(query, among=among)
        plan = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *values))

    assert sorted(one.conv_id for one in page.items) == among
    assert rows_read(plan[0]["Plan"]) == {"conversations": len(among)}


class Keeping:
    """Keeps some conversations, and remembers of which it was asked."""

    def __init__(self, *kept: int) -> None:
        self.kept = kept
        self.asked: list[int] = []

    async def __call__(self, conv_ids: Sequence[int]) -> Sequence[int]:
        self.asked += conv_ids
        return self.kept


class Explaining:
    """Stands before a connection, runs what is fetched and keeps its plan."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.plan: dict[str, Any] = {}

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        plan = await self.connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *values)
        self.plan = json.loads(plan)[0]["Plan"]
        return []


def rows_read(plan: dict[str, Any]) -> dict[str, float]:
    """How many rows of each table were looked at, those included that a filter then left out."""
    read = Counter[str]()
    for step in steps(plan):
        if table := step.get("Relation Name"):
            read[table] += (step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * step[
                "Actual Loops"
            ]
    return dict(read)


def steps(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    below = node.pop("Plans", [])
    yield node
    for inner in below:
        yield from steps(inner)
