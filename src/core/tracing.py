"""Export of spans to a collector by OTLP over HTTP. Imported only with tracing enabled.

A thread of its own sends the spans in batches. While the collector is unavailable, the oldest spans are dropped and no
request waits. Data of clients is not exported: query strings, and database errors, which contain values of rows.
"""

import os
import threading
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from opentelemetry.trace import TracerProvider as AnyTracerProvider

EXPORT_TIMEOUT_S: Final = 3

_REDACTED: Final = frozenset({"url.query", "exception.message", "exception.stacktrace"})


def start(endpoint: str) -> TracerProvider:
    """Return a tracer provider that exports to the collector at `endpoint`, for example http://collector:4318."""
    resource = Resource.create() if "OTEL_SERVICE_NAME" in os.environ else Resource.create({SERVICE_NAME: "tickets"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(RedactingExporter(exporter)))
    return provider


def stop(provider: AnyTracerProvider, *, timeout_s: float) -> None:
    """Send the spans that are not sent yet, and return after `timeout_s` at the latest."""
    assert isinstance(provider, TracerProvider)  # noqa: S101 - what start() returned
    # In a daemon thread, because neither the SDK nor the exporter has a timeout for its shutdown.
    stopping = threading.Thread(target=provider.shutdown, daemon=True)
    stopping.start()
    stopping.join(timeout_s)


class RedactingExporter(SpanExporter):
    """Removes attributes with data of clients from spans before they are exported."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans."""
        return self._exporter.export([_redacted(span) for span in spans])

    def shutdown(self) -> None:
        """Stop exporting."""
        self._exporter.shutdown()


def _redacted(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in (span.attributes or {}).items() if name not in _REDACTED},
        events=[
            Event(
                event.name,
                {name: value for name, value in (event.attributes or {}).items() if name not in _REDACTED},
                event.timestamp,
            )
            for event in span.events
        ],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
