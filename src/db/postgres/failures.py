"""Which failures of PostgreSQL mean that it is not there, or can not now, and how much time is left to wait for it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from asyncpg.exceptions import (
    DataError,
    InterfaceError,
    InternalClientError,
    PostgresConnectionError,
    PostgresError,
    StatementCompletionUnknownError,
)

from core import deadline
from core.errors import DatabaseUnavailable, DeadlineExceeded, OutcomeUnknown, Unavailable
from db.postgres.pool import PoolClosed, PoolTimeout

# SQLSTATEs of a connection that broke, also while it was made, and of a server that is there but can not now:
# lock_timeout, statement_timeout, deadlock or serialization, shutting down or starting up, too many connections, out of
# memory or disk, idle in transaction, read-only after a failover, refusing this user, without this database.
_PASSING = ("08", "55P03", "57014", "40", "57P", "53", "25P03", "25006", "28", "3D")
REFUSALS = ("28", "3D")
CANCELLED = "57014"
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK = "40P01"

# What came instead of an answer: from these nobody learns what became of a statement that was sent.
_UNANSWERED = (OSError, PostgresConnectionError, StatementCompletionUnknownError, InternalClientError)


class Attempt:
    """What is tried in the database for a request.

    `is_sent` is set before what may be committed is sent: from then on, without an answer, the outcome is unknown.
    """

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self.is_sent = False

    @property
    def is_too_late(self) -> bool:
        """Whether the work was told to stop, though something on the way may have swallowed that."""
        return self._timeout.expired()


@asynccontextmanager
async def attempt() -> AsyncIterator[Attempt]:
    """Cancel the block at the deadline of the request, if it has one, and tell its failures as ours.

    Raises DatabaseUnavailable or DeadlineExceeded when nothing was done, and OutcomeUnknown.
    """
    timeout = asyncio.timeout_at(deadline.current())
    this = Attempt(timeout)
    try:
        with failures_told(this):
            async with timeout:
                yield this
    except Unavailable as error:
        if not timeout.expired():
            raise
        raise (OutcomeUnknown if this.is_sent else DeadlineExceeded)("the request had no time left") from error


@contextmanager
def failures_told(this: Attempt | None = None) -> Iterator[None]:
    """Tell the errors of a server that is not there, or can not now, from those of a wrong statement."""
    try:
        yield
    except DataError:  # a value that the driver can not send
        raise
    except (OSError, PoolTimeout, PoolClosed, InterfaceError, InternalClientError, PostgresError) as error:
        if isinstance(error, PostgresError) and not sqlstate_of(error).startswith(_PASSING):
            raise
        is_unknown = this is not None and this.is_sent and isinstance(error, _UNANSWERED)
        raise (OutcomeUnknown if is_unknown else DatabaseUnavailable)(_said(error)) from error


def sqlstate_of(error: BaseException | None) -> str:
    """Return the code of what the server said, which SQLAlchemy may have wrapped; empty if it said nothing."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""


def _said(error: Exception) -> str:
    """Return what was said in one line, which leaves out the values that a server's further lines may tell."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return str(error).strip().partition("\n")[0] or type(error).__name__
