"""The retention of the event log: the oldest entries are deleted, by position.

Only `event_log` loses rows; the history of the tickets stays. Nothing depends on the time at which an event was
written: a transaction may commit long after it began, and its event is young when it is published.
"""

import asyncio
import logging
from typing import Final

from core.errors import Unavailable
from db.postgres.database import Database
from services.events import statements as sql

PURGE_EVERY_S: Final = 600

_log = logging.getLogger(__name__)


async def purge_continually(database: Database, *, retention_days: int) -> None:
    """Delete the old entries every ten minutes, until cancelled; a failed run is left to the next one."""
    while True:
        await asyncio.sleep(PURGE_EVERY_S)
        try:
            await purge_log(database, retention_days=retention_days)
        except Unavailable as error:
            _log.warning("cannot delete old entries of the event log; retrying in %d s: %s", PURGE_EVERY_S, error)


async def purge_log(database: Database, *, retention_days: int) -> int:
    """Delete the entries that were published more than `retention_days` ago, in small batches; return how many.

    The last entry always stays. Several processes may do so at once: each batch has the lock of the log. Raises
    DatabaseUnavailable, OutcomeUnknown.
    """
    total = 0
    while True:
        async with database.working() as connection:
            await connection.run(sql.WAIT_FOR_LOCK)
            deleted = await connection.value(sql.PURGE, days=retention_days) or 0
        total += deleted
        if deleted < sql.PURGE_BATCH:
            return total
