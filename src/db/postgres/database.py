"""The database: acquires connections, and translates its failures and missed deadlines to errors of the service."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from asyncpg.connection import LoggedQuery
from sqlalchemy import literal_column, select

from core.errors import DatabaseUnavailable, SearchTimeout
from db.postgres.connections import Connections
from db.postgres.failures import CANCELLED, REJECTIONS, Attempt, attempt, failures_translated, sqlstate_of
from db.postgres.pool import PoolState, PoolTimeout
from db.postgres.session import Session
from db.postgres.statements import Row, Statement

# While every connection is in use, a request is refused within two seconds.
POOL_TIMEOUT_S: Final = 1.5
# Its queries read or write a few rows by primary key.
CONTROL_POOL_SIZE: Final = 2
CONTROL_TIMEOUT_S: Final = 2
WORK_TIMEOUT_S: Final = 5
# Shorter than the timeout of the clients that poll the readiness endpoint.
PROBE_TIMEOUT_S: Final = 2

_RETRY_INTERVAL_S: Final = 0.2
_SELECT_1: Final = Statement(select(literal_column("1")))

_log = logging.getLogger(__name__)


class Decision:
    """A connection on which a row is read without a lock, and a statement committed that depends on it.

    Both are executed by one server process. So the statement never meets another server, which a failover may have
    left without the row that was read.
    """

    __slots__ = ("_attempt", "_connection")

    def __init__(self, connection: Session, current: Attempt) -> None:
        self._connection = connection
        self._attempt = current

    async def read(self, statement: Statement, /, **values: object) -> Row | None:
        """Return the row of a statement that reads; None without a row."""
        return await self._connection.one_or_none(statement, **values)

    async def commit(self, statement: Statement, /, **values: object) -> Row | None:
        """Execute a statement as its own transaction, and return its row; None if it found nothing to change."""
        await self._connection.prepare_once(statement)
        if self._attempt.is_too_late:
            raise DatabaseUnavailable("too late to commit")
        self._attempt.is_sent = True
        return await self._connection.one_or_none(statement, **values)

    async def create(self, statement: Statement, /, **values: object) -> Row:
        """Execute a statement that depends on nothing that was read, as its own transaction, and return its one row."""
        written = await self.commit(statement, **values)
        assert written is not None  # noqa: S101 - as above
        return written


class Database:
    """The connection pools to PostgreSQL: one for most work, small ones for searches, probes and background work.

    Slow searches therefore leave other requests their connections, and many searches leave the server processor time;
    and a busy service still passes its readiness probe. The pools connect at their first use.

    Everything that is done for a request ends at its deadline: see `core.deadline`.
    """

    def __init__(
        self,
        dsn: str,
        *,
        pool_size: int,
        search_pool_size: int = 2,
        search_timeout_s: float = 2,
        work_pool_size: int = 4,
    ) -> None:
        self._main = Connections(dsn, size=pool_size, acquire_timeout_s=POOL_TIMEOUT_S)
        # The best plan depends on how many tickets contain a word, so each search is planned for its own words.
        session = {"statement_timeout": f"{search_timeout_s * 1000:.0f}ms", "plan_cache_mode": "force_custom_plan"}
        self._searches = Connections(dsn, size=search_pool_size, acquire_timeout_s=search_timeout_s, session=session)
        self._probes = Connections(dsn, size=1, acquire_timeout_s=PROBE_TIMEOUT_S, connect_timeout_s=PROBE_TIMEOUT_S)
        self._control = Connections(
            dsn,
            size=CONTROL_POOL_SIZE,
            acquire_timeout_s=CONTROL_TIMEOUT_S,
            connect_timeout_s=CONTROL_TIMEOUT_S,
        )
        # Each piece of background work has at most a few transactions at once, of which some are long.
        self._work = Connections(dsn, size=work_pool_size, acquire_timeout_s=WORK_TIMEOUT_S)

    @property
    def pools(self) -> dict[str, PoolState]:
        """The state of the pools but for the probes', by name."""
        return {
            "main": self._main.state,
            "search": self._searches.state,
            "control": self._control.state,
            "work": self._work.state,
        }

    def add_statement_listener(self, listener: Callable[[LoggedQuery], None]) -> None:
        """Call `listener` after each statement of a request, in its context; not after those of background work."""
        for connections in (self._main, self._searches, self._control):
            connections.add_statement_listener(listener)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """Acquire a connection on which each statement has its own snapshot and takes one round trip.

        Raises DatabaseUnavailable, DeadlineExceeded.
        """
        async with attempt(), self._main.reading() as connection:
            yield connection

    @asynccontextmanager
    async def searching(self) -> AsyncIterator[Session]:
        """Acquire a connection for a search. Raises SearchTimeout, DatabaseUnavailable, DeadlineExceeded."""
        try:
            async with attempt(), self._searches.reading() as connection:
                yield connection
        except DatabaseUnavailable as error:
            if isinstance(error.__cause__, PoolTimeout) or sqlstate_of(error.__cause__) == CANCELLED:
                raise SearchTimeout from error
            raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Acquire a connection and begin a transaction; commit when the block ends, roll back when it raises.

        Raises DatabaseUnavailable or DeadlineExceeded, or OutcomeUnknown when the server did not confirm the commit.
        """
        async with self._transaction(self._main) as connection:
            yield connection

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Session]:
        """Begin a transaction of background work, as `transaction` does, on connections that requests never use.

        Raises DatabaseUnavailable, OutcomeUnknown.
        """
        async with self._transaction(self._work) as connection:
            yield connection

    @asynccontextmanager
    async def working_singly(self) -> AsyncIterator[Session]:
        """Acquire a connection of background work on which each statement is a transaction of its own.

        A statement whose response is lost may have been committed. Raises DatabaseUnavailable.
        """
        async with attempt(), self._work.reading() as connection:
            yield connection

    @asynccontextmanager
    async def deciding(self) -> AsyncIterator[Decision]:
        """Acquire a connection for a read, and for one statement that commits what was decided on the row.

        Raises DatabaseUnavailable or DeadlineExceeded, or OutcomeUnknown when the server did not confirm the commit.
        """
        async with attempt() as current, self._main.reading() as connection:
            yield Decision(connection, current)

    async def in_batches(self, statement: Statement, size: int) -> int:
        """Execute a statement, which returns how much it did, in transactions of its own until it did less than `size`.

        Return the total. Raises DatabaseUnavailable.
        """
        total = 0
        while True:
            async with self.transaction() as connection:
                done: int = await connection.value(statement)
            total += done
            if done < size:
                return total

    @asynccontextmanager
    async def probing(self) -> AsyncIterator[Session]:
        """Acquire the connection for probes, for a short time. Raises DatabaseUnavailable."""
        with failures_translated():
            async with asyncio.timeout(PROBE_TIMEOUT_S), self._probes.reading() as connection:
                yield connection

    @asynccontextmanager
    async def control(self) -> AsyncIterator[Session]:
        """Yield a connection for the service's own short queries, which requests on tickets never use.

        It serves authentication, and everything else that must not wait for the main pool. The block is cancelled after
        two seconds, the wait for the connection included. Each statement is a transaction of its own.

        Raises DatabaseUnavailable, DeadlineExceeded.
        """
        async with attempt(), asyncio.timeout(CONTROL_TIMEOUT_S), self._control.reading() as connection:
            yield connection

    def expire_all(self) -> None:
        """Let every connection be replaced before it is acquired again, as after a failover."""
        for connections in self._all:
            connections.expire_all()

    async def ping(self) -> None:
        """Return when the server has responded. Raises DatabaseUnavailable."""
        async with self.probing() as connection:
            await connection.run(_SELECT_1)

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(each.close() for each in self._all))

    @asynccontextmanager
    async def _transaction(self, connections: Connections) -> AsyncIterator[Session]:
        async with attempt() as current, connections.transaction() as connection:
            yield connection
            if current.is_too_late:
                raise DatabaseUnavailable("too late to commit")
            current.is_sent = True
            await connection.commit()

    @property
    def _all(self) -> tuple[Connections, ...]:
        return self._main, self._searches, self._probes, self._control, self._work


async def wait_until_reachable(dsn: str, *, timeout_s: float) -> None:
    """Return when the server accepts a connection; log a warning if that is not at once.

    Raises DatabaseUnavailable, with the reason, after `timeout_s`, and at once when the server rejects the user, the
    password or the database.
    """
    database = Database(dsn, pool_size=1)
    deadline = time.monotonic() + timeout_s
    is_logged = False
    try:
        while True:
            try:
                return await database.ping()
            except DatabaseUnavailable as error:
                if time.monotonic() > deadline or sqlstate_of(error.__cause__).startswith(REJECTIONS):
                    raise
                if not is_logged:
                    _log.warning("waiting up to %g s for PostgreSQL: %s", timeout_s, error)
                    is_logged = True
                await asyncio.sleep(_RETRY_INTERVAL_S)
    finally:
        await database.close()
