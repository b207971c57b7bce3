"""Who shares a transaction with whom, and what becomes of each."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from owner.models.errors import DatabaseUnavailable
from owner.models.outage_errors import Overloaded
from owner.services.group_commit import GroupCommit

BAD = "bad"


class Store:
    """Takes items in, and remembers which came together; a gate holds it up where a test wants that."""

    def __init__(self) -> None:
        self.together: list[list[str]] = []
        self.kept: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fails: Callable[[Sequence[str]], Exception | None] = lambda _: None
        self.busy: set[str] = set()

    async def commit(self, items: Sequence[str]) -> list[str | None]:
        self.together.append(list(items))
        await self.gate.wait()
        if (problem := self.fails(items)) is not None:
            raise problem
        free = [item for item in items if item not in self.busy]
        self.kept += free
        return [item.upper() if item in free else None for item in items]


@pytest.fixture
def store() -> Store:
    return Store()


async def under_way(store: Store, transactions: int = 1) -> None:
    while len(store.together) < transactions:  # noqa: ASYNC110 - the store's own list is what is waited for
        await asyncio.sleep(0)


def put(
    group: GroupCommit[str, str], *items: str, key: int | None = None, owner_id: int = 1
) -> list["asyncio.Task[str]"]:
    """Hand items in, each under a key of its own unless one is named."""
    keys = [key if key is not None else hash(item) for item in items]
    return [
        asyncio.create_task(group.put(item, key=of, owner_id=owner_id))
        for item, of in zip(items, keys, strict=True)
    ]


async def test_what_comes_while_nothing_goes_on_begins_at_once(store: Store) -> None:
    group = GroupCommit(store.commit)

    assert [await group.put("a", key=1, owner_id=1), await group.put("b", key=2, owner_id=1)] == ["A", "B"]

    assert store.together == [["a"], ["b"]]


async def test_what_comes_meanwhile_goes_together_afterwards(store: Store) -> None:
    group = GroupCommit(store.commit, side_by_side=1)
    store.gate.clear()
    first = put(group, "a")
    await under_way(store)
    later = put(group, "b", "c", "d")
    await asyncio.sleep(0)
    store.gate.set()

    assert await asyncio.gather(*first, *later) == ["A", "B", "C", "D"]
    assert store.together == [["a"], ["b", "c", "d"]]


async def test_no_more_go_together_than_one_transaction_shall_hold(store: Store) -> None:
    group = GroupCommit(store.commit, at_once=2, side_by_side=1)

    await asyncio.gather(*put(group, "a", "b", "c", "d", "e"))

    assert store.together == [["a", "b"], ["c", "d"], ["e"]]


async def test_two_of_one_key_are_never_in_one_transaction_nor_side_by_side_and_keep_their_order(
    store: Store,
) -> None:
    group = GroupCommit(store.commit, side_by_side=2)
    store.gate.clear()
    ana = put(group, "ana1", "ana2", "ana3", key=1)
    await under_way(store)
    bruno = put(group, "bruno1", "bruno2", key=2)
    await under_way(store, 2)
    assert store.together == [["ana1"], ["bruno1"]]
    store.gate.set()

    await asyncio.gather(*ana, *bruno)

    assert [item for item in store.kept if "ana" in item] == ["ana1", "ana2", "ana3"]
    assert [item for item in store.kept if "bruno" in item] == ["bruno1", "bruno2"]


async def test_the_culprit_gets_its_own_error_and_its_neighbours_their_outcomes(store: Store) -> None:
    group = GroupCommit(store.commit)
    store.fails = lambda items: KeyError(BAD) if BAD in items else None

    outcomes = await asyncio.gather(*put(group, "a", BAD, "b"), return_exceptions=True)

    assert [outcomes[0], outcomes[2], type(outcomes[1])] == ["A", "B", KeyError]
    assert sorted(store.kept) == ["a", "b"]


async def test_what_fails_once_is_tried_once_more(store: Store) -> None:
    """As after a deadlock."""
    group = GroupCommit(store.commit)
    store.fails = lambda _: OSError() if len(store.together) == 1 else None

    assert await group.put("a", key=1, owner_id=1) == "A"


async def test_without_a_database_all_are_told_at_once_and_none_is_tried_again(store: Store) -> None:
    group = GroupCommit(store.commit)
    store.fails = lambda _: DatabaseUnavailable()

    outcomes = await asyncio.gather(*put(group, "a", "b"), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 2
    assert store.together == [["a", "b"]]
    store.fails = lambda _: None
    assert await group.put("c", key=3, owner_id=1) == "C"


async def test_when_too_many_wait_the_next_is_told_to_come_again_and_nothing_else_is_lost(
    store: Store,
) -> None:
    group = GroupCommit(store.commit, at_most=3)
    store.gate.clear()
    waiting = put(group, "a", "b", "c")
    await under_way(store)

    with pytest.raises(Overloaded):
        await group.put("d", key=4, owner_id=1)

    store.gate.set()
    assert await asyncio.gather(*waiting) == ["A", "B", "C"]
    assert await group.put("d", key=4, owner_id=1) == "D"


async def test_an_owner_who_floods_the_queue_keeps_nobody_else_out_and_nobody_waiting(store: Store) -> None:
    group = GroupCommit(store.commit, at_once=2, side_by_side=1, at_most_of_owner=6)
    store.gate.clear()
    flood = put(group, "a1", "a2", "a3", "a4", "a5", "a6", owner_id=1)
    await under_way(store)

    with pytest.raises(Overloaded):
        await group.put("a7", key=7, owner_id=1)

    others = put(group, "b", owner_id=2) + put(group, "c", owner_id=3)
    await asyncio.sleep(0)
    store.gate.set()
    await asyncio.gather(*flood, *others)
    assert store.together[:3] == [["a1", "a2"], ["a3", "b"], ["c", "a4"]]
    assert await group.put("a7", key=7, owner_id=1) == "A7"


@pytest.mark.parametrize("place", [0, 1], ids=["under way", "queued"])
async def test_whoever_stops_waiting_harms_nobody_and_is_stored_all_the_same(
    store: Store, place: int
) -> None:
    group = GroupCommit(store.commit, at_once=1)
    store.gate.clear()
    waiting = put(group, "a", "b", key=1) + put(group, "c", key=2)
    await under_way(store)
    waiting[place].cancel()
    await asyncio.sleep(0)
    store.gate.set()

    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert isinstance(outcomes.pop(place), asyncio.CancelledError)
    assert all(isinstance(outcome, str) for outcome in outcomes)
    await group.finish()
    assert sorted(store.kept) == ["a", "b", "c"]


async def test_what_somebody_else_is_at_work_on_holds_up_its_own_key_only(store: Store) -> None:
    group = GroupCommit(store.commit)
    store.busy = {"a1"}
    busy = put(group, "a1", "a2", key=1)

    assert await group.put("b", key=2, owner_id=1) == "B"
    assert not any(task.done() for task in busy)

    store.busy = set()
    assert await asyncio.gather(*busy) == ["A1", "A2"]
    assert store.kept == ["b", "a1", "a2"]


async def test_finishing_waits_for_all_that_has_come_in(store: Store) -> None:
    group = GroupCommit(store.commit, at_once=1)
    store.gate.clear()
    waiting = put(group, "a", "b") + put(group, "c", "d", key=1)
    await under_way(store)
    asyncio.get_running_loop().call_soon(store.gate.set)

    await group.finish()

    assert sorted(store.kept) == ["a", "b", "c", "d"]
    await asyncio.gather(*waiting)
