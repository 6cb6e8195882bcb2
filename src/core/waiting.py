"""Waits that end after a time."""

import asyncio


async def wait_within(event: asyncio.Event, timeout_s: float) -> bool:
    """Return True when the event is set, or False after `timeout_s` seconds without it; 0 and less: at once."""
    if event.is_set():
        return True
    try:
        async with asyncio.timeout(max(timeout_s, 0)):
            await event.wait()
    except TimeoutError:
        return False
    return True
