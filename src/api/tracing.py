"""Traces of requests: FastAPI makes their spans, when there is somewhere to send them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import TracerProvider

from api.paths import POLLED
from core.settings import Settings

FLUSH_WITHIN_S: Final = 3


def started(settings: Settings) -> TracerProvider | None:
    """Return where spans are made; None, with nothing loaded, when no collector is configured."""
    if settings.otel_exporter_otlp_endpoint is None:
        return None
    from core import tracing  # noqa: PLC0415 - loaded only by those who trace

    return tracing.start(settings.otel_exporter_otlp_endpoint)


def telemetry(provider: TracerProvider | None) -> TelemetryConfig:
    """Return what FastAPI is to do: a span for each request that is no probe, and nothing else."""
    wanted: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
    if provider is not None:
        wanted |= {"tracing": True, "tracer_provider": provider, "exclude": lambda scope: scope["path"] in POLLED}
    return wanted


@asynccontextmanager
async def flushed(provider: TracerProvider | None) -> AsyncIterator[None]:
    """Send, at the end, what was not sent yet, as far as that goes in three seconds."""
    try:
        yield
    finally:
        if provider is not None:
            from core import tracing  # noqa: PLC0415 - as above

            await asyncio.to_thread(tracing.stop, provider, timeout_s=FLUSH_WITHIN_S)
