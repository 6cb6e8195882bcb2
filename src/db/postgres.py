"""Connections to PostgreSQL: two ways to borrow one, and one place where its failures become ours."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from asyncpg.exceptions import PostgresError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from core.errors import DatabaseUnavailable

CONNECT_TIMEOUT_S = 3
POOL_TIMEOUT_S = 3
# The client gives up a little after the server should have: it only fires when the server is a black hole.
COMMAND_TIMEOUT_S = 6

_SESSION = {
    "application_name": "tickets",
    "timezone": "UTC",
    "statement_timeout": "5s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
}

# SQLSTATEs of a server that is there but can not now: lock_timeout, statement_timeout, deadlock, shutting down,
# starting up, too many connections, out of memory or disk.
_PASSING = ("55P03", "57014", "40P01", "57P", "53", "25P03")


class Database:
    """The pool of connections to PostgreSQL. Nothing is connected before the first use."""

    def __init__(self, dsn: str, *, pool_size: int) -> None:
        self._engine = create_async_engine(
            dsn,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            connect_args={
                "timeout": CONNECT_TIMEOUT_S,
                "command_timeout": COMMAND_TIMEOUT_S,
                "server_settings": _SESSION,
            },
        )
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection on which each statement sees its own snapshot and costs one round trip.

        Raises DatabaseUnavailable.
        """
        with _failures_translated():
            async with self._autocommit.connect() as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection in a transaction, committed when the block ends and rolled back when it raises.

        Raises DatabaseUnavailable; when that happened during the commit, its outcome is unknown.
        """
        with _failures_translated():
            async with self._engine.begin() as connection:
                yield connection

    async def ping(self) -> None:
        """Return if the server answers. Raises DatabaseUnavailable."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Give every connection back."""
        await self._engine.dispose()


async def wait_until_reachable(dsn: str, *, within_s: float) -> None:
    """Return when a session can be had. Raises DatabaseUnavailable, with the last reason, when time is up."""
    database = Database(dsn, pool_size=1)
    deadline = time.monotonic() + within_s
    try:
        while True:
            try:
                return await database.ping()
            except DatabaseUnavailable:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)
    finally:
        await database.close()


@contextmanager
def _failures_translated() -> Iterator[None]:
    try:
        yield
    except (OSError, PoolTimeout, OperationalError, InterfaceError, PostgresError) as error:
        raise DatabaseUnavailable(f"{type(error).__name__}: {error}") from error
    except DBAPIError as error:
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        if error.connection_invalidated or sqlstate.startswith(_PASSING):
            raise DatabaseUnavailable(f"{type(error).__name__}: {error}") from error
        raise
