"""Opens and closes the connections to PostgreSQL and Redis."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from opentelemetry.trace import TracerProvider

from core.errors import Unavailable
from core.settings import Settings
from db.cache.fence import FenceRenewer
from db.cache.fence_groups import FenceGroups
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database
from db.redis.client import connect
from db.redis.cluster_mode import with_detected_mode
from db.redis.guard import GuardedRedis
from db.redis.presence import PresenceStore
from db.redis.rate_limit import RateLimiter


@dataclass(frozen=True)
class Resources:
    """The connections of the service, and what works on them; `limiter` is None without a rate limit."""

    database: Database
    cache: TicketCache
    groups: FenceGroups
    fences: FenceRenewer
    limiter: RateLimiter | None
    presence: PresenceStore


@asynccontextmanager
async def open_resources(
    settings: Settings, *, body_schema: str, tracer_provider: TracerProvider | None = None
) -> AsyncIterator[Resources]:
    """Yield what the settings name, connected; close all at the end.

    `body_schema` identifies the format of the cached bodies. With `tracer_provider`, statements and commands are
    traced.

    Raises ValueError when the settings name no database or no Redis.
    """
    settings = await with_detected_mode(settings)
    if settings.database_dsn is None or settings.redis_host is None:
        raise ValueError("DATABASE_DSN and REDIS_HOST must be set; ./entrypoint.sh starts servers and sets them")
    database = Database(
        settings.database_dsn.get_secret_value(),
        pool_size=settings.database_pool_size,
        search_pool_size=settings.search_pool_size,
        search_timeout_s=settings.search_timeout,
        work_pool_size=settings.work_pool_size,
    )
    if tracer_provider is None:
        redis = GuardedRedis(connect(settings))
    else:
        from db.tracing import TracedRedis, trace_statements  # noqa: PLC0415 - loaded only if tracing is configured

        trace_statements(tracer_provider, database)
        redis = TracedRedis(connect(settings), tracer_provider)
    rate, prefix = settings.rate_limit, settings.redis_prefix
    cache = TicketCache(redis, schema=body_schema, prefix=prefix, stale_if_error=settings.stale_if_error)
    groups = FenceGroups(database)
    fences = FenceRenewer(redis, groups, prefix=prefix)
    limiter = None if rate is None else RateLimiter(redis, rate, prefix=prefix)
    try:
        await cache.warm_up()
        with suppress(Unavailable):  # the fences are made as soon as PostgreSQL responds
            await fences.renew()
        yield Resources(database, cache, groups, fences, limiter, PresenceStore(redis, prefix=prefix))
    finally:
        try:
            await cache.close()
        finally:
            await database.close()
