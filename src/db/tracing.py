"""Spans of what is asked of PostgreSQL and Redis. Imported only by those who trace.

The statements are told as they are sent, with placeholders; no value comes with them.
"""

import time

from asyncpg.connection import LoggedQuery
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.trace import SpanKind, StatusCode, TracerProvider

from db.postgres import Database
from db.redis import Client


def trace_queries(tracer_provider: TracerProvider, database: Database, client: Client) -> None:
    """Let each statement and each command make a span; only of this database and this client."""
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
    RedisInstrumentor().instrument_client(client, tracer_provider=tracer_provider)
