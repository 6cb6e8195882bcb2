"""Definitions that are kept in memory, because every new ticket and every change is checked with them."""

import asyncio
import time
from abc import ABC, abstractmethod
from contextvars import Context
from typing import ClassVar, Final, Generic, TypeVar

from core import deadline
from core.errors import DeadlineExceeded
from db.postgres.database import Database
from db.postgres.session import Session

# A change of a definition by another process takes effect in this one after this time.
FRESH_FOR_S: Final = 2

T = TypeVar("T")


class CachedDefinitions(ABC, Generic[T]):
    """Returns the current definitions, at most two seconds old. A subclass reads them; `what` names them in errors."""

    what: ClassVar[str]

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: T | None = None
        self._loaded_at = float("-inf")
        self._loading: asyncio.Task[T] | None = None

    async def current(self) -> T:
        """Return the definitions. Requests that arrive during a query share its result, and its failure.

        Raises DatabaseUnavailable, DeadlineExceeded.
        """
        if self._known is not None and time.monotonic() - self._loaded_at < FRESH_FOR_S:
            return self._known
        if self._loading is None or self._loading.done():
            # An empty context: the query serves several requests and must not end at the deadline of one of them.
            self._loading = asyncio.create_task(self._load(), context=Context())
            self._loading.add_done_callback(_mark_retrieved)
        try:
            async with asyncio.timeout_at(deadline.current()):
                return await asyncio.shield(self._loading)
        except TimeoutError:
            raise DeadlineExceeded(f"the request waited for the definitions of {self.what}") from None

    def forget(self) -> None:
        """Read the definitions again at the next use; a query that runs already may not see the change."""
        self._loaded_at = float("-inf")
        self._loading = None

    @abstractmethod
    async def read(self, connection: Session) -> T:
        """Return the definitions that are stored now."""

    async def _load(self) -> T:
        began_at = time.monotonic()
        # Not from the main pool: while that is exhausted, each request is refused by its own work, not by this query.
        async with self._database.control() as connection:
            found = await self.read(connection)
        if self._loading is asyncio.current_task():
            self._known, self._loaded_at = found, began_at
        return found


def _mark_retrieved(task: asyncio.Task[T]) -> None:
    """Keep asyncio from logging an error that no request waits for any more."""
    if not task.cancelled():
        task.exception()
