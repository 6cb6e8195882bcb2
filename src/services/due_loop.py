"""The loop that works off what is due: it finds the items by an index, and changes the ticket of each.

Any number of processes may run the same loop at once. An item is decided again on its row, by the clock of the
database, in the transaction that changes the ticket.
"""

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from typing import Final

from core.errors import ServiceError, Unavailable
from db.postgres.database import Database
from db.postgres.statements import Row, Statement

POLL_EVERY_S: Final = 0.5
RETRY_EVERY_S: Final = 1
BATCH: Final = 100
# The pause after each item, as a multiple of the time that the item took: requests keep their share of the service.
PAUSE_PER_ITEM: Final = 1
MAX_PAUSE_S: Final = 0.05

_log = logging.getLogger(__name__)


class DueLoop(ABC):
    """Works off the items that are due, one after the other.

    `due` selects a column `key`, which names an item or its ticket, and what the subclass needs. Its parameters are
    `failed`, the keys to leave out, and `limit`. `item` is the word for an item in log lines. A key that fails is left
    alone for `left_alone_s` seconds, so that it delays no others.
    """

    due: Statement
    item: str
    left_alone_s: float = 60

    def __init__(self, database: Database) -> None:
        self._database = database
        # By key: when it may be tried again, in seconds of the event loop's clock.
        self._failed: dict[int, float] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                found = await self.work_off(pause_per_item=PAUSE_PER_ITEM)
            except Unavailable as error:
                _log.warning("cannot work off what is due (%s); retrying in %d s: %s", self.item, RETRY_EVERY_S, error)
                await asyncio.sleep(RETRY_EVERY_S)
                continue
            if found < BATCH:
                await asyncio.sleep(POLL_EVERY_S)

    async def work_off(self, *, pause_per_item: float = 0) -> int:
        """Work off a batch of what is due, and return how many items were found. Raises DatabaseUnavailable."""
        clock = asyncio.get_running_loop().time
        now = clock()
        self._failed = {key: until for key, until in self._failed.items() if until > now}
        async with self._database.working_singly() as connection:
            rows = await connection.rows(self.due, failed=list(self._failed), limit=BATCH)
        if rows:
            await self._prepare()
        # Each process begins elsewhere: two that change one ticket would only wait for each other.
        for row in random.sample(rows, len(rows)):
            began_at = clock()
            await self._try(row)
            await asyncio.sleep(min(pause_per_item * (clock() - began_at), MAX_PAUSE_S))
        return len(rows)

    async def _prepare(self) -> None:
        """Read what a batch of items needs: by default nothing. Raises DatabaseUnavailable."""
        return

    @abstractmethod
    async def _do(self, row: Row) -> None:
        """Change the ticket of an item, unless the item is no longer due."""

    async def _refused(self, row: Row, error: ServiceError) -> None:
        """Handle the refusal of an item: by default, leave it alone."""
        _log.warning("cannot work off the %s %d: %s", self.item, row.key, type(error).__name__)
        self._leave_alone(row.key)

    def _leave_alone(self, key: int) -> None:
        self._failed[key] = asyncio.get_running_loop().time() + self.left_alone_s

    async def _try(self, row: Row) -> None:
        try:
            await self._do(row)
        except Unavailable:  # of the database, or of this ticket, whose row another transaction keeps locked
            self._leave_alone(row.key)
            raise
        except ServiceError as error:
            await self._refused(row, error)
        except Exception:  # noqa: BLE001 - the others go on
            _log.exception("cannot work off the %s %d", self.item, row.key)
            self._leave_alone(row.key)
