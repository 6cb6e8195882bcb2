"""The ticket cache: floor and lease, so that nothing is ever stored that was already overwritten.

A reader that misses takes the lease of the key, and may store what it loaded only while the lease is its own and the
version is not below the floor. A writer raises the floor before its commit and again after it, which drops body and
lease. Floor and lease live in one key (see `db.cache.scripts`), so they vanish together, and nothing is cross-slot.
The protocol is checked over every order of its steps in `tests/db/cache/cache_model.py`.

Redis is an accelerator: whatever it does, a read is answered from PostgreSQL and a write goes on.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from db.cache.counters import CacheCounters
from db.cache.pending_invalidations import PendingInvalidations
from db.cache.scripts import FILL, INVALIDATE, LEASE, RELEASE
from db.redis.guard import CacheUnavailable, GuardedRedis

READ_BUDGET_S: Final = 0.1
INVALIDATE_BUDGET_S: Final = 0.05
PROBE_BUDGET_S: Final = 0.5
WAIT_STEPS_S: Final = (0.025, 0.025)
LEASE_MS: Final = 5_000
FLOOR_MS: Final = 30_000
BODY_MS: Final = 60_000
# Lookups share a connection: a body of 13 MB, which 50 long comments make, held up all others of its node for 0.1 s.
MAX_BODY_BYTES: Final = 1024 * 1024

_log = logging.getLogger(__name__)


class CacheOutcome(StrEnum):
    """How a lookup was answered."""

    HIT = "hit"
    FILLED = "filled"
    NOT_FILLED = "not filled"
    SHARED = "shared"
    BYPASSED = "bypassed"


@dataclass(frozen=True, slots=True)
class Stored:
    """A serialized ticket and its version."""

    version: int
    body: bytes


@dataclass(frozen=True, slots=True)
class _Flight:
    """A load under way in this process, and the lease under which it may be stored."""

    lease: bytes
    landing: asyncio.Task[tuple[Stored, CacheOutcome]]


Load = Callable[[], Awaitable[Stored]]


class TicketCache:
    """Reads tickets through Redis, and keeps overwritten ones out of it.

    `schema` names the form of the bodies: those of another form, stored by a release that runs beside this one, are
    not read. `prefix` is put before every key.
    """

    def __init__(self, redis: GuardedRedis, *, schema: str, prefix: str = "") -> None:
        self._redis = redis
        self._schema = schema.encode()
        self._prefix = prefix
        self._flights: dict[int, _Flight] = {}
        self._owed = PendingInvalidations(self._deliver, lifetime_s=(BODY_MS + LEASE_MS) / 1000)
        self._counters = CacheCounters()

    @property
    def counters(self) -> CacheCounters:
        """What the cache did since it was made."""
        self._counters.breaker_openings = self._redis.breaker.openings
        return self._counters

    @property
    def pending_invalidations(self) -> int:
        """How many invalidations Redis has not taken yet."""
        return len(self._owed)

    @property
    def shards(self) -> list[str]:
        """The Redis nodes that serve keys, as far as is known, and those that do not answer."""
        return list({*self._redis.shards, *self.silent_shards})

    @property
    def silent_shards(self) -> list[str]:
        """The Redis nodes that did not answer lately and are left alone until they do."""
        return self._redis.breaker.open_shards

    async def read_through(self, ticket_id: int, load: Load) -> tuple[Stored, CacheOutcome]:
        """Return a ticket as it is stored, or as `load` brings it from PostgreSQL, storing it when that is allowed.

        Raises what `load` raises.
        """
        if ticket_id in self._owed:  # what Redis has of it may be overwritten
            return await self.read_past(load)
        try:
            return await self._read(ticket_id, load)
        except CacheUnavailable:
            return await self.read_past(load)

    async def read_past(self, load: Load) -> tuple[Stored, CacheOutcome]:
        """Return what `load` brings, without asking or telling Redis. Raises what `load` raises."""
        self._counters.bypasses += 1
        return await load(), CacheOutcome.BYPASSED

    async def invalidate(self, ticket_id: int, version: int) -> None:
        """Let nothing below `version` be stored or stay stored. What Redis does not take now is made up for later."""
        try:
            await self._put_floor(ticket_id, version)
        except CacheUnavailable:
            self._counters.failed_invalidations += 1
            self._owed.add(ticket_id, version)
        except asyncio.CancelledError:  # nobody waits for it any more, yet it must be made
            self._owed.add(ticket_id, version)
            raise
        else:
            self._owed.settle(ticket_id, version)

    async def warm_up(self) -> None:
        """Connect, so that the first reads need not; without Redis, leave that to later."""
        try:
            await self._redis.warm_up()
        except CacheUnavailable as error:
            _log.warning("serving without the cache for now: %s", error)

    async def count_silent_nodes(self) -> tuple[int, int]:
        """Return how many of the nodes that serve keys do not answer now, and how many nodes those are."""
        return await self._redis.count_silent(budget_s=PROBE_BUDGET_S)

    async def close(self) -> None:
        """Let the loads under way end, and give every connection back."""
        await asyncio.gather(*(flight.landing for flight in self._flights.values()), return_exceptions=True)
        await self._owed.close()
        await self._redis.close()

    def _key(self, ticket_id: int) -> str:
        return f"{self._prefix}ticket:{{{ticket_id}}}"

    async def _read(self, ticket_id: int, load: Load) -> tuple[Stored, CacheOutcome]:
        """Hit, or take the lease and lead a load, or join the one that has it, or load without storing."""
        key = self._key(ticket_id)
        version, body, schema, holder = await self._redis.read(key, "v", "b", "s", "l", budget_s=READ_BUDGET_S)
        if version is not None and body is not None and schema == self._schema:
            return self._hit(version, body)
        wanted, has_waited = secrets.token_hex(8), False
        for pause_s in (*WAIT_STEPS_S, None):
            # Only a load under the very lease that Redis names: any invalidation since would have dropped that lease.
            flight = self._flights.get(ticket_id)
            if flight is not None and flight.lease == holder:
                return await self._join(flight, int(version or 0), load)
            answer, version, *rest = await self._redis.run(
                LEASE, key, self._schema, wanted, LEASE_MS, budget_s=READ_BUDGET_S
            )
            if answer == b"hit":
                return self._hit(version, *rest)
            if answer == b"lease":
                return await self._lead(ticket_id, wanted, load)
            (holder,) = rest
            self._counters.waits += not has_waited
            has_waited = True
            if pause_s is not None:
                await asyncio.sleep(pause_s)
        return await load(), CacheOutcome.NOT_FILLED

    def _hit(self, version: bytes, body: bytes) -> tuple[Stored, CacheOutcome]:
        self._counters.hits += 1
        return Stored(int(version), body), CacheOutcome.HIT

    async def _lead(self, ticket_id: int, lease: str, load: Load) -> tuple[Stored, CacheOutcome]:
        """Load in a task of its own: those who join must not lose it when the request that began it is cancelled."""
        landing = asyncio.create_task(self._load_and_fill(self._key(ticket_id), lease, load))
        flight = _Flight(lease.encode(), landing)
        self._flights[ticket_id] = flight

        def land(landed: asyncio.Task[tuple[Stored, CacheOutcome]]) -> None:
            if self._flights.get(ticket_id) is flight:
                del self._flights[ticket_id]
            if not landed.cancelled():
                landed.exception()  # seen, even if nobody waits for it any more

        landing.add_done_callback(land)
        return await asyncio.shield(landing)

    async def _join(self, flight: _Flight, floor: int, load: Load) -> tuple[Stored, CacheOutcome]:
        """Share another request's load if it is new enough; its failures are not shared, they may have passed."""
        await asyncio.wait([flight.landing])
        if not flight.landing.cancelled() and flight.landing.exception() is None:
            loaded, _ = flight.landing.result()
            if loaded.version >= floor:
                self._counters.shared += 1
                return loaded, CacheOutcome.SHARED
        return await load(), CacheOutcome.NOT_FILLED

    async def _load_and_fill(self, key: str, lease: str, load: Load) -> tuple[Stored, CacheOutcome]:
        try:
            loaded = await load()
        except BaseException:
            await self._release(key, lease)
            raise
        if len(loaded.body) > MAX_BODY_BYTES:
            await self._release(key, lease)
            return loaded, CacheOutcome.NOT_FILLED
        ttl_ms = random.randint(BODY_MS * 9 // 10, BODY_MS)  # noqa: S311 - spreads expiry, guards nothing
        fill = (self._schema, lease, loaded.version, loaded.body, ttl_ms)
        try:
            is_stored = await self._redis.run(FILL, key, *fill, budget_s=READ_BUDGET_S)
        except CacheUnavailable:
            self._counters.failed_fills += 1
            return loaded, CacheOutcome.NOT_FILLED
        if not is_stored:
            self._counters.refused_fills += 1
            return loaded, CacheOutcome.NOT_FILLED
        self._counters.fills += 1
        return loaded, CacheOutcome.FILLED

    async def _release(self, key: str, lease: str) -> None:
        # A lease that can not be given back ends by itself.
        with contextlib.suppress(CacheUnavailable):
            await self._redis.run(RELEASE, key, lease, budget_s=READ_BUDGET_S)

    async def _put_floor(self, ticket_id: int, version: int) -> None:
        """Drop what is below `version` and keep it out. Raises CacheUnavailable."""
        await self._redis.run(INVALIDATE, self._key(ticket_id), version, FLOOR_MS, budget_s=INVALIDATE_BUDGET_S)

    async def _deliver(self, ticket_id: int, version: int) -> bool:
        try:
            await self._put_floor(ticket_id, version)
        except CacheUnavailable:
            return False
        self._counters.late_invalidations += 1
        return True
