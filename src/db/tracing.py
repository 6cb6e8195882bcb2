"""Spans of what is asked of PostgreSQL and Redis. Imported only by those who trace.

The statements are told as they are written, with placeholders; no value comes with them.
"""

from typing import Any, Final

from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer
from opentelemetry.metrics import NoOpMeter
from opentelemetry.trace import SpanKind, TracerProvider

from db.cache_scripts import Script
from db.postgres import Database
from db.redis import Client
from db.redis_guard import GuardedRedis
from db.redis_pipes import Word


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


def trace_queries(tracer_provider: TracerProvider, database: Database) -> None:
    """Let each statement make a span; only of these engines."""
    tracer = tracer_provider.get_tracer("sqlalchemy")
    # The instrumentor itself would patch SQLAlchemy for the whole process, and make a span of every loan as well.
    usage = NoOpMeter("sqlalchemy").create_up_down_counter("connections")
    for engine in database.engines.values():
        EngineTracer(tracer, engine.sync_engine, usage)  # type: ignore[no-untyped-call]
