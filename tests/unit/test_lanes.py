"""Work of many owners side by side: nobody's fills all lanes, nothing is done twice at once or forgotten."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from owner.repositories.directory import Key
from owner.services.lanes import Lanes

ACME, GLOBEX, INITECH = 1, 2, 3


class Work:
    """Goes on until it is let go; remembers what began."""

    def __init__(self) -> None:
        self.begun: list[Key] = []
        self.gates: dict[Key, asyncio.Event] = {}

    async def __call__(self, key: Key) -> None:
        self.begun.append(key)
        gate = self.gates[key] = asyncio.Event()
        await gate.wait()
        del self.gates[key]

    def let_go(self, *keys: Key) -> None:
        for key in keys:
            self.gates[key].set()

    def under_way(self) -> Counter[int]:
        return Counter(key.owner_id for key in self.gates)


def lanes_of(work: Work, *, at_once: int = 6, of_owner: int = 4) -> Lanes:
    return Lanes(work, at_once=at_once, of_owner=of_owner, name="test")


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
async def nothing_goes_on() -> AsyncIterator[None]:
    """What a test leaves in its lanes ends with it, and not where the garbage is collected, in somebody else's test."""
    before = asyncio.all_tasks()
    yield
    while left := asyncio.all_tasks() - before - {asyncio.current_task()}:
        for lane in left:
            lane.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def test_one_owner_never_has_all_lanes() -> None:
    work = Work()
    lanes = lanes_of(work)

    for number in range(100):
        lanes.offer(Key(ACME, number))
    await settle()
    alone = work.under_way()
    lanes.offer(Key(GLOBEX, 1))
    await settle()

    assert alone == {ACME: 4}
    assert work.under_way() == {ACME: 4, GLOBEX: 1}


async def test_a_free_lane_goes_to_who_has_the_fewest() -> None:
    work = Work()
    lanes = lanes_of(work, at_once=4)
    for number in range(10):
        lanes.offer(Key(ACME, number))
    await settle()
    for owner_id in (GLOBEX, INITECH):
        for number in range(10):
            lanes.offer(Key(owner_id, number))

    work.let_go(Key(ACME, 0), Key(ACME, 1))
    await settle()

    assert work.under_way() == {ACME: 2, GLOBEX: 1, INITECH: 1}


async def test_the_same_work_is_done_once_at_a_time_and_again_if_it_was_offered_meanwhile() -> None:
    work = Work()
    lanes = lanes_of(work)
    key = Key(ACME, 1)

    lanes.offer(key)
    await settle()
    lanes.offer(key)
    lanes.offer(key)
    await settle()
    meanwhile = list(work.begun)
    work.let_go(key)
    await settle()
    work.let_go(key)
    await settle()

    assert (meanwhile, work.begun) == ([key], [key, key])
    assert not work.gates


async def test_work_that_fails_frees_its_lane() -> None:
    begun: list[Key] = []

    async def fail(key: Key) -> None:
        begun.append(key)
        raise ValueError

    lanes = Lanes(fail, at_once=1, of_owner=1, name="test")
    for number in range(3):
        lanes.offer(Key(ACME, number))
    await settle()

    assert begun == [Key(ACME, number) for number in range(3)]


async def test_the_end_waits_for_what_goes_on_and_begins_nothing() -> None:
    work = Work()
    lanes = lanes_of(work, at_once=1)
    lanes.offer(Key(ACME, 1))
    lanes.offer(Key(ACME, 2))
    await settle()

    end = asyncio.create_task(lanes.finish())
    await settle()
    was_waiting = not end.done()
    lanes.offer(Key(ACME, 3))
    work.let_go(Key(ACME, 1))
    await end

    assert was_waiting
    assert work.begun == [Key(ACME, 1)]
