"""Waiting for something, but not for long."""

import asyncio


async def is_set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait until the event is set, so many seconds at most; say whether it was.

    Not by `asyncio.wait_for`: that of Python 3.11 forgets a cancellation that comes right after the event, and whoever
    was to end goes on.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
