"""The ticket cache. It never serves a body that was overwritten before the read began.

The problem: a reader loads version 7, a writer commits version 8 and deletes the cached key, and then the reader stores
version 7. Every later reader would get the old version. The protocol has five terms:

- lease: a reader that finds no body takes the lease of the key. Only one reader has it at a time, for at most 5 s.
- fill: a reader stores the body that it loaded. This is refused unless the reader still has the lease and the version
  of the body is not below the floor.
- floor: the lowest version that may be stored. It stays in the key for 30 s after the last invalidation.
- invalidate: a writer raises the floor to its new version, which drops an older body and the lease. It does so before
  its commit, so that no reader can store a version that is about to become old, and again after it, in case the key was
  evicted or expired in between.
- fence: a body is served only while the fence of its group has the epoch under which the body's lease was taken. A
  writer whose invalidation does not arrive lets the fence expire before it is acknowledged (see `db.cache.fence`).

Floor, lease and body are in one key (see `db.cache.scripts`): they vanish together, and share a slot with the fence.
`tests/db/cache/cache_model.py` checks the protocol over every order of its steps, and shows why each part is needed.

Redis is an accelerator: when it fails, reads load from PostgreSQL and writes continue.
"""

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from core.errors import Unavailable
from db.cache.counters import CacheCounters
from db.cache.fence import fence_key, group_of, ticket_key
from db.cache.scripts import FILL, INVALIDATE, INVALIDATE_BEFORE, LEASE, RELEASE, Script
from db.cache.shared_bodies import SharedBodies
from db.cache.stored import BODY_FIELDS, CacheOutcome, Stored, stored_in
from db.redis.guard import CacheUnavailable, GuardedRedis
from models import FENCE_GROUPS, Audience

READ_TIMEOUT_S: Final = 0.1
INVALIDATE_TIMEOUT_S: Final = 0.05
PROBE_TIMEOUT_S: Final = 0.5
LEASE_WAITS_S: Final = (0.025, 0.025)
LEASE_MS: Final = 5_000
FLOOR_MS: Final = 30_000
BODY_MS: Final = 60_000
# While PostgreSQL is unavailable, a lookup with a stored body tries to load at most this often.
RETRY_LOAD_AFTER_S: Final = 1
# Lookups share a connection, on which a body of 13 MB delayed all others of its node by 0.1 s.
MAX_BODY_BYTES: Final = 1024 * 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _SharedLoad:
    """A load that is in progress in this process, the lease that allows it to fill the cache, and the epoch with it."""

    lease: bytes
    epoch: bytes
    task: asyncio.Task[tuple[Stored, CacheOutcome]]


Load = Callable[[], Awaitable[Stored]]


