"""Alembic's entry: one migrating process at a time, and none that stops traffic by waiting for a lock.

The advisory lock is taken first and waited for; `lock_timeout` is set after it, so that it bounds only the
locks on tables, behind which the queries of the running service would queue. A migration that did not get its lock
steps back, lets the traffic through, and tries again.
"""

import asyncio
import logging
import time

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, event, pool, text
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from core.errors import DatabaseUnavailable
from core.settings import Settings
from db.embedded import ServerDidNotStart, postgres_dsn
from db.postgres.database import wait_until_reachable
from db.postgres.failures import DEADLOCK, LOCK_NOT_AVAILABLE, sqlstate_of
from models import Base

# Any constant will do, as long as it is the same in every release.
_ADVISORY_LOCK = 7_415_530_148
# Less than PostgreSQL's deadlock_timeout, a second: of a migration and a request that wait for each other, it is the
# migration that gives way.
_LOCK_TIMEOUT_MS = 800
_STEPS_BACK_FROM = (LOCK_NOT_AVAILABLE, DEADLOCK)
_ASK_AGAIN_AFTER_S = 0.2
# Longer each time: what holds the lock is no short query.
_STEP_BACK_S = (0.5, 1, 2, 4)

_log = logging.getLogger(__name__)


def _wait_for_turn(connection: Connection, deadline: float) -> None:
    """Take the advisory lock by asking again and again.

    Waiting inside a statement would hold a snapshot, for which an index that another process builds concurrently would
    wait in turn.
    """
    is_said = False
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_LOCK}):
        connection.commit()
        if time.monotonic() > deadline:
            raise CommandError("another process has been migrating for too long; see MIGRATION_TIMEOUT")
        if not is_said:
            _log.warning("waiting for another process that migrates the database")
            is_said = True
        time.sleep(_ASK_AGAIN_AFTER_S)
    connection.commit()


def _migrate(connection: Connection, deadline: float) -> None:
    _wait_for_turn(connection, deadline)
    _limit_waits(connection, deadline)
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _limit_waits(connection: Connection, deadline: float) -> None:
    """Let no statement wait for a lock for long, but those that nobody waits for in turn."""

    def limit(_connection: object, cursor: DBAPICursor, statement: str, *_: object) -> None:
        # An index that is built concurrently waits for the end of transactions, and stands in nobody's way meanwhile.
        is_patient = "CONCURRENTLY" in statement
        wait_ms = max(1, int((deadline - time.monotonic()) * 1000)) if is_patient else _LOCK_TIMEOUT_MS
        cursor.execute(f"SET lock_timeout = {wait_ms}")

    event.listen(connection, "before_cursor_execute", limit)


async def _connect_and_migrate(dsn: str, timeout_s: float) -> None:
    engine = create_async_engine(dsn, poolclass=pool.NullPool)
    deadline = time.monotonic() + timeout_s
    turn = 0
    try:
        while True:
            try:
                async with engine.connect() as connection:
                    return await connection.run_sync(_migrate, deadline)
            except DBAPIError as error:
                if sqlstate_of(error) not in _STEPS_BACK_FROM or time.monotonic() > deadline:
                    raise
            pause_s = _STEP_BACK_S[min(turn, len(_STEP_BACK_S) - 1)]
            turn += 1
            _log.warning("a migration got no lock; letting the traffic through, and trying again in %g s", pause_s)
            await asyncio.sleep(pause_s)
    finally:
        await engine.dispose()


def _run() -> None:
    given = context.config.attributes
    if "dsn" in given:
        asyncio.run(_connect_and_migrate(given["dsn"], given["timeout_s"]))
        return
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = Settings()
        with postgres_dsn(settings) as found:
            asyncio.run(wait_until_reachable(found, timeout_s=0))
            asyncio.run(_connect_and_migrate(found, settings.migration_timeout))
    except (ServerDidNotStart, DatabaseUnavailable) as error:
        raise CommandError(f"no database to work on: {error}") from None


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    _run()
