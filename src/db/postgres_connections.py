"""A pool of connections to whichever server is the primary, and when a connection is not to be trusted any more."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import Any, Final
from weakref import WeakSet

from sqlalchemy import event, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from db.pool import PoolState, WatchedPool
from db.postgres_failures import READ_ONLY, sqlstate_of
from db.postgres_primary import PrimaryFinder, Session

CONNECT_TIMEOUT_S: Final = 3
# The client gives up a little after the server should have: it only fires when the server is a black hole.
COMMAND_TIMEOUT_S: Final = 6
CLOSE_TIMEOUT_S: Final = 2
# Connections that a firewall may have forgotten meanwhile are not used again.
RECYCLE_AFTER_S: Final = 600
# A database that is read-only on purpose is asked again and again, but not with new connections each time.
DISTRUST_EVERY_S: Final = 1

_SESSION: Final = {
    "application_name": "tickets",
    "timezone": "UTC",
    "default_transaction_isolation": "read committed",
    "statement_timeout": "5s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
    # The server lets go of locks whose holder is gone, also of one that is gone without a word.
    "client_connection_check_interval": "2s",
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15s",
    # Compiling a statement takes longer than any of ours.
    "jit": "off",
}
_IS_NEW: Final = "is new"
_CONNECTED_AT: Final = "connected at"


class Connections:
    """Lends connections; nothing is connected before the first use.

    No round trip is spent on asking whether a connection still works. One that the server closed is known to be closed,
    and is replaced before it is lent. One that fell silent, or leads to a server that is no primary any more, casts
    doubt on all others, and they are replaced as well.
    """

    def __init__(
        self,
        dsn: str,
        *,
        size: int,
        waits_s: float,
        connects_within_s: float = CONNECT_TIMEOUT_S,
        session: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._trusted_since = 0.0
        self._sessions: WeakSet[Session] = WeakSet()
        options: dict[str, Any] = {
            "async_creator_fn": PrimaryFinder().connect,
            "timeout": connects_within_s,
            "command_timeout": COMMAND_TIMEOUT_S,
            "server_settings": _SESSION | dict(session),
        }
        if "target_session_attrs" not in make_url(dsn).query:
            options["target_session_attrs"] = "primary"
        self.engine = create_async_engine(
            dsn,
            poolclass=WatchedPool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=waits_s,
            pool_recycle=RECYCLE_AFTER_S,
            hide_parameters=True,
            connect_args=options,
        )
        self._autocommit = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        event.listen(self.engine.sync_engine, "connect", self._remember)
        event.listen(self.engine.sync_engine, "checkout", self._replace_distrusted)

    @property
    def state(self) -> PoolState:
        """How many connections are lent, and how many are waited for."""
        pool = self.engine.pool
        assert isinstance(pool, WatchedPool)  # noqa: S101 - as it was made
        return pool.state

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection on which each statement is a transaction of its own."""
        async with self._autocommit.connect() as connection, self._watched(connection):
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection in a transaction, which is rolled back unless it was committed."""
        async with self.engine.connect() as connection, connection.begin(), self._watched(connection):
            yield connection

    def distrust(self) -> None:
        """Replace every connection that is there now before it is lent again."""
        now = time.monotonic()
        if now - self._trusted_since > DISTRUST_EVERY_S:
            self._trusted_since = now

    async def close(self) -> None:
        """Give every connection back, those to a black hole without a word."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.engine.dispose()
        for session in list(self._sessions):
            session.terminate()

    @asynccontextmanager
    async def _watched(self, connection: AsyncConnection) -> AsyncIterator[None]:
        try:
            yield
        except (TimeoutError, asyncio.CancelledError) as error:
            # What was asked last may still be under way: to roll back would mean to wait for it.
            await connection.invalidate()
            if isinstance(error, TimeoutError):
                self.distrust()
            raise
        except DBAPIError as error:
            if sqlstate_of(error) == READ_ONLY:
                self.distrust()
            raise

    def _remember(self, connection: Any, entry: ConnectionPoolEntry) -> None:  # noqa: ANN401 - SQLAlchemy names no type
        self._sessions.add(connection.driver_connection)
        entry.info[_IS_NEW] = True
        entry.info[_CONNECTED_AT] = time.monotonic()

    def _replace_distrusted(self, connection: Any, entry: ConnectionPoolEntry, _lent: object) -> None:  # noqa: ANN401
        # A new one that is closed already is lent as it is, and fails: there would be no end to replacing it.
        if entry.info.pop(_IS_NEW, False):
            return
        session: Session = connection.driver_connection
        if session.is_closed() or entry.info[_CONNECTED_AT] < self._trusted_since:
            session.terminate()
            raise DisconnectionError
