"""Spans for the statements of PostgreSQL and the commands of Redis; imported only if tracing is configured.

A span contains the statement or command with placeholders, and no values.
"""

import time
from typing import Any, Final

from asyncpg.connection import LoggedQuery
from opentelemetry.trace import SpanKind, StatusCode, TracerProvider

from db.cache.scripts import Script
from db.postgres.database import Database
from db.redis.client import Client
from db.redis.guard import GuardedRedis
from db.redis.multiplexed import Argument


class TracedRedis(GuardedRedis):
    """Makes a span for each command; the placeholders are those of the OpenTelemetry instrumentation of redis-py."""

    def __init__(self, client: Client, tracer_provider: TracerProvider) -> None:
        super().__init__(client)
        self._tracer: Final = tracer_provider.get_tracer("redis")

    async def read_with(
        self, key: str, *fields: str, other: str, timeout_s: float
    ) -> tuple[list[bytes | None], bytes | None]:
        """Return the fields and the value; the span names the two commands, which are sent as one piece."""
        attributes = {"db.system": "redis", "db.statement": f"HMGET{' ?' * (len(fields) + 1)}; GETEX ?"}
        with self._tracer.start_as_current_span("HMGET", kind=SpanKind.CLIENT, attributes=attributes):
            return await super().read_with(key, *fields, other=other, timeout_s=timeout_s)

    async def _execute(
        self,
        key: str,
        arguments: tuple[Argument, ...],
        timeout_s: float,
        script: Script | None = None,
    ) -> Any:  # noqa: ANN401
        command = str(arguments[0])
        attributes = {"db.system": "redis", "db.statement": f"{command}{' ?' * (len(arguments) - 1)}"}
        with self._tracer.start_as_current_span(command, kind=SpanKind.CLIENT, attributes=attributes):
            return await super()._execute(key, arguments, timeout_s, script)


def trace_statements(tracer_provider: TracerProvider, database: Database) -> None:
    """Make a span for each statement of `database`."""
    tracer = tracer_provider.get_tracer("asyncpg")

    def record(query: LoggedQuery) -> None:
        """Make the span of a statement that has ended, in the context of the request that executed it."""
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

    database.add_statement_listener(record)
