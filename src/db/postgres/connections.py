"""Connections to whichever server is the primary, and when a connection is not to be trusted any more."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, Final

from asyncpg.connection import LoggedQuery
from asyncpg.exceptions import InvalidCachedStatementError, ReadOnlySQLTransactionError
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from db.postgres.pool import Pool, PoolState
from db.postgres.primary import PrimaryFinder
from db.postgres.session import Session

CONNECT_TIMEOUT_S: Final = 3
# The client gives up a little after the server should have: it only fires when the server is a black hole.
COMMAND_TIMEOUT_S: Final = 6

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
# It fell silent; it leads to no primary; it remembers the tables as they were before a migration.
_DOUBTFUL: Final = (TimeoutError, ReadOnlySQLTransactionError, InvalidCachedStatementError)


class Connections:
    """Lends connections; nothing is connected before the first use.

    No round trip is spent on asking whether a connection still works. One that the server closed is known to be closed,
    and is replaced before it is lent. One that fell silent, leads to a server that is no primary any more, or remembers
    tables as they were casts doubt on all others, and they are replaced as well.
    """

    def __init__(
        self,
        dsn: str,
        *,
        size: int,
        acquire_timeout_s: float,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        session: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._options = _options(dsn) | {
            "timeout": connect_timeout_s,
            "command_timeout": COMMAND_TIMEOUT_S,
            "server_settings": _SESSION | dict(session),
        }
        self._finder = PrimaryFinder()
        self._listeners: list[Callable[[LoggedQuery], None]] = []
        self._pool = Pool(self._connect, size=size, acquire_timeout_s=acquire_timeout_s)

    @property
    def state(self) -> PoolState:
        """How many connections are lent, and how many are waited for."""
        return self._pool.state

    def listen(self, listener: Callable[[LoggedQuery], None]) -> None:
        """Tell `listener` of each statement that is carried out from now on, just after it was, in its context."""
        self._listeners.append(listener)
        for session in self._pool.sessions:
            session.add_query_logger(listener)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """Lend a connection on which each statement is a transaction of its own."""
        session = await self._pool.acquire()
        try:
            yield session
        except Exception as error:
            if isinstance(error, TimeoutError):
                session.terminate()
            if isinstance(error, _DOUBTFUL):
                self.expire_all()
            raise
        except BaseException:
            # What was asked last may still be under way, and nobody may wait for it any more.
            session.terminate()
            raise
        finally:
            self._pool.release(session)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Lend a connection in a transaction, which is rolled back unless it was committed."""
        async with self.reading() as session:
            await session.begin()
            try:
                yield session
            except TimeoutError:  # to roll back would mean to wait for what was asked last
                raise
            except Exception:
                await session.rollback()
                raise
            await session.rollback()

    def expire_all(self) -> None:
        """Replace every connection that is there now before it is lent again."""
        self._pool.expire_all()

    async def close(self) -> None:
        """Give every connection back, those to a black hole without a word."""
        await self._pool.close()

    async def _connect(self) -> Session:
        session = await self._finder.connect(**self._options)
        for listener in self._listeners:
            session.add_query_logger(listener)
        return session


def _options(dsn: str) -> dict[str, Any]:
    """Return the driver's options for an address that SQLAlchemy takes, postgresql+asyncpg://host/database."""
    options: dict[str, Any]
    _, options = PGDialect_asyncpg().create_connect_args(make_url(dsn))  # type: ignore[no-untyped-call]
    # SQLAlchemy keeps the prepared statements itself, and so has a name of its own for how many.
    if "prepared_statement_cache_size" in options:
        options["statement_cache_size"] = options.pop("prepared_statement_cache_size")
    return {"target_session_attrs": "primary"} | options
