"""Spans of what is asked of PostgreSQL and Redis. Imported only by those who trace.

The statements are told as they are sent, with placeholders; no value comes with them.
"""

import time
from typing import Any, Final

from asyncpg.connection import LoggedQuery
from opentelemetry.trace import SpanKind, StatusCode, TracerProvider

from db.cache.scripts import Script
from db.postgres.database import Database
from db.redis.client import Client
from db.redis.guard import GuardedRedis
from db.redis.multiplexed import Word


class TracedRedis(GuardedRedis):
    """Makes a span of each command; what it says in place of the values is what redis-py's instrumentation says."""

    def __init__(self, client: Client, tracer_provider: TracerProvider) -> None:
        super().__init__(client)
        self._tracer: Final = tracer_provider.get_tracer("redis")

    async def _ask(self, key: str, words: tuple[Word, ...], budget_s: float, script: Script | None = None) -> Any:  # noqa: ANN401
        command = str(words[0])
        told = {"db.system": "redis", "db.statement": f"{command}{' ?' * (len(words) - 1)}"}
        with self._tracer.start_as_current_span(command, kind=SpanKind.CLIENT, attributes=told):
            return await super()._ask(key, words, budget_s, script)


def trace_statements(tracer_provider: TracerProvider, database: Database) -> None:
    """Let each statement make a span; only of this database."""
    tracer = tracer_provider.get_tracer("asyncpg")

    def tell(query: LoggedQuery) -> None:
        """Make the span of a statement that is over; it is heard in the context of the request that asked."""
        ended_at_ns = time.time_ns()
        host, port = query.conn_addr if isinstance(query.conn_addr, tuple) else (query.conn_addr, None)
        operation = query.query.split(maxsplit=1)[0]
        attributes: dict[str, str | int] = {
            "db.system": "postgresql",
            "db.statement": query.query,
            "db.operation": operation,
            "db.name": query.conn_params.database,
            "db.user": query.conn_params.user,
            "net.peer.name": host,
        }
        if port is not None:
            attributes["net.peer.port"] = port
        span = tracer.start_span(
            operation,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=ended_at_ns - int(query.elapsed * 1e9),
        )
        if query.exception is not None:
            span.set_status(StatusCode.ERROR)
        span.end(ended_at_ns)

    database.listen(tell)
