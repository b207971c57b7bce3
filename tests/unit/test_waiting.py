"""Who waits and is told to end, ends: also where what they waited for comes at that very moment."""

import asyncio

import pytest

from owner.waiting import is_set_within


async def test_it_says_whether_the_event_came() -> None:
    event = asyncio.Event()

    assert not await is_set_within(event, 0.0)
    event.set()
    assert await is_set_within(event, 0.0)


@pytest.mark.parametrize("turns", range(5))
async def test_a_cancellation_right_after_the_event_is_not_forgotten(turns: int) -> None:
    event = asyncio.Event()

    async def wait_for_good() -> None:
        while True:
            await is_set_within(event, 60.0)
            event.clear()

    task = asyncio.create_task(wait_for_good())
    await asyncio.sleep(0)
    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5.0)

    assert task.cancelled()
