"""Lookups of API keys in PostgreSQL, batched: keys that arrive during a query share the next one."""

import asyncio
from contextvars import Context

from core import deadline
from core.errors import DeadlineExceeded
from services.access.api_keys import ApiKeyRecord, ApiKeys


class KeyLookups:
    """Runs one query at a time, whatever the number of keys, so that a lookup waits for two queries at most."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys
        self._waiting: dict[str, asyncio.Future[ApiKeyRecord | None]] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """The number of keys that wait for the next query."""
        return len(self._waiting)

    async def find(self, key_id: str) -> ApiKeyRecord | None:
        """Return the record of a key as of now or later; None if there is none.

        Raises DatabaseUnavailable, DeadlineExceeded.
        """
        result = self._waiting.get(key_id)
        if result is None:
            result = self._waiting[key_id] = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            # An empty context: the query serves several requests and must not end at the deadline of one of them.
            self._task = asyncio.create_task(self._run(), context=Context())
        try:
            async with asyncio.timeout_at(deadline.current()):
                return await asyncio.shield(result)
        except TimeoutError:
            raise DeadlineExceeded("the request waited for the lookup of its API key") from None

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            try:
                found = await self._keys.find_all(list(batch))
            except Exception as error:  # noqa: BLE001 - raised to each request that waits
                for result in batch.values():
                    result.set_exception(error)
                    result.exception()  # the request may be gone, and asyncio would log the error as not retrieved
            else:
                for key_id, result in batch.items():
                    result.set_result(found.get(key_id))
