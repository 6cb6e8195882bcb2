"""Rate limits: one count in Redis that all processes share, and one in this process for when Redis does not respond."""

import time
from collections import OrderedDict
from typing import Final

from core.rate import Rate, Verdict
from db.cache.scripts import Script
from db.redis.guard import CacheUnavailable, GuardedRedis

TIMEOUT_S: Final = 0.05
MAX_CLIENTS: Final = 10_000

REDIS_TIME: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
"""

# The same rule as `core.rate.Rate.judge`; a test compares the two. All numbers are below 2^53, where Lua's are exact.
GCRA: Final = """
-- KEYS[1] holds the theoretical arrival time, in microseconds of the server's clock, until that time has passed.
-- ARGV: interval, burst, both in microseconds. Returns {1 if the request is allowed, else 0; how far ahead of now the
-- theoretical arrival time is}.
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or 0) - now, 0), burst)
if ahead + interval > burst then return {0, ahead} end
ahead = ahead + interval
redis.call('SET', KEYS[1], string.format('%.0f', now + ahead), 'PX', string.format('%.0f', math.ceil(ahead / 1000)))
return {1, ahead}
"""

_GCRA_NOW: Final = Script(REDIS_TIME + GCRA)


class LocalLimit:
    """A rate limit for each client, in this process only. It stores the `MAX_CLIENTS` clients that were seen last."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._arrivals: OrderedDict[str, int] = OrderedDict()

    def consume(self, client: str) -> Verdict:
        """Count a request of a client unless it exceeds the limit; return the verdict."""
        verdict = self.peek(client)
        if verdict.passes:
            self.record(client, verdict.ahead_us)
        return verdict

    def peek(self, client: str) -> Verdict:
        """Return the verdict on a request of a client without counting it."""
        return self._rate.judge(self._arrivals.get(client, 0), _now_us())

    def record(self, client: str, ahead_us: int) -> None:
        """Store how far ahead of now the theoretical arrival time of a client is, unless the stored time is later."""
        self._arrivals[client] = max(self._arrivals.get(client, 0), _now_us() + ahead_us)
        self._arrivals.move_to_end(client)
        if len(self._arrivals) > MAX_CLIENTS:
            self._arrivals.popitem(last=False)

    def __contains__(self, client: str) -> bool:
        return client in self._arrivals

    def __len__(self) -> int:
        return len(self._arrivals)


class RateLimiter:
    """A rate limit for each client that all processes share, by Redis and its clock.

    Results from Redis are also recorded in this process. So this process continues the count when Redis fails, and it
    refuses a client that is known to exceed the limit without a command to Redis: the theoretical arrival time in Redis
    only increases, so Redis would refuse too.
    """

    def __init__(self, redis: GuardedRedis, rate: Rate, *, prefix: str, timeout_s: float = TIMEOUT_S) -> None:
        self.rate: Final = rate
        self._redis = redis
        self._timeout_s = timeout_s
        self.prefix: Final = prefix
        self._local = LocalLimit(rate)

    async def consume(self, client: str) -> Verdict:
        """Count a request of a client unless it exceeds the limit; return the verdict. Takes at most the timeout."""
        known = self._local.peek(client)
        if not known.passes:
            return known
        key = f"{self.prefix}rate:{client}"
        try:
            passes, ahead_us = await self._redis.run(
                _GCRA_NOW, key, self.rate.interval_us, self.rate.burst_us, timeout_s=self._timeout_s
            )
        except CacheUnavailable:
            return self._local.consume(client)
        self._local.record(client, ahead_us)
        return Verdict(bool(passes), ahead_us)


def _now_us() -> int:
    return time.monotonic_ns() // 1000
