"""Spans of what is asked of PostgreSQL and Redis. Imported only by those who trace.

The statements are told as they are written, with placeholders; no value comes with them.
"""

from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer
from opentelemetry.metrics import NoOpMeter
from opentelemetry.trace import TracerProvider

from db.postgres import Database
from db.redis import Client


def trace_queries(tracer_provider: TracerProvider, database: Database, client: Client) -> None:
    """Let each statement and each command make a span; only of these engines and this client."""
    tracer = tracer_provider.get_tracer("sqlalchemy")
    # The instrumentor itself would patch SQLAlchemy for the whole process, and make a span of every loan as well.
    usage = NoOpMeter("sqlalchemy").create_up_down_counter("connections")
    for engine in database.engines.values():
        EngineTracer(tracer, engine.sync_engine, usage)  # type: ignore[no-untyped-call]
    RedisInstrumentor().instrument_client(client, tracer_provider=tracer_provider)
