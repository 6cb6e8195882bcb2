"""The epoch of the event log: it changes when positions may be used again, so that older cursors are refused.

A database that was restored from a dump has the transaction ids and the snapshot of another server, or of another time.
They mean nothing here: ids would come round again. So the events get no id, those that are not in the log are published
all at once, and the publisher goes on from the current snapshot. The restored copy is recognized by the identifier of
the server and by the object id of the table, of which the first differs on another server, the second on the same one.

A server that was recovered to a point in time, or a standby that was promoted before it had received everything, has
both unchanged. Then an operator has to begin a new epoch: see docs/runbook.md.
"""

from typing import Final
from uuid import UUID

from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from services.events import statements as sql

# The table is locked for one scan of it, and for the build of the index, which is empty.
TIMEOUT_S: Final = 3600

_LOCK_EVENTS: Final = "LOCK TABLE ticket_events IN ACCESS EXCLUSIVE MODE"
_FORGET_TRANSACTIONS: Final = (
    "ALTER TABLE ticket_events DROP COLUMN xid",
    "ALTER TABLE ticket_events ADD COLUMN xid xid8",
    "ALTER TABLE ticket_events ALTER COLUMN xid SET DEFAULT pg_current_xact_id()",
    "CREATE INDEX ix_ticket_events_xid ON ticket_events (xid) WHERE xid IS NOT NULL",
)


async def begin_epoch(database: Database) -> UUID | None:
    """Begin a new epoch and return it; None if the history is not numbered yet. Adopt a restored log.

    Raises DatabaseUnavailable, OutcomeUnknown.
    """
    async with database.working() as connection:
        await connection.run(sql.WAIT_FOR_LOCK)
        state = await connection.one_or_none(sql.STATE)
        if state is None:
            return None
        if state.is_restored:
            return await _renumber(connection)
        epoch: UUID = await connection.value(sql.NEW_EPOCH)
        return epoch


async def begin_epoch_if_restored(database: Database) -> UUID | None:
    """Adopt the log of a restored database and return its new epoch; do nothing to another one, and return None.

    Raises DatabaseUnavailable, OutcomeUnknown.
    """
    async with database.working() as connection:
        state = await connection.one_or_none(sql.POSITIONS)
        if state is None or not state.is_restored:
            return None
        await connection.run(sql.WAIT_FOR_LOCK)
        return await _renumber(connection)


async def _renumber(connection: Session) -> UUID | None:
    """Publish what is not in the log, and let the publisher go on. The caller has the lock of the log."""
    await connection.run(sql.WAIT_LONG)
    await connection.execute(_LOCK_EVENTS)
    # Read under the locks: another process may have been faster.
    state = await connection.one(sql.STATE)
    if not state.is_restored:
        return None
    published = await _publish_missing(connection, state)
    for statement in _FORGET_TRANSACTIONS:
        await connection.execute(statement, timeout=TIMEOUT_S)
    epoch: UUID = await connection.value(sql.RENEW, published=published)
    return epoch


async def _publish_missing(connection: Session, state: Row) -> int:
    arguments = sql.PUBLISH_MISSING.arguments(dict(state))
    published: int = await connection.fetchval(sql.PUBLISH_MISSING.sql, *arguments, timeout=TIMEOUT_S)
    return published
