"""Periodic work in the background: delete expired idempotency keys, and count the tickets of each status."""

import asyncio
import logging
import time
from typing import Final

from sqlalchemy import func, select, true

from core import metrics
from core.errors import Unavailable
from core.shared_metrics import is_leader
from db.postgres.database import Database
from db.postgres.statements import Statement, constant
from models import Ticket, TicketStatus, table_of
from services.idempotency import DELETE_BATCH, DELETE_EXPIRED

PURGE_EVERY_S: Final = 600
COUNT_EVERY_S: Final = 60
CHECK_LEADER_EVERY_S: Final = 1
# A count scans a whole index, about 0.1 s for a million tickets. The pause after a count is 100 times its duration, so
# that counting takes at most a hundredth of the time, however many tickets there are.
PAUSE_PER_COUNT: Final = 100

_tickets: Final = table_of(Ticket)
_LIMIT_COUNT: Final = Statement(select(func.set_config(constant("statement_timeout"), constant("3s"), true())))
_COUNT: Final = Statement(select(_tickets.c.status, func.count()).group_by(_tickets.c.status))

_log = logging.getLogger(__name__)


async def purge_expired_keys(database: Database) -> None:
    """Delete the expired idempotency keys every ten minutes, until cancelled; a failed run is left to the next one."""
    while True:
        await asyncio.sleep(PURGE_EVERY_S)
        try:
            await delete_expired_keys(database)
        except Unavailable as error:
            _log.warning("cannot delete expired idempotency keys; retrying in %d s: %s", PURGE_EVERY_S, error)


async def delete_expired_keys(database: Database) -> int:
    """Delete the expired idempotency keys in small batches; return how many. Raises DatabaseUnavailable.

    Several processes may do so at once: each skips the rows that another one has locked.
    """
    return await database.in_batches(DELETE_EXPIRED, DELETE_BATCH)


async def refresh_counts(database: Database) -> None:
    """Set the gauges of tickets by status every minute, until cancelled; only the leader of the processes counts."""
    while True:
        if not is_leader():
            await asyncio.sleep(CHECK_LEADER_EVERY_S)
            continue
        began_at = time.monotonic()
        try:
            counts = await count_tickets(database)
        except Unavailable as error:
            _log.warning("cannot count the tickets; tickets_by_status stays at its last value: %s", error)
        else:
            for status, count in counts.items():
                metrics.tickets_by_status.labels(status).set(count)
            metrics.tickets_counted_at.set_to_current_time()
        await asyncio.sleep(max(COUNT_EVERY_S, PAUSE_PER_COUNT * (time.monotonic() - began_at)))


async def count_tickets(database: Database) -> dict[TicketStatus, int]:
    """Return the number of tickets in each status. Raises DatabaseUnavailable, also after more than three seconds."""
    async with database.transaction() as connection:
        await connection.run(_LIMIT_COUNT)
        counted: dict[str, int] = {row[0]: row[1] for row in await connection.rows(_COUNT)}
    return {status: counted.get(status, 0) for status in TicketStatus}
