"""The rate limiter in Redis and the one in the process apply the same rule, also when Redis fails."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.rate import Rate
from core.settings import Settings
from db.cache.scripts import Script
from db.redis.client import connect
from db.redis.guard import GuardedRedis
from db.redis.rate_limit import GCRA, MAX_CLIENTS, TIMEOUT_S, LocalLimit, RateLimiter
from support.factories import settings_for

AT_GIVEN_TIME = Script("local now = tonumber(ARGV[3])" + GCRA)


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[GuardedRedis]:
    redis = GuardedRedis(connect(settings))
    await redis.warm_up()
    yield redis
    await redis.close()


def limiter_of(redis: GuardedRedis, rate: Rate) -> RateLimiter:
    return RateLimiter(redis, rate, prefix=f"test-{secrets.token_hex(4)}:", timeout_s=5)


# The intervals are long, because the keys expire by the real clock.
@given(
    rate=st.builds(lambda quota, each_s: Rate(quota, quota * each_s), st.integers(1, 7), st.integers(60, 3600)),
    gaps_us=st.lists(st.one_of(st.just(0), st.integers(-(10**8), 10**9)), max_size=15),
)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_lua_and_python_return_the_same_verdicts(redis: GuardedRedis, rate: Rate, gaps_us: list[int]) -> None:
    """For any sequence of events, and also when the clock is set back."""
    key, now_us, arrival_us = f"test-{secrets.token_hex(8)}", 1_790_000_000_123_456, 0
    for gap_us in gaps_us:
        now_us += gap_us
        verdict = rate.judge(arrival_us, now_us)
        answer = await redis.run(AT_GIVEN_TIME, key, rate.interval_us, rate.burst_us, now_us, timeout_s=5)
        assert answer == [verdict.passes, verdict.ahead_us]
        if verdict.passes:
            arrival_us = now_us + verdict.ahead_us


async def test_all_processes_share_one_quota(redis: GuardedRedis) -> None:
    one = limiter_of(redis, Rate(5, 60))
    another = RateLimiter(redis, one.rate, prefix=one.prefix, timeout_s=5)
    passed = [(await limiter.consume("alice")).passes for limiter in (one, another) * 4]
    assert sum(passed) == 5
    assert (await one.consume("bob")).passes


async def test_concurrent_requests_do_not_exceed_the_quota(redis: GuardedRedis) -> None:
    limiter = limiter_of(redis, Rate(20, 3600))
    await asyncio.gather(*(limiter.consume(f"opens connection {number}") for number in range(50)))
    verdicts = await asyncio.gather(*(limiter.consume("alice") for _ in range(50)))
    assert sum(verdict.passes for verdict in verdicts) == 20


async def test_the_quota_is_restored_over_time(redis: GuardedRedis) -> None:
    limiter = limiter_of(redis, Rate(4, 1))
    assert [(await limiter.consume("alice")).passes for _ in range(5)] == [True] * 4 + [False]
    await asyncio.sleep(0.3)
    assert (await limiter.consume("alice")).passes


async def test_a_key_expires_when_its_quota_is_full(redis: GuardedRedis) -> None:
    limiter = limiter_of(redis, Rate(4, 8))
    await limiter.consume("alice")
    left_ms = await redis.run(
        Script("return redis.call('PTTL', KEYS[1])"),
        f"{limiter.prefix}rate:alice",
        timeout_s=1,
    )
    assert 0 < left_ms <= 2000


async def test_without_redis_the_process_limits_on_its_own_and_without_delay(database_dsn: str) -> None:
    unavailable = settings_for(database_dsn, "127.0.0.1", 1, redis_cluster=False)
    redis = GuardedRedis(connect(unavailable))
    try:
        limiter = RateLimiter(redis, Rate(10, 3600), prefix="")
        started = time.monotonic()
        passed = [(await limiter.consume("alice")).passes for _ in range(200)]
        assert sum(passed) == 10
        assert time.monotonic() - started < 10 * TIMEOUT_S + 1
    finally:
        await redis.close()


async def test_the_process_continues_with_the_quota_that_redis_left(redis: GuardedRedis) -> None:
    limiter = limiter_of(redis, Rate(10, 3600))
    for _ in range(7):
        await limiter.consume("alice")
    limiter._redis = GuardedRedis(connect(settings_for("postgresql://h/d", "127.0.0.1", 1, redis_cluster=False)))  # noqa: SLF001
    try:
        assert sum([(await limiter.consume("alice")).passes for _ in range(10)]) == 3
    finally:
        await limiter._redis.close()  # noqa: SLF001


async def test_a_client_known_to_exceed_the_limit_causes_no_redis_command(redis: GuardedRedis) -> None:
    limiter = limiter_of(redis, Rate(1, 3600))
    await limiter.consume("alice")
    limiter._redis = None  # type: ignore[assignment] # noqa: SLF001 - any use of it fails
    assert not (await limiter.consume("alice")).passes


def test_the_number_of_remembered_names_is_bounded() -> None:
    limit = LocalLimit(Rate(1, 3600))
    for number in range(MAX_CLIENTS + 100):
        limit.consume(str(number))
    assert len(limit) == MAX_CLIENTS
    assert limit.peek("0").passes
    assert not limit.peek("100").passes
