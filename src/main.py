"""The application: everything is wired here, once, from the settings."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from api import comments, health, openapi, problem_pages, problems, redoc, tickets, workflow
from api.front_door import FrontDoor
from api.lifetime import Lifetime
from core.settings import Settings
from core.stopping import Stopping
from db.migrations import known_revisions
from db.resources import opened
from services.health import HealthService
from services.housekeeping import keep_house
from services.ticket_lists import TicketLists
from services.tickets import TicketService, lookup_schema
from shutdown import announced

MAX_BODY_BYTES = 1024 * 1024


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service as an ASGI application; uvicorn calls this in every worker."""
    settings = settings or Settings()

    stopping = Stopping()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings, body_schema=lookup_schema()) as (database, cache):
            app.state.tickets = TicketService(database, cache)
            app.state.lists = TicketLists(database)
            app.state.health = HealthService(database, cache, known_revisions(), stopping)
            async with _in_background(keep_house(database)), aclosing(app.state.health):
                with announced(stopping, delay_s=settings.shutdown_delay):
                    yield

    app = FastAPIOffline(
        title="Ticket service",
        version="1.0.0",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        static_url="/docs/assets",
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
    )
    for part in (tickets, comments, workflow, health, problem_pages, redoc):
        app.include_router(part.router, max_body_size=MAX_BODY_BYTES)
    app.add_middleware(FrontDoor, most_bytes=MAX_BODY_BYTES, json_paths=("/tickets", "/workflow"))
    app.add_middleware(Lifetime, seconds=settings.request_timeout, stopping=stopping)
    problems.install(app)
    openapi.install(app)
    return app


@asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _operation_id(route: APIRoute) -> str:
    """Name the operation after its function, so that generated clients read `create_ticket(…)`."""
    return route.name
