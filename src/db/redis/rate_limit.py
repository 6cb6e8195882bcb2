"""The rate limits: one count for all processes in Redis, and one in this process for when Redis does not answer."""

import time
from collections import OrderedDict
from typing import Final

from core.rate import Rate, Verdict
from db.cache.scripts import Script
from db.redis.guard import CacheUnavailable, GuardedRedis

BUDGET_S: Final = 0.05
MAX_REMEMBERED: Final = 10_000

CLOCK: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
"""

# `core.rate.Rate.judge` is this rule again; a test compares the two. All numbers are below 2^53, where Lua's are exact.
JUDGE: Final = """
-- The key holds the theoretical arrival time, in microseconds of the server's clock, until it is past.
-- ARGV: interval, burst, both in microseconds. Answers {whether it passes, how far ahead that time lies now}.
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or 0) - now, 0), burst)
if ahead + interval > burst then return {0, ahead} end
ahead = ahead + interval
redis.call('SET', KEYS[1], string.format('%.0f', now + ahead), 'PX', string.format('%.0f', math.ceil(ahead / 1000)))
return {1, ahead}
"""

_JUDGE_NOW: Final = Script(CLOCK + JUDGE)


class LocalLimit:
    """A rate limit in this process alone, which remembers the `MAX_REMEMBERED` names that came last."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._arrivals: OrderedDict[str, int] = OrderedDict()

    def take(self, name: str) -> Verdict:
        """Let one pass under this name, or not."""
        verdict = self.look(name)
        if verdict.passes:
            self.note(name, verdict.ahead_us)
        return verdict

    def look(self, name: str) -> Verdict:
        """Return what would become of one under this name, and count nothing."""
        return self._rate.judge(self._arrivals.get(name, 0), _now_us())

    def note(self, name: str, ahead_us: int) -> None:
        """Remember how far ahead of now the theoretical arrival time of a name lies, unless more is known."""
        self._arrivals[name] = max(self._arrivals.get(name, 0), _now_us() + ahead_us)
        self._arrivals.move_to_end(name)
        if len(self._arrivals) > MAX_REMEMBERED:
            self._arrivals.popitem(last=False)

    def __contains__(self, name: str) -> bool:
        return name in self._arrivals

    def __len__(self) -> int:
        return len(self._arrivals)


class RateLimiter:
    """A rate limit that all processes share, by Redis and its clock.

    What Redis says is noted in this process as well. So this process can go on where Redis stopped, and whoever is
    known to be over the limit is refused without asking: the time in Redis only moves on, so it would refuse too.
    """

    def __init__(self, redis: GuardedRedis, rate: Rate, *, prefix: str, budget_s: float = BUDGET_S) -> None:
        self.rate: Final = rate
        self._redis = redis
        self._budget_s = budget_s
        self.prefix: Final = prefix
        self._local = LocalLimit(rate)

    async def take(self, name: str) -> Verdict:
        """Let one pass under this name, or not. Takes at most its budget, whatever Redis does."""
        known = self._local.look(name)
        if not known.passes:
            return known
        key = f"{self.prefix}rate:{name}"
        try:
            passes, ahead_us = await self._redis.run(
                _JUDGE_NOW, key, self.rate.interval_us, self.rate.burst_us, budget_s=self._budget_s
            )
        except CacheUnavailable:
            return self._local.take(name)
        self._local.note(name, ahead_us)
        return Verdict(bool(passes), ahead_us)


def _now_us() -> int:
    return time.monotonic_ns() // 1000
