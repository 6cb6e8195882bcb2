"""The ticket cache: floor and lease, one hash a ticket, nothing ever stored that was already overwritten.

`ticket:{<id>}` holds `v` the version of the body, or without a body the floor below which nothing may be stored ·
`b` the body · `l` the lease · `x` when the lease ends, in milliseconds of the server's clock. A reader that misses
takes the lease, and may store what it loaded only while the lease is its own and the version is not below the floor.
A writer raises the floor before its commit and again after it, which drops body and lease.

Redis is an accelerator: whatever it does, a read is answered from PostgreSQL and a write goes on.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from db.cache_scripts import FILL, INVALIDATE, LEASE, Script

WARM_UP_BUDGET_S: Final = 2
READ_BUDGET_S: Final = 0.1
INVALIDATE_BUDGET_S: Final = 0.05
WAIT_STEPS_S: Final = (0.025, 0.025)
LEASE_MS: Final = 5_000
FLOOR_MS: Final = 30_000
BODY_MS: Final = 60_000

_log = logging.getLogger(__name__)


class CacheUnavailable(Exception):
    """Redis did not answer in time, or not as it should."""


class CacheOutcome(StrEnum):
    """How a lookup was answered."""

    HIT = "hit"
    FILLED = "filled"
    NOT_FILLED = "not filled"
    BYPASSED = "bypassed"


@dataclass(frozen=True, slots=True)
class Stored:
    """A serialized ticket and its version."""

    version: int
    body: bytes


Load = Callable[[], Awaitable[Stored]]


class TicketCache:
    """Reads tickets through Redis, and keeps overwritten ones out of it."""

    def __init__(self, redis: RedisCluster, *, prefix: str = "") -> None:
        self._redis = redis
        self._prefix = prefix

    async def read_through(self, ticket_id: int, load: Load) -> tuple[Stored, CacheOutcome]:
        """Return the ticket as stored, or as `load` brings it from PostgreSQL, storing it when allowed.

        Raises what `load` raises.
        """
        key = self._key(ticket_id)
        try:
            lease = secrets.token_hex(8)
            found = await self._read_or_lease(key, lease)
        except CacheUnavailable:
            return await load(), CacheOutcome.BYPASSED
        if isinstance(found, Stored):
            return found, CacheOutcome.HIT
        loaded = await load()
        if not found:
            return loaded, CacheOutcome.NOT_FILLED
        return loaded, await self._fill(key, lease, loaded)

    async def invalidate(self, ticket_id: int, version: int) -> None:
        """Let nothing below `version` be stored or stay stored. A failure is logged and the caller goes on."""
        try:
            async with _within(INVALIDATE_BUDGET_S):
                await self._run(INVALIDATE, self._key(ticket_id), version, FLOOR_MS)
        except CacheUnavailable as error:
            _log.warning("ticket %d, version %d: invalidation failed: %s", ticket_id, version, error)

    async def warm_up(self) -> None:
        """Learn which node serves what, so that the first reads need not; without Redis, leave that to later."""
        try:
            async with _within(WARM_UP_BUDGET_S):
                await self._redis.initialize()
        except CacheUnavailable as error:
            _log.warning("serving without the cache for now: %s", error)

    async def ping(self) -> None:
        """Return if the cluster serves keys. Raises CacheUnavailable."""
        async with _within(READ_BUDGET_S):
            await self._redis.hmget(self._key(0), ["v"])

    async def close(self) -> None:
        """Give every connection back."""
        await self._redis.aclose()

    def _key(self, ticket_id: int) -> str:
        return f"{self._prefix}ticket:{{{ticket_id}}}"

    async def _read_or_lease(self, key: str, lease: str) -> Stored | bool:
        """Return what is stored; else whether the lease is ours, after waiting a little for whoever has it."""
        stored = await self._read(key)
        if stored is not None:
            return stored
        for pause_s in (*WAIT_STEPS_S, None):
            async with _within(READ_BUDGET_S):
                answer, version, *body = await self._run(LEASE, key, lease, LEASE_MS)
            if answer == b"hit":
                return Stored(int(version), body[0])
            if answer == b"lease":
                return True
            if pause_s is not None:
                await asyncio.sleep(pause_s)
        return False

    async def _read(self, key: str) -> Stored | None:
        async with _within(READ_BUDGET_S):
            version, body = await self._redis.hmget(key, ["v", "b"])
        return Stored(int(version), cast("bytes", body)) if version is not None and body is not None else None

    async def _fill(self, key: str, lease: str, loaded: Stored) -> CacheOutcome:
        ttl_ms = random.randint(BODY_MS * 9 // 10, BODY_MS)  # noqa: S311 - spreads expiry, guards nothing
        try:
            async with _within(READ_BUDGET_S):
                stored = await self._run(FILL, key, lease, loaded.version, loaded.body, ttl_ms)
        except CacheUnavailable:
            return CacheOutcome.NOT_FILLED
        return CacheOutcome.FILLED if stored else CacheOutcome.NOT_FILLED

    async def _run(self, script: Script, key: str, *arguments: str | int | bytes) -> Any:  # noqa: ANN401
        try:
            return await self._redis.evalsha(script.digest, 1, key, *arguments)
        except NoScriptError:
            return await self._redis.eval(script.source, 1, key, *arguments)


@asynccontextmanager
async def _within(budget_s: float) -> AsyncIterator[None]:
    """Bound what Redis may cost, and make one error of all its failures.

    RedisClusterException is no RedisError, and a node that closes in the middle shows as an OSError.
    """
    try:
        async with asyncio.timeout(budget_s):
            yield
    except (RedisError, RedisClusterException, OSError) as error:  # TimeoutError is an OSError
        raise CacheUnavailable(f"{type(error).__name__}: {error}") from error
