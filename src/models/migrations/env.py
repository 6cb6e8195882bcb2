"""Alembic's entry point: one process migrates at a time, and no migration blocks requests for long.

An advisory lock ensures that one process migrates. `lock_timeout` is set after it, so that it bounds only the waits for
locks on tables, because the queries of the running service queue behind such a wait. A migration that does not get a
lock rolls back, pauses so that the requests proceed, and retries.
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

# An arbitrary constant that must be the same in every release.
_ADVISORY_LOCK = 7_415_530_148
# Less than PostgreSQL's deadlock_timeout of one second: when a migration and a request wait for each other, the
# migration fails and retries.
_LOCK_TIMEOUT_MS = 800
_RETRIED = (LOCK_NOT_AVAILABLE, DEADLOCK)
_POLL_EVERY_S = 0.2
# Longer each time, because the holder of the lock is not a short query.
_PAUSES_S = (0.5, 1, 2, 4)

_log = logging.getLogger(__name__)


def _acquire_migration_lock(connection: Connection, deadline: float) -> None:
    """Acquire the advisory lock by polling.

    A statement that waits for the lock would hold a snapshot, and a concurrent index build of the other process would
    wait for that snapshot to end.
    """
    is_logged = False
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_LOCK}):
        connection.commit()
        if time.monotonic() > deadline:
            raise CommandError("another process still migrates the database after MIGRATION_TIMEOUT; start again")
        if not is_logged:
            _log.warning("waiting for another process that migrates the database")
            is_logged = True
        time.sleep(_POLL_EVERY_S)
    connection.commit()


def _migrate(connection: Connection, deadline: float) -> None:
    _acquire_migration_lock(connection, deadline)
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
    """Bound the wait of each statement for a lock; only CONCURRENTLY, which blocks no query, may wait long."""

    def limit(_connection: object, cursor: DBAPICursor, statement: str, *_: object) -> None:
        # A concurrent index build waits for running transactions to end, and blocks no query meanwhile.
        may_wait = "CONCURRENTLY" in statement
        wait_ms = max(1, int((deadline - time.monotonic()) * 1000)) if may_wait else _LOCK_TIMEOUT_MS
        cursor.execute(f"SET lock_timeout = {wait_ms}")

    event.listen(connection, "before_cursor_execute", limit)


async def _connect_and_migrate(dsn: str, timeout_s: float) -> None:
    engine = create_async_engine(dsn, poolclass=pool.NullPool)
    deadline = time.monotonic() + timeout_s
    retries = 0
    try:
        while True:
            try:
                async with engine.connect() as connection:
                    return await connection.run_sync(_migrate, deadline)
            except DBAPIError as error:
                if sqlstate_of(error) not in _RETRIED or time.monotonic() > deadline:
                    raise
            pause_s = _PAUSES_S[min(retries, len(_PAUSES_S) - 1)]
            retries += 1
            _log.warning("a migration did not get its lock; requests proceed, and it retries in %g s", pause_s)
            await asyncio.sleep(pause_s)
    finally:
        await engine.dispose()


def _run() -> None:
    attributes = context.config.attributes
    if "dsn" in attributes:
        asyncio.run(_connect_and_migrate(attributes["dsn"], attributes["timeout_s"]))
        return
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = Settings()
        with postgres_dsn(settings) as dsn:
            asyncio.run(wait_until_reachable(dsn, timeout_s=0))
            asyncio.run(_connect_and_migrate(dsn, settings.migration_timeout))
    except (ServerDidNotStart, DatabaseUnavailable) as error:
        raise CommandError(f"cannot use the database: {error}") from None


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    _run()
