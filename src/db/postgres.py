"""Connections to PostgreSQL: three ways to borrow one, and one place where its failures become ours."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from asyncpg.exceptions import PostgresError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from core.errors import DatabaseUnavailable, OutcomeUnknown, SearchTimeout, Unavailable
from db.pool import PoolState, WatchedPool

CONNECT_TIMEOUT_S = 3
POOL_TIMEOUT_S = 3
# The client gives up a little after the server should have: it only fires when the server is a black hole.
COMMAND_TIMEOUT_S = 6

_SESSION = {
    "application_name": "tickets",
    "timezone": "UTC",
    "default_transaction_isolation": "read committed",
    "statement_timeout": "5s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
    # Compiling a statement takes longer than any of ours.
    "jit": "off",
}

# SQLSTATEs of a server that is there but can not now: lock_timeout, statement_timeout, deadlock or serialization,
# shutting down or starting up, too many connections, out of memory or disk, idle in transaction, read-only after a
# failover, refusing this user, without this database.
_PASSING = ("55P03", "57014", "40", "57P", "53", "25P03", "25006", "28", "3D")
_REFUSALS = ("28", "3D")
_CANCELLED = "57014"


class Database:
    """The pools of connections to PostgreSQL: one for all work, and a small one of its own for searches.

    So searches, however slow, leave the others their connections, and however many, leave the server its processors.
    Nothing is connected before the first use.
    """

    def __init__(self, dsn: str, *, pool_size: int, search_pool_size: int = 2, search_timeout_s: float = 2) -> None:
        self._engine = _engine(dsn, pool_size)
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        # How many tickets have a word decides how to find them: each search is planned for its own words.
        session = {"statement_timeout": f"{search_timeout_s}s", "plan_cache_mode": "force_custom_plan"}
        self._search_engine = _engine(dsn, search_pool_size, waits_s=search_timeout_s, **session)
        self._searches = self._search_engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def engines(self) -> dict[str, AsyncEngine]:
        """The engine of each pool, by the pool's name."""
        return {"main": self._engine, "search": self._search_engine}

    @property
    def pools(self) -> dict[str, PoolState]:
        """How each pool stands, by its name."""
        pools = {name: engine.pool for name, engine in self.engines.items()}
        return {name: pool.state for name, pool in pools.items() if isinstance(pool, WatchedPool)}

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection on which each statement sees its own snapshot and costs one round trip.

        Raises DatabaseUnavailable.
        """
        with _failures_as(DatabaseUnavailable):
            async with self._autocommit.connect() as connection:
                yield connection

    @asynccontextmanager
    async def searching(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection for a search. Raises SearchTimeout, DatabaseUnavailable."""
        try:
            with _failures_as(DatabaseUnavailable):
                async with self._searches.connect() as connection:
                    yield connection
        except DatabaseUnavailable as error:
            if isinstance(error.__cause__, PoolTimeout) or _sqlstate_of(error.__cause__) == _CANCELLED:
                raise SearchTimeout from error
            raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection in a transaction, committed when the block ends and rolled back when it raises.

        Raises DatabaseUnavailable, or OutcomeUnknown when it was the commit that failed.
        """
        with _failures_as(DatabaseUnavailable):
            async with self._engine.connect() as connection, connection.begin() as transaction:
                yield connection
                with _failures_as(OutcomeUnknown):
                    await transaction.commit()

    async def ping(self) -> None:
        """Return if the server answers. Raises DatabaseUnavailable."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Give every connection back."""
        await self._engine.dispose()
        await self._search_engine.dispose()


async def wait_until_reachable(dsn: str, *, within_s: float) -> None:
    """Return when a session can be had.

    Raises DatabaseUnavailable, with the reason, when time is up, and at once when the server knows no such user,
    password or database.
    """
    database = Database(dsn, pool_size=1)
    deadline = time.monotonic() + within_s
    try:
        while True:
            try:
                return await database.ping()
            except DatabaseUnavailable as error:
                if time.monotonic() > deadline or _sqlstate_of(error.__cause__).startswith(_REFUSALS):
                    raise
                await asyncio.sleep(0.2)
    finally:
        await database.close()


def _engine(dsn: str, pool_size: int, waits_s: float = POOL_TIMEOUT_S, **session: str) -> AsyncEngine:
    return create_async_engine(
        dsn,
        poolclass=WatchedPool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=waits_s,
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": COMMAND_TIMEOUT_S,
            "server_settings": _SESSION | session,
        },
    )


@contextmanager
def _failures_as(unavailable: type[Unavailable]) -> Iterator[None]:
    """Tell the errors of a server that is not there, or can not now, from those of a wrong statement."""
    try:
        yield
    except (OSError, PoolTimeout, OperationalError, InterfaceError) as error:
        raise unavailable(_said(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated or _sqlstate_of(error).startswith(_PASSING):
            raise unavailable(_said(error)) from error
        raise
    except PostgresError as error:  # from connecting, which SQLAlchemy leaves as it is
        raise unavailable(_said(error)) from error


def _sqlstate_of(error: BaseException | None) -> str:
    """Return the code of what the server said, which SQLAlchemy may have wrapped; empty if it said nothing."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""


def _said(error: Exception) -> str:
    """Return what the driver said, in one line and without SQLAlchemy's advice or the statement's parameters."""
    cause = getattr(error, "orig", None) or error
    first_line = str(cause).strip().partition("\n")[0]
    return first_line.rpartition(">: ")[2] or type(cause).__name__
