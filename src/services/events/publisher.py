"""The publisher of the event log: gives a position to each event once its transaction has committed.

Transactions do not commit in the order of their times, of their ids or of any number that they draw. A reader that
follows such an order skips what is committed behind it. So a round of the publisher finds the events that were
committed between two snapshots, that of the round before and its own, and gives them the next positions. The idea is
that of PgQ, the queue of Skype. A transaction that runs for hours delays no other: the snapshot names it, and a later
round finds its events.

Every process publishes, none leads: a round takes an advisory lock that ends with its transaction. `tests/events` has a
model of the protocol, over every order of its steps.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Final

from core import metrics
from core.errors import DatabaseUnavailable, Unavailable
from core.waiting import wait_within
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from services.events import statements as sql
from services.events.published import PublishedSignal
from services.tickets.commit_signal import CommitSignal

# While events come, a round begins this often; a commit of this process begins one at once if the last is longer ago.
ROUND_EVERY_S: Final = 0.02
# Without events, the pauses double up to this: what other processes commit is published after it at the latest.
MAX_PAUSE_S: Final = 0.25
RETRY_EVERY_S: Final = 1
# A first round after months without a publisher may insert millions of rows.
LONG_ROUND_TIMEOUT_S: Final = 120
WARN_EVERY_S: Final = 60

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """What a round did: how many events it published, and the last position after it."""

    published: int = 0
    last_position: int = 0


NOTHING: Final = Round()


class EventPublisher:
    """Publishes events; `published` wakes the readers of this process."""

    def __init__(self, database: Database, committed: CommitSignal) -> None:
        self.published = PublishedSignal()
        self._database = database
        self._committed = committed
        self._may_take_long = False
        self._warned_at: float | None = None

    async def run(self) -> None:
        """Publish until cancelled: each 20 ms while events come, up to 250 ms apart while none do."""
        pause_s = ROUND_EVERY_S
        while True:
            next_commit = self._committed.expect()
            began_at = time.monotonic()
            try:
                done = await self.publish_round()
            except Unavailable as error:
                _log.warning("cannot publish events; retrying in %d s: %s", RETRY_EVERY_S, error)
                await asyncio.sleep(RETRY_EVERY_S)
                continue
            pause_s = ROUND_EVERY_S if done.published else min(2 * pause_s, MAX_PAUSE_S)
            await _pause(began_at, pause_s, next_commit)

    async def publish_round(self) -> Round:
        """Publish what was committed since the last round of any process, in one transaction.

        Do nothing while another process publishes, before the history is numbered, and in a database that was restored
        from a dump and not renumbered. Raises DatabaseUnavailable, OutcomeUnknown.
        """
        try:
            async with self._database.working() as connection:
                done = await self._publish(connection)
        except DatabaseUnavailable:
            self._may_take_long = True  # the statement may have been too long, and not the server unavailable
            raise
        self._may_take_long = False
        metrics.event_log_rounds.inc()
        if done.published:
            metrics.events_published.inc(done.published)
            self.published.advance(done.last_position)
        return done

    async def _publish(self, connection: Session) -> Round:
        if not await connection.value(sql.TRY_LOCK):
            return NOTHING
        state = await connection.one_or_none(sql.STATE)
        if state is None:
            return NOTHING
        if state.is_restored:
            self._warn_of_restored()
            return NOTHING
        last_position = await self._insert(connection, state)
        if last_position is None:
            return Round(0, state.last_position)
        return Round(last_position - state.last_position, last_position)

    async def _insert(self, connection: Session, state: Row) -> int | None:
        """Return the last position; None if there was nothing to publish."""
        timeout_s = None
        if self._may_take_long:
            await connection.run(sql.WAIT_LONG)
            timeout_s = LONG_ROUND_TIMEOUT_S
        values = {name: state[name] for name in sql.PUBLISH.names}
        last_position: int | None = await connection.fetchval(
            sql.PUBLISH.sql, *sql.PUBLISH.arguments(values), timeout=timeout_s
        )
        return last_position

    def _warn_of_restored(self) -> None:
        now = time.monotonic()
        if self._warned_at is None or now - self._warned_at > WARN_EVERY_S:
            self._warned_at = now
            _log.error(
                "events are not published: the database was restored from a dump while the service ran; restart the "
                "service, or run: python src/events.py new-epoch"
            )


async def _pause(began_at: float, pause_s: float, next_commit: asyncio.Event) -> None:
    """Wait until `pause_s` after `began_at`, or less if this process commits, but keep rounds ROUND_EVERY_S apart."""
    if await wait_within(next_commit, began_at + pause_s - time.monotonic()):
        await asyncio.sleep(began_at + ROUND_EVERY_S - time.monotonic())
