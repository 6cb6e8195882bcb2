"""Alembic's entry: one migrating process at a time, and none that stops traffic by waiting for a lock.

The advisory lock is taken first and waited for; `lock_timeout` is set after it, so that it bounds only the
locks on tables, behind which the queries of the running service would queue.
"""

import asyncio
import logging
import time

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from core.errors import DatabaseUnavailable
from core.settings import Settings
from db.embedded import ServerDidNotStart, postgres_dsn
from db.postgres import wait_until_reachable
from models import Base

# Any constant will do, as long as it is the same in every release.
_ADVISORY_LOCK = 7_415_530_148
_LOCK_TIMEOUT = "2s"
_ASK_AGAIN_AFTER_S = 0.2


def _wait_for_turn(connection: Connection) -> None:
    """Take the advisory lock by asking again and again.

    Waiting inside a statement would hold a snapshot, for which an index that another process builds concurrently would
    wait in turn.
    """
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ADVISORY_LOCK}):
        connection.commit()
        time.sleep(_ASK_AGAIN_AFTER_S)
    connection.commit()


def _migrate(connection: Connection) -> None:
    _wait_for_turn(connection)
    connection.execute(text(f"SET lock_timeout = '{_LOCK_TIMEOUT}'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _connect_and_migrate(dsn: str) -> None:
    engine = create_async_engine(dsn, poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


def _run() -> None:
    dsn = context.config.attributes.get("dsn")
    if dsn is not None:
        asyncio.run(_connect_and_migrate(dsn))
        return
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        with postgres_dsn(Settings()) as found:
            asyncio.run(wait_until_reachable(found, within_s=0))
            asyncio.run(_connect_and_migrate(found))
    except (ServerDidNotStart, DatabaseUnavailable) as error:
        raise CommandError(f"no database to work on: {error}") from None


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    _run()