class TicketCache:
    """Reads tickets through Redis, and invalidates them when they change.

    `schema` identifies the format of the bodies: a body that another release stored in another format counts as
    missing. `prefix` is prepended to every key. With `stale_if_error`, a lookup returns the stored body when there is
    no fence and PostgreSQL is unavailable: this process cannot know then whether another one still commits.
    """

    def __init__(self, redis: GuardedRedis, *, schema: str, prefix: str = "", stale_if_error: bool = True) -> None:
        self._redis = redis
        self._schema = schema.encode()
        self._prefix = prefix
        self._fences = [fence_key(prefix, group) for group in range(FENCE_GROUPS)]
        self._loads: dict[int, _SharedLoad] = {}
        self._stale_if_error = stale_if_error
        self._load_failed_at = float("-inf")
        self._counters = CacheCounters()
        self._bodies = SharedBodies()

    @property
    def counters(self) -> CacheCounters:
        """What the cache did since the start of the process."""
        self._counters.breaker_openings = self._redis.breaker.openings
        return self._counters

    @property
    def shards(self) -> list[str]:
        """The known Redis nodes that serve keys, and the unresponsive ones."""
        return list({*self._redis.shards, *self.unresponsive_shards})

    @property
    def unresponsive_shards(self) -> list[str]:
        """The Redis nodes whose circuit breaker is open."""
        return self._redis.breaker.open_shards

    async def read_through(
        self, ticket_id: int, load: Load, audience: Audience = Audience.INTERNAL
    ) -> tuple[Stored, CacheOutcome]:
        """Return the cached ticket; otherwise return what `load` reads from PostgreSQL, and fill the cache if allowed.

        `load` reads the bodies of both audiences, which are stored and dropped together: `internal` is the body for
        agents. Raises what `load` raises.
        """
        try:
            return await self._read(ticket_id, load, audience)
        except CacheUnavailable:
            return await self.read_uncached(load)

    async def read_uncached(self, load: Load) -> tuple[Stored, CacheOutcome]:
        """Return what `load` reads, without using Redis. Raises what `load` raises."""
        self._counters.bypasses += 1
        return await load(), CacheOutcome.BYPASSED

    async def invalidate_before(self, ticket_id: int, version: int) -> bool:
        """Raise the floor of a ticket to a version, and drop every body and the lease; return whether Redis took it.

        For the first invalidation of a version: a body of the same version may be one of a commit that was lost.
        """
        return await self._invalidate(INVALIDATE_BEFORE, ticket_id, version)

    async def invalidate(self, ticket_id: int, version: int) -> bool:
        """Raise the floor of a ticket to a committed version, which drops an older body and the lease.

        Return whether Redis took it. If it did not, the writer must not be acknowledged before the fence has expired.
        """
        return await self._invalidate(INVALIDATE, ticket_id, version)

    async def warm_up(self) -> None:
        """Connect to Redis, so that the first reads need not. If Redis does not respond, later reads connect."""
        try:
            await self._redis.warm_up()
        except CacheUnavailable as error:
            _log.warning("starting without the cache, because Redis does not respond: %s", error)

    async def count_unresponsive_nodes(self) -> tuple[int, int]:
        """Return how many of the nodes that serve keys do not respond now, and how many nodes serve keys."""
        return await self._redis.count_unresponsive(timeout_s=PROBE_TIMEOUT_S)

    async def close(self) -> None:
        """Wait for the loads in progress, and close every connection."""
        await asyncio.gather(*(load.task for load in self._loads.values()), return_exceptions=True)
        await self._redis.close()

    async def _read(self, ticket_id: int, load: Load, audience: Audience) -> tuple[Stored, CacheOutcome]:
        """Return the cached body if its fence stands; otherwise load the ticket."""
        field = BODY_FIELDS[audience]
        key, fence = ticket_key(self._prefix, ticket_id), self._fences[group_of(ticket_id)]
        # The hash first, then the fence: a body whose fence stands after it was read was not overwritten before.
        (version, body, schema, holder, body_epoch), epoch = await self._redis.read_with(
            key, "v", field, "s", "l", "e", other=fence, timeout_s=READ_TIMEOUT_S
        )
        stored = None
        if version is not None and body is not None and schema == self._schema:
            if epoch is not None and epoch == body_epoch:
                return self._hit(field, version, body)
            stored = stored_in(field, version, body)
        if epoch is not None:
            return await self._load_through((key, fence, field), ticket_id, int(version or 0), holder, epoch, load)
        if stored is None or not self._stale_if_error:
            return await load(), CacheOutcome.NOT_FILLED
        return await self._load_or_stale(stored, load)

    async def _load_or_stale(self, stored: Stored, load: Load) -> tuple[Stored, CacheOutcome]:
        """Return what `load` reads or, while PostgreSQL is unavailable, the stored body (stale-if-error, RFC 5861)."""
        now = time.monotonic()
        if now - self._load_failed_at > RETRY_LOAD_AFTER_S:
            try:
                return await load(), CacheOutcome.NOT_FILLED
            except Unavailable:
                self._load_failed_at = time.monotonic()
        self._counters.stale_if_error += 1
        return stored, CacheOutcome.STALE_IF_ERROR

    async def _load_through(
        self,
        keys: tuple[str, str, str],
        ticket_id: int,
        floor: int,
        holder: bytes | None,
        epoch: bytes,
        load: Load,
    ) -> tuple[Stored, CacheOutcome]:
        """Take the lease and load, or join the load that has it, or load without a fill.

        `keys` are the ticket's, its fence's, and the field of the body in the ticket's.
        """
        *scripted, field = keys
        lease, has_waited = secrets.token_hex(8), False
        for pause_s in (*LEASE_WAITS_S, None):
            # Join only the load whose lease is in Redis now, and only while the fence of that lease stands: an
            # invalidation since its start would have dropped the lease, and one that did not arrive the fence.
            shared = self._loads.get(ticket_id)
            if shared is not None and (shared.lease, shared.epoch) == (holder, epoch):
                return await self._join(shared, floor, load)
            result, version, *rest = await self._redis.run(
                LEASE, tuple(scripted), self._schema, lease, LEASE_MS, field, timeout_s=READ_TIMEOUT_S
            )
            if result == b"hit":
                return self._hit(field, version, *rest)
            if result == b"lease":
                return await self._lead(ticket_id, lease, rest[0], load)
            if result == b"unfenced":
                break
            floor, (holder, epoch) = int(version or 0), rest
            self._counters.waits += not has_waited
            has_waited = True
            if pause_s is not None:
                await asyncio.sleep(pause_s)
        return await load(), CacheOutcome.NOT_FILLED

    def _hit(self, field: str, version: bytes, body: bytes) -> tuple[Stored, CacheOutcome]:
        self._counters.hits += 1
        return stored_in(field, version, self._bodies.shared(version, body)), CacheOutcome.HIT

    async def _lead(self, ticket_id: int, lease: str, epoch: bytes, load: Load) -> tuple[Stored, CacheOutcome]:
        """Load in a separate task, so that the readers that join it keep it when the first request is cancelled."""
        key = ticket_key(self._prefix, ticket_id)
        task = asyncio.create_task(self._load_and_fill(key, lease, epoch, load))
        shared = _SharedLoad(lease.encode(), epoch, task)
        self._loads[ticket_id] = shared

        def remove(ended: asyncio.Task[tuple[Stored, CacheOutcome]]) -> None:
            if self._loads.get(ticket_id) is shared:
                del self._loads[ticket_id]
            if not ended.cancelled():
                ended.exception()  # marks the exception as retrieved, also when every request was cancelled

        task.add_done_callback(remove)
        return await asyncio.shield(task)

    async def _join(self, shared: _SharedLoad, floor: int, load: Load) -> tuple[Stored, CacheOutcome]:
        """Return the result of another request's load if its version is not below `floor`; otherwise load again.

        A failure is not shared: its cause may be gone by now.
        """
        await asyncio.wait([shared.task])
        if not shared.task.cancelled() and shared.task.exception() is None:
            loaded, _ = shared.task.result()
            if loaded.version >= floor:
                self._counters.shared += 1
                return loaded, CacheOutcome.SHARED
        return await load(), CacheOutcome.NOT_FILLED

    async def _load_and_fill(self, key: str, lease: str, epoch: bytes, load: Load) -> tuple[Stored, CacheOutcome]:
        try:
            loaded = await load()
        except BaseException:
            await self._release(key, lease)
            raise
        if len(loaded.body) + len(loaded.public_body) > MAX_BODY_BYTES:
            await self._release(key, lease)
            return loaded, CacheOutcome.NOT_FILLED
        ttl_ms = random.randint(BODY_MS * 9 // 10, BODY_MS)  # noqa: S311 - spreads the expiry times; no secret
        fill = (self._schema, lease, loaded.version, loaded.body, loaded.public_body, epoch, ttl_ms)
        try:
            is_stored = await self._redis.run(FILL, key, *fill, timeout_s=READ_TIMEOUT_S)
        except CacheUnavailable:
            self._counters.failed_fills += 1
            return loaded, CacheOutcome.NOT_FILLED
        if not is_stored:
            self._counters.refused_fills += 1
            return loaded, CacheOutcome.NOT_FILLED
        self._counters.fills += 1
        return loaded, CacheOutcome.FILLED

    async def _release(self, key: str, lease: str) -> None:
        # A lease that is not released ends after LEASE_MS.
        with contextlib.suppress(CacheUnavailable):
            await self._redis.run(RELEASE, key, lease, timeout_s=READ_TIMEOUT_S)

    async def _invalidate(self, script: Script, ticket_id: int, version: int) -> bool:
        key = ticket_key(self._prefix, ticket_id)
        try:
            await self._redis.run(script, key, version, FLOOR_MS, timeout_s=INVALIDATE_TIMEOUT_S)
        except CacheUnavailable:
            self._counters.failed_invalidations += 1
            return False
        return True
