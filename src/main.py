"""The application: everything is wired here, once, from the settings."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from api import comments, health, metrics, openapi, problem_pages, problems, redoc, tickets, tracing, workflow
from api.front_door import FrontDoor
from api.observation import Innermost, Observed
from core import logs
from core.settings import Settings
from db.resources import opened
from services.health import HealthService
from services.housekeeping import keep_house
from services.observation import InFlight, Observation
from services.ticket_counts import keep_counting
from services.ticket_lists import TicketLists
from services.tickets import TicketService, lookup_schema

MAX_BODY_BYTES = 1024 * 1024

_log = logging.getLogger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service as an ASGI application; uvicorn calls this in every worker."""
    if settings is None:  # in a process that is all ours
        settings = Settings()
        logs.configure(settings)
    tracer_provider = tracing.started(settings)
    in_flight = InFlight()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            tracing.flushed(tracer_provider),
            opened(settings, body_schema=lookup_schema(), tracer_provider=tracer_provider) as (database, cache),
        ):
            app.state.observation = Observation(database, cache, in_flight)
            app.state.tickets = TicketService(database, cache)
            app.state.lists = TicketLists(database)
            app.state.health = HealthService(database, cache)
            async with _in_background(
                keep_house(database), keep_counting(database), app.state.observation.keep_telling()
            ):
                yield

    app = FastAPIOffline(
        title="Ticket service",
        version="1.0.0",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        static_url="/docs/assets",
        redoc_url=None,
        lifespan=lifespan,
        telemetry=tracing.telemetry(tracer_provider),
        generate_unique_id_function=_operation_id,
    )
    for part in (tickets, comments, workflow, health, metrics, problem_pages, redoc):
        app.include_router(part.router, max_body_size=MAX_BODY_BYTES)
    app.add_middleware(Innermost)
    app.add_middleware(FrontDoor, most_bytes=MAX_BODY_BYTES, json_paths=("/tickets", "/workflow"))
    app.add_middleware(Observed, in_flight=in_flight)
    problems.install(app)
    openapi.install(app)
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


def _operation_id(route: APIRoute) -> str:
    """Name the operation after its function, so that generated clients read `create_ticket(…)`."""
    return route.name
