"""Removes what is no longer shown, and measures what waits."""

import asyncio
import logging
from functools import partial
from typing import Final

from core import metrics
from core.errors import Unavailable
from core.gauges import measure_continually
from db.postgres.database import Database
from services.webhooks import history_statements as sql

PURGE_EVERY_S: Final = 600
MEASURE_EVERY_S: Final = 15

_log = logging.getLogger(__name__)


async def purge_continually(database: Database) -> None:
    """Purge every ten minutes, until cancelled; a failed run is left to the next one."""
    while True:
        await asyncio.sleep(PURGE_EVERY_S)
        try:
            await purge(database)
        except Unavailable as error:
            _log.warning("cannot delete old deliveries of webhooks; retrying in %d s: %s", PURGE_EVERY_S, error)


async def purge(database: Database) -> int:
    """Delete old deliveries and deleted endpoints in small batches; return how many deliveries.

    Several processes may do so at once. Raises DatabaseUnavailable.
    """
    purged = 0
    for statement in (sql.PURGE, sql.PURGE_DELETED):
        deleted = sql.PURGE_BATCH
        while deleted == sql.PURGE_BATCH:
            async with database.working() as connection:
                deleted = await connection.value(statement)
            purged += deleted
    async with database.working() as connection:
        await connection.run(sql.PURGE_REPLAYS)
        await connection.run(sql.PURGE_ENDPOINTS)
    return purged


async def report_continually(database: Database) -> None:
    """Set the gauges of webhooks every 15 seconds, until cancelled."""
    await measure_continually(partial(measure, database), what="the webhooks", every_s=MEASURE_EVERY_S)


async def measure(database: Database) -> None:
    """Set the gauges of webhooks. Raises DatabaseUnavailable."""
    async with database.working_singly() as connection:
        rows = await connection.rows(sql.MEASURE)
    metrics.webhook_oldest_pending.clear()
    metrics.webhook_dead.clear()
    for row in rows:
        metrics.webhook_oldest_pending.labels(str(row.id)).set(row.oldest_s)
        metrics.webhook_dead.labels(str(row.id)).set(row.dead)
