"""How many tickets there are in each status: counted now and then, never when somebody asks."""

import asyncio
import logging
import time
from typing import Final

from core import metrics
from core.errors import Unavailable
from core.multiprocess_metrics import is_leader
from db.postgres.database import Database
from db.postgres.statements import Statement
from models import TicketStatus

EVERY_S: Final = 60
# Counting reads an index from end to end, some 0.1 s for a million tickets. However many there are, it is to take no
# more than a hundredth of the time.
REST_FOR_EACH_S: Final = 100

_NO_LONGER_THAN: Final = Statement("SET LOCAL statement_timeout = '3s'")
_COUNT: Final = Statement("SELECT status, count(*) FROM tickets GROUP BY status")

_log = logging.getLogger(__name__)


async def count_tickets(database: Database) -> dict[TicketStatus, int]:
    """Return how many tickets have each status. Raises DatabaseUnavailable, also when it takes over three seconds."""
    async with database.transaction() as connection:
        await connection.run(_NO_LONGER_THAN)
        counted: dict[str, int] = {row[0]: row[1] for row in await connection.rows(_COUNT)}
    return {status: counted.get(status, 0) for status in TicketStatus}


async def refresh_counts(database: Database) -> None:
    """Count every minute, until cancelled, and tell it to the metrics; of the processes of one start, one does."""
    while True:
        began_at = time.monotonic()
        if is_leader():
            try:
                counts = await count_tickets(database)
            except Unavailable as error:
                _log.warning("the tickets were not counted: %s", error)
            else:
                for status, count in counts.items():
                    metrics.tickets_by_status.labels(status).set(count)
                metrics.tickets_counted_at.set_to_current_time()
        await asyncio.sleep(max(EVERY_S, REST_FOR_EACH_S * (time.monotonic() - began_at)))
