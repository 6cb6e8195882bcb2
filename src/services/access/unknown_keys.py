"""Lookups of API keys that are not in the cache: new keys of clients, or keys that an attacker invented."""

import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from core.errors import Overloaded
from services.access.api_keys import ApiKeyRecord, ApiKeys
from services.batched_lookups import BatchedLookups

# One query for so many ids takes about a millisecond.
MAX_WAITING: Final = 500
# An unknown key that is sent again causes no query for this time. A key with the same id, created meanwhile, is refused
# for no longer than this.
MISSING_FOR_S: Final = 2
MAX_MISSING: Final = 10_000


class UnknownKeys:
    """Limits the cost of unknown keys: one query at a time, a limited queue, and a cache of missing ids.

    `len()` is the size of that cache.
    """

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys
        self._lookups = BatchedLookups(self._find_all)
        # The times at which the entries expire, by the monotonic clock; the oldest entry is the first.
        self._missing: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._missing)

    async def find(self, key_id: str) -> ApiKeyRecord | None:
        """Return the record of a key; None if there was none within the last `MISSING_FOR_S` seconds.

        Raises Overloaded, DatabaseUnavailable, DeadlineExceeded.
        """
        now = time.monotonic()
        if self._missing.get(key_id, now) > now:
            return None
        if self._lookups.waiting >= MAX_WAITING:
            raise Overloaded("too many unknown API keys wait to be looked up")
        record = await self._lookups.find(key_id)
        if record is None:
            self._remember_missing(key_id, now + MISSING_FOR_S)
        return record

    async def _find_all(self, key_ids: Sequence[str]) -> dict[str, ApiKeyRecord]:
        return await self._keys.find_all(key_ids)

    def _remember_missing(self, key_id: str, expires_at: float) -> None:
        self._missing.pop(key_id, None)
        self._missing[key_id] = expires_at
        now = time.monotonic()
        while len(self._missing) > MAX_MISSING or next(iter(self._missing.values()), math.inf) <= now:
            self._missing.popitem(last=False)
