"""The application: everything is wired here, once, from the settings."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from api import paths, tracing
from api.http.shutdown import graceful_shutdown
from api.middleware.access_log import AccessLogMiddleware, RouteScope
from api.middleware.authentication import AuthenticationMiddleware
from api.middleware.concurrency import ConcurrencyLimiter, ConcurrencyMiddleware
from api.middleware.deadline import DeadlineMiddleware
from api.middleware.fast_path import FastPath
from api.middleware.rate_limit import RateLimitMiddleware
from api.middleware.request_body import RequestBodyMiddleware
from api.middleware.request_limits import RequestLimits
from api.openapi import document
from api.problems import handlers
from api.routes import ROUTERS
from api.routes.tickets import routes
from core import gc_tuning, logs
from core.settings import Settings
from core.shutdown import ShutdownState
from db.postgres.migrations import known_revisions
from db.resources import open_resources
from services.access.api_key_cache import ApiKeyCache
from services.access.api_keys import ApiKeys
from services.access.authentication import Authenticator
from services.access.failed_authentications import FailedAuthentications
from services.access.oidc import TokenVerifier
from services.access.signing_keys import SigningKeys
from services.operation.health import HealthService
from services.operation.maintenance import purge_expired_keys, refresh_counts
from services.operation.metrics_reporter import InFlight, MetricsReporter
from services.tickets.changes import TicketChanges
from services.tickets.lists import TicketLists
from services.tickets.service import TicketService, lookup_schema

MAX_BODY_BYTES = 1024 * 1024

_log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service as an ASGI application; uvicorn calls this in every worker."""
    is_alone = settings is None  # in a process that is all ours
    if settings is None:
        settings = Settings()
        logs.configure(settings)
    tracer_provider = tracing.started(settings)
    in_flight = InFlight()

    stopping = ShutdownState()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(tracing.flushed(tracer_provider))
            database, cache, limiter = await stack.enter_async_context(
                open_resources(settings, body_schema=lookup_schema(), tracer_provider=tracer_provider)
            )
            app.state.rate_limiter = limiter
            app.state.tickets = TicketService(database, cache, TicketChanges(database, cache))
            app.state.lists = TicketLists(database)
            app.state.health = HealthService(database, cache, known_revisions(), stopping)
            app.state.observation = MetricsReporter(database, cache, in_flight)
            app.state.api_key_cache = api_key_cache = ApiKeyCache(ApiKeys(database))
            app.state.authenticator = Authenticator(
                api_key_cache, _token_verifier(settings), allow_anonymous=settings.allow_anonymous
            )
            await stack.enter_async_context(
                _in_background(
                    purge_expired_keys(database),
                    refresh_counts(database),
                    api_key_cache.record_uses(),
                    app.state.observation.report_metrics(),
                )
            )
            await stack.enter_async_context(aclosing(app.state.health))
            stack.enter_context(graceful_shutdown(stopping, delay_s=settings.shutdown_delay))
            if is_alone:
                gc_tuning.freeze_startup_objects()
            yield

    app = FastAPIOffline(
        title="Ticket service",
        version="1.0.0",
        description=document.DESCRIPTION,
        openapi_tags=document.TAGS,
        static_url="/docs/assets",
        docs_url=None,
        redirect_slashes=False,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=tracing.telemetry(tracer_provider),
        generate_unique_id_function=_operation_id,
    )
    for router in ROUTERS:
        app.include_router(router, max_body_size=MAX_BODY_BYTES)
    # The last one added is the first one passed.
    if tracer_provider is None:  # of what is answered there the framework, which makes the spans, knows nothing
        app.add_middleware(FastPath, routes=routes())
    app.add_middleware(RouteScope)
    app.add_middleware(ConcurrencyMiddleware, places=ConcurrencyLimiter(settings.max_concurrent_requests))
    app.add_middleware(RequestBodyMiddleware, timeout_s=settings.slow_client_timeout, max_bytes=MAX_BODY_BYTES)
    if settings.rate_limit is not None:
        app.add_middleware(RateLimitMiddleware, limiter=lambda: app.state.rate_limiter)
    app.add_middleware(AuthenticationMiddleware, failures=FailedAuthentications(settings.auth_failure_limit))
    app.add_middleware(RequestLimits, max_bytes=MAX_BODY_BYTES, json_places=paths.JSON, stopping=stopping)
    app.add_middleware(DeadlineMiddleware, seconds=settings.request_timeout)
    app.add_middleware(AccessLogMiddleware, in_flight=in_flight)
    handlers.install(app)
    document.install(app)
    return app


@asynccontextmanager
async def _in_background(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(_tell_if_it_failed)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _tell_if_it_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("work in the background ended", exc_info=error)


def _token_verifier(settings: Settings) -> TokenVerifier | None:
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    return TokenVerifier(
        SigningKeys(settings.oidc_issuer),
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        role_claim=settings.oidc_role_claim,
    )


def _operation_id(route: APIRoute) -> str:
    """Name the operation after its function, so that generated clients read `create_ticket(…)`."""
    return route.name
