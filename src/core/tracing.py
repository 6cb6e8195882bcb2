"""Spans on their way to a collector, by OTLP over HTTP. Imported only by those who trace.

They are sent by a thread of their own, in batches; while the collector is away the oldest are dropped, and no request
waits. What clients sent stays here: queries of addresses, and what databases say of the rows they stumbled over.
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

SEND_WITHIN_S: Final = 3

_SECRET: Final = frozenset({"url.query", "exception.message", "exception.stacktrace"})


def start(endpoint: str) -> TracerProvider:
    """Return where spans are made that are sent to a collector, as in http://collector:4318."""
    resource = Resource.create() if "OTEL_SERVICE_NAME" in os.environ else Resource.create({SERVICE_NAME: "tickets"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=SEND_WITHIN_S)
    provider.add_span_processor(BatchSpanProcessor(RedactingExporter(exporter)))
    return provider


def stop(provider: AnyTracerProvider, *, timeout_s: float) -> None:
    """Send what was not sent yet, and return after `timeout_s` at the latest."""
    assert isinstance(provider, TracerProvider)  # noqa: S101 - what start() returned
    # In a thread that nobody waits for: neither the SDK nor the exporter can be told how long a stop may take.
    stopping = threading.Thread(target=provider.shutdown, daemon=True)
    stopping.start()
    stopping.join(timeout_s)


class RedactingExporter(SpanExporter):
    """Takes out of spans what no collector is to see, before they are sent."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        return self._exporter.export([_discreet(span) for span in spans])

    def shutdown(self) -> None:
        """Stop sending."""
        self._exporter.shutdown()


def _discreet(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in (span.attributes or {}).items() if name not in _SECRET},
        events=[
            Event(
                event.name,
                {name: value for name, value in (event.attributes or {}).items() if name not in _SECRET},
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
