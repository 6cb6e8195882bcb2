"""Requests that change many tickets, in batches: they end before their deadline and can be repeated."""

import asyncio
from typing import Final

from core import deadline

# The response is sent while there is time left.
MIN_TIME_LEFT_S: Final = 3


def has_little_time() -> bool:
    """Return whether the deadline of the request is too near for another batch."""
    ends_at = deadline.current()
    return ends_at is not None and ends_at - asyncio.get_running_loop().time() < MIN_TIME_LEFT_S
