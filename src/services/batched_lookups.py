"""Lookups in PostgreSQL, batched: those that arrive during a query share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from core import deadline
from core.errors import DeadlineExceeded

K = TypeVar("K")
V = TypeVar("V")


class BatchedLookups(Generic[K, V]):
    """Runs one query at a time, whatever the number of lookups, so that each waits for two queries at most.

    `find_all` returns the values that exist of some keys, by key.
    """

    def __init__(self, find_all: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._find_all = find_all
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """The number of lookups that wait for the next query."""
        return len(self._waiting)

    async def find(self, key: K) -> V | None:
        """Return the value of a key as of now or later; None without one.

        Raises the errors of `find_all`, and DeadlineExceeded.
        """
        result = self._waiting.get(key)
        if result is None:
            result = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            # An empty context: the query serves several requests and must not end at the deadline of one of them.
            self._task = asyncio.create_task(self._run(), context=Context())
        try:
            async with asyncio.timeout_at(deadline.current()):
                return await asyncio.shield(result)
        except TimeoutError:
            raise DeadlineExceeded("the request waited for the lookup of its credentials") from None

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            try:
                found = await self._find_all(list(batch))
            except Exception as error:  # noqa: BLE001 - raised to each request that waits
                for result in batch.values():
                    result.set_exception(error)
                    result.exception()  # the request may be gone, and asyncio would log the error as not retrieved
            else:
                for key, result in batch.items():
                    result.set_result(found.get(key))
