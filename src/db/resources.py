"""What the service holds open while it runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry.trace import TracerProvider

from core.settings import Settings
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database
from db.redis.client import connect
from db.redis.cluster_mode import with_detected_mode
from db.redis.guard import GuardedRedis
from db.redis.rate_limit import RateLimiter


@asynccontextmanager
async def open_resources(
    settings: Settings, *, body_schema: str, tracer_provider: TracerProvider | None = None
) -> AsyncIterator[tuple[Database, TicketCache, RateLimiter | None]]:
    """Lend the database, the cache of bodies of one schema and the rate limiter if any, and close all at the end.

    With `tracer_provider`, what is asked of them is traced.

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
    )
    if tracer_provider is None:
        redis = GuardedRedis(connect(settings))
    else:
        from db.tracing import TracedRedis, trace_statements  # noqa: PLC0415 - loaded only by those who trace

        trace_statements(tracer_provider, database)
        redis = TracedRedis(connect(settings), tracer_provider)
    cache = TicketCache(redis, schema=body_schema, prefix=settings.redis_prefix)
    rate, prefix = settings.rate_limit, settings.redis_prefix
    limiter = None if rate is None else RateLimiter(redis, rate, prefix=prefix)
    try:
        await cache.warm_up()
        yield database, cache, limiter
    finally:
        try:
            await cache.close()
        finally:
            await database.close()
