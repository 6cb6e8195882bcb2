"""Traces of requests. FastAPI creates the spans if a collector is configured."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import TracerProvider

from api.paths import POLLED
from core.settings import Settings

FLUSH_TIMEOUT_S: Final = 3


def tracer_provider(settings: Settings) -> TracerProvider | None:
    """Return the provider of tracers; None without a configured collector, and then no exporter is imported."""
    if settings.otel_exporter_otlp_endpoint is None:
        return None
    from core import tracing  # noqa: PLC0415 - imported only with tracing enabled

    return tracing.start(settings.otel_exporter_otlp_endpoint)


def telemetry(provider: TracerProvider | None) -> TelemetryConfig:
    """Return the telemetry settings of FastAPI: one span for each request except polled paths, and nothing else."""
    config: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
    if provider is not None:
        config |= {"tracing": True, "tracer_provider": provider, "exclude": lambda scope: scope["path"] in POLLED}
    return config


@asynccontextmanager
async def flushed(provider: TracerProvider | None) -> AsyncIterator[None]:
    """On exit, send the spans that are not sent yet, for `FLUSH_TIMEOUT_S` seconds at most."""
    try:
        yield
    finally:
        if provider is not None:
            from core import tracing  # noqa: PLC0415 - as above

            await asyncio.to_thread(tracing.stop, provider, timeout_s=FLUSH_TIMEOUT_S)
