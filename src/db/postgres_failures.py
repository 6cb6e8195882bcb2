"""Which failures of PostgreSQL mean that it is not there, or can not now, and how much time is left to wait for it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from asyncpg.exceptions import InternalClientError, PostgresError
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core import deadline
from core.errors import DeadlineExceeded, Unavailable

# SQLSTATEs of a connection that broke, also while it was made, and of a server that is there but can not now:
# lock_timeout, statement_timeout, deadlock or serialization, shutting down or starting up, too many connections, out of
# memory or disk, idle in transaction, read-only after a failover, refusing this user, without this database.
_PASSING = ("08", "55P03", "57014", "40", "57P", "53", "25P03", "25006", "28", "3D")
REFUSALS = ("28", "3D")
CANCELLED = "57014"
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK = "40P01"
READ_ONLY = "25006"


@contextmanager
def failures_as(unavailable: type[Unavailable]) -> Iterator[None]:
    """Tell the errors of a server that is not there, or can not now, from those of a wrong statement."""
    try:
        yield
    except (OSError, PoolTimeout, OperationalError, InterfaceError) as error:
        raise unavailable(_said(error)) from error
    except DBAPIError as error:
        # An InternalError without a code is the driver's own: among others, no host is the primary.
        is_drivers = isinstance(error, InternalError) and not sqlstate_of(error)
        if error.connection_invalidated or is_drivers or sqlstate_of(error).startswith(_PASSING):
            raise unavailable(_said(error)) from error
        raise
    except (PostgresError, InternalClientError) as error:  # from connecting, which SQLAlchemy leaves as it is
        raise unavailable(_said(error)) from error


class TimeLeft:
    """The time that the request at hand has left; `expires_as` is what its end means just now."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self.expires_as: type[Unavailable] = DeadlineExceeded

    @property
    def is_over(self) -> bool:
        """Whether the work was told to stop, though something on the way may have swallowed that."""
        return self._timeout.expired()


@asynccontextmanager
async def in_time() -> AsyncIterator[TimeLeft]:
    """Cancel the block at the deadline of the request, if it has one, and raise what that means then."""
    timeout = asyncio.timeout_at(deadline.current())
    left = TimeLeft(timeout)
    try:
        async with timeout:
            yield left
    except (TimeoutError, Unavailable) as error:
        if not timeout.expired():
            raise
        raise left.expires_as("the request had no time left") from error


def sqlstate_of(error: BaseException | None) -> str:
    """Return the code of what the server said, which SQLAlchemy may have wrapped; empty if it said nothing."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) or ""


def _said(error: Exception) -> str:
    """Return what the driver said, in one line and without SQLAlchemy's advice or the statement's parameters."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, TimeoutError) and not str(cause):
        return "no answer in time"
    first_line = str(cause).strip().partition("\n")[0]
    return first_line.rpartition(">: ")[2] or type(cause).__name__
