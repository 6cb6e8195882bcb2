"""The database: ways to borrow a connection, and one place where its failures and the lack of time become ours."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from asyncpg.connection import LoggedQuery

from core.errors import DatabaseUnavailable, SearchTimeout
from db.postgres.connections import Connections
from db.postgres.failures import CANCELLED, REFUSALS, attempt, failures_told, sqlstate_of
from db.postgres.pool import PoolState, PoolTimeout
from db.postgres.session import Session
from db.postgres.statements import Row, Statement

# While every connection is in use, a request is refused within two seconds.
POOL_TIMEOUT_S: Final = 1.5
# Its queries read or write a few rows by primary key.
CONTROL_POOL_SIZE: Final = 2
CONTROL_TIMEOUT_S: Final = 2
# Shorter than what those who ask for our health wait for an answer.
PROBE_TIMEOUT_S: Final = 2

_ASK_AGAIN_AFTER_S: Final = 0.2
_ANYTHING: Final = Statement("SELECT 1")

_log = logging.getLogger(__name__)


class Database:
    """The pools of connections to PostgreSQL: one for all work, a small one for searches, a single one for probes.

    So searches, however slow, leave the others their connections, and however many, leave the server its processors;
    and a service that is only busy does not seem to be ill. Nothing is connected before the first use.

    Whatever is done for a request ends at its deadline: see `core.deadline`.
    """

    def __init__(self, dsn: str, *, pool_size: int, search_pool_size: int = 2, search_timeout_s: float = 2) -> None:
        self._work = Connections(dsn, size=pool_size, acquire_timeout_s=POOL_TIMEOUT_S)
        # How many tickets have a word decides how to find them: each search is planned for its own words.
        session = {"statement_timeout": f"{search_timeout_s * 1000:.0f}ms", "plan_cache_mode": "force_custom_plan"}
        self._searches = Connections(dsn, size=search_pool_size, acquire_timeout_s=search_timeout_s, session=session)
        self._probes = Connections(dsn, size=1, acquire_timeout_s=PROBE_TIMEOUT_S, connect_timeout_s=PROBE_TIMEOUT_S)
        self._control = Connections(
            dsn,
            size=CONTROL_POOL_SIZE,
            acquire_timeout_s=CONTROL_TIMEOUT_S,
            connect_timeout_s=CONTROL_TIMEOUT_S,
        )

    @property
    def pools(self) -> dict[str, PoolState]:
        """How each of these pools stands, by its name."""
        return {"main": self._work.state, "search": self._searches.state, "control": self._control.state}

    def listen(self, listener: Callable[[LoggedQuery], None]) -> None:
        """Tell `listener` of each statement that these pools carry out from now on, in the context of who asked."""
        for connections in (self._work, self._searches, self._control):
            connections.listen(listener)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """Lend a connection on which each statement sees its own snapshot and costs one round trip.

        Raises DatabaseUnavailable, DeadlineExceeded.
        """
        async with attempt(), self._work.reading() as connection:
            yield connection

    @asynccontextmanager
    async def searching(self) -> AsyncIterator[Session]:
        """Lend a connection for a search. Raises SearchTimeout, DatabaseUnavailable, DeadlineExceeded."""
        try:
            async with attempt(), self._searches.reading() as connection:
                yield connection
        except DatabaseUnavailable as error:
            if isinstance(error.__cause__, PoolTimeout) or sqlstate_of(error.__cause__) == CANCELLED:
                raise SearchTimeout from error
            raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Lend a connection in a transaction, committed when the block ends and rolled back when it raises.

        Raises DatabaseUnavailable or DeadlineExceeded, or OutcomeUnknown when the server did not say what became of the
        commit.
        """
        async with attempt() as this, self._work.transaction() as connection:
            yield connection
            if this.is_too_late:
                raise DatabaseUnavailable("too late to commit")
            this.is_sent = True
            await connection.commit()

    async def write(self, statement: Statement, /, **values: object) -> Row:
        """Carry out a statement that is a transaction of its own, which spares BEGIN and COMMIT; return its one row.

        Raises DatabaseUnavailable or DeadlineExceeded, or OutcomeUnknown when the statement was sent and the server
        did not say what became of it.
        """
        async with attempt() as this, self._work.reading() as connection:
            await connection.prepare_once(statement)
            this.is_sent = True
            return await connection.one(statement, **values)

    @asynccontextmanager
    async def probing(self) -> AsyncIterator[Session]:
        """Lend, for a short time, a connection that nothing else uses. Raises DatabaseUnavailable."""
        with failures_told():
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
        """Replace every connection before it is lent again: the server they lead to is no primary any more."""
        for connections in (self._work, self._searches, self._probes, self._control):
            connections.expire_all()

    async def ping(self) -> None:
        """Return if the server answers. Raises DatabaseUnavailable."""
        async with self.probing() as connection:
            await connection.run(_ANYTHING)

    async def close(self) -> None:
        """Give every connection back."""
        await asyncio.gather(*(each.close() for each in (self._work, self._searches, self._probes, self._control)))


async def wait_until_reachable(dsn: str, *, timeout_s: float) -> None:
    """Return when a session can be had, and say so when it has to be waited for.

    Raises DatabaseUnavailable, with the reason, when time is up, and at once when the server knows no such user,
    password or database.
    """
    database = Database(dsn, pool_size=1)
    deadline = time.monotonic() + timeout_s
    is_said = False
    try:
        while True:
            try:
                return await database.ping()
            except DatabaseUnavailable as error:
                if time.monotonic() > deadline or sqlstate_of(error.__cause__).startswith(REFUSALS):
                    raise
                if not is_said:
                    _log.warning("waiting up to %g s for PostgreSQL: %s", timeout_s, error)
                    is_said = True
                await asyncio.sleep(_ASK_AGAIN_AFTER_S)
    finally:
        await database.close()
