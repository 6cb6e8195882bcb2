"""Pooled connections to the primary, and the errors after which every connection is replaced."""

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
# Slightly longer than the statement timeout of the server, so that it applies only when the server is unreachable.
COMMAND_TIMEOUT_S: Final = 6

_SESSION: Final = {
    "application_name": "tickets",
    "timezone": "UTC",
    "default_transaction_isolation": "read committed",
    "statement_timeout": "5s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
    # The server releases the locks of a client that is gone, also when the client did not close its connection.
    "client_connection_check_interval": "2s",
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15s",
    # Compiling a statement takes longer than executing any statement of the service.
    "jit": "off",
}
# The server does not respond, or is not the primary, or its tables changed since a statement was prepared.
_EXPIRES_ALL: Final = (TimeoutError, ReadOnlySQLTransactionError, InvalidCachedStatementError)


class Connections:
    """A pool of connections to the primary. It connects at the first use.

    Connections are not tested by a round trip before use. One that the server closed is detected without it, and is
    replaced. After a timeout, after a write to a server that is not the primary any more, and after a change of the
    tables, every connection is replaced, because the others probably have the same problem.
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
        """How many connections are in use, and how many callers wait for one."""
        return self._pool.state

    def add_statement_listener(self, listener: Callable[[LoggedQuery], None]) -> None:
        """Call `listener` after each statement from now on, in the context of the request that executed it."""
        self._listeners.append(listener)
        for session in self._pool.connections:
            session.add_query_logger(listener)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Session]:
        """Acquire a connection on which each statement is its own transaction."""
        session = await self._pool.acquire()
        try:
            yield session
        except Exception as error:
            if isinstance(error, TimeoutError):
                session.terminate()
            if isinstance(error, _EXPIRES_ALL):
                self.expire_all()
            raise
        except BaseException:
            # Cancelled: the last statement may still run, so no other caller may use the connection.
            session.terminate()
            raise
        finally:
            self._pool.release(session)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Acquire a connection and begin a transaction, which is rolled back unless the block commits it."""
        async with self.reading() as session:
            await session.begin()
            try:
                yield session
            except TimeoutError:  # a rollback would have to wait for the last statement
                raise
            except Exception:
                await session.rollback()
                raise
            await session.rollback()

    def expire_all(self) -> None:
        """Let every current connection be replaced before it is acquired again."""
        self._pool.expire_all()

    async def close(self) -> None:
        """Close every connection; takes bounded time also when the server does not respond."""
        await self._pool.close()

    async def _connect(self) -> Session:
        session = await self._finder.connect(**self._options)
        for listener in self._listeners:
            session.add_query_logger(listener)
        return session


def _options(dsn: str) -> dict[str, Any]:
    """Return the driver's options for a DSN of SQLAlchemy, postgresql+asyncpg://host/database."""
    options: dict[str, Any]
    _, options = PGDialect_asyncpg().create_connect_args(make_url(dsn))  # type: ignore[no-untyped-call]
    # SQLAlchemy has its own cache of prepared statements, and so its own name for the size of the cache.
    if "prepared_statement_cache_size" in options:
        options["statement_cache_size"] = options.pop("prepared_statement_cache_size")
    return {"target_session_attrs": "primary"} | options
