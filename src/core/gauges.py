"""Gauges that describe all processes: one of the processes, the leader, measures them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from core.errors import Unavailable
from core.shared_metrics import is_leader

CHECK_LEADER_EVERY_S: Final = 1

_log = logging.getLogger(__name__)


async def measure_continually(measure: Callable[[], Awaitable[None]], *, what: str, every_s: float) -> None:
    """Call `measure`, which sets gauges, every few seconds until cancelled, while this process is the leader.

    If PostgreSQL is unavailable, the gauges stay at their last values; `what` names them in the log.
    """
    while True:
        if not is_leader():
            await asyncio.sleep(CHECK_LEADER_EVERY_S)
            continue
        try:
            await measure()
        except Unavailable as error:
            _log.warning("cannot measure %s; the gauges stay at their last values: %s", what, error)
        await asyncio.sleep(every_s)
