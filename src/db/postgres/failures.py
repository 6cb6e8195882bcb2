"""Translates errors of PostgreSQL and missed deadlines to the errors of the service."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from asyncpg.exceptions import (
    DataError,
    InterfaceError,
    InternalClientError,
    PostgresConnectionError,
    PostgresError,
    StatementCompletionUnknownError,
    UniqueViolationError,
)

from core import deadline
from core.errors import DatabaseUnavailable, DeadlineExceeded, OutcomeUnknown, Unavailable
from db.postgres.pool import PoolClosed, PoolTimeout

# SQLSTATEs that mean "unavailable", not "wrong statement": connection failure, lock_timeout, statement_timeout,
# deadlock or serialization failure, server shutting down or starting up, too many connections or out of memory or disk,
# idle in transaction, read-only after a failover, user rejected, database missing.
_UNAVAILABLE = ("08", "55P03", "57014", "40", "57P", "53", "25P03", "25006", "28", "3D")
REJECTIONS = ("28", "3D")
CANCELLED = "57014"
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK = "40P01"

# Errors without a response of the server: the outcome of a statement that was sent is unknown.
_NO_RESPONSE = (OSError, PostgresConnectionError, StatementCompletionUnknownError, InternalClientError)


class Attempt:
    """One use of the database by a request.

    `is_sent` is set before a statement is sent that may commit: from then on, a missing response means that the outcome
    is unknown.
    """

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self.is_sent = False

    @property
    def is_too_late(self) -> bool:
        """Whether the deadline has passed, also if code in the block swallowed the cancellation."""
        return self._timeout.expired()


@asynccontextmanager
async def attempt() -> AsyncIterator[Attempt]:
    """Cancel the block at the deadline of the request, if it has one, and translate its failures.

    Raises DatabaseUnavailable or DeadlineExceeded when nothing was committed, and OutcomeUnknown.
    """
    timeout = asyncio.timeout_at(deadline.current())
    current = Attempt(timeout)
    try:
        with failures_translated(current):
            async with timeout:
                yield current
    except Unavailable as error:
        if not timeout.expired():
            raise
        raise (OutcomeUnknown if current.is_sent else DeadlineExceeded)("the request had no time left") from error


@contextmanager
def failures_translated(current: Attempt | None = None) -> Iterator[None]:
    """Raise DatabaseUnavailable or OutcomeUnknown if the server is unavailable; leave errors of a wrong statement."""
    try:
        yield
    except DataError:  # a value that the driver cannot encode
        raise
    except (OSError, PoolTimeout, PoolClosed, InterfaceError, InternalClientError, PostgresError) as error:
        if isinstance(error, PostgresError) and not sqlstate_of(error).startswith(_UNAVAILABLE):
            raise
        is_unknown = current is not None and current.is_sent and isinstance(error, _NO_RESPONSE)
        raise (OutcomeUnknown if is_unknown else DatabaseUnavailable)(_message_of(error)) from error


@contextmanager
def raised_for_duplicates(constraint: str, error: Callable[[], Exception]) -> Iterator[None]:
    """Raise what `error` returns if a statement of the block violates a unique constraint or index of this name."""
    try:
        yield
    except UniqueViolationError as violation:
        if violation.constraint_name != constraint:
            raise
        raise error() from violation


def sqlstate_of(error: BaseException | None) -> str:
    """Return the SQLSTATE of an error, also if SQLAlchemy wrapped it; empty if it has none."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""


def _message_of(error: Exception) -> str:
    """Return the first line of the message; further lines of the server may contain values."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no response in time"
    return str(error).strip().partition("\n")[0] or type(error).__name__
