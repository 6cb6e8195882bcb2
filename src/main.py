"""The application: everything is wired here, once, from the settings."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline

from api import comments, health, openapi, places, problem_pages, problems, redoc, swagger, tickets, workflow
from api.bodies_in_time import BodiesInTime
from api.concurrency import Concurrency, Places
from api.front_door import FrontDoor
from api.gate import Gate
from api.lifetime import Lifetime
from api.rate_limit import RateLimit
from core.settings import Settings
from core.stopping import Stopping
from db.migrations import known_revisions
from db.resources import opened
from services.api_keys import ApiKeys
from services.authentication import Authenticator
from services.failed_authentications import FailedAuthentications
from services.health import HealthService
from services.housekeeping import keep_house
from services.key_ring import KeyRing
from services.oidc import TokenVerifier
from services.signing_keys import SigningKeys
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
        async with opened(settings, body_schema=lookup_schema()) as (database, cache, limiter):
            app.state.rate_limiter = limiter
            app.state.tickets = TicketService(database, cache)
            app.state.lists = TicketLists(database)
            app.state.health = HealthService(database, cache, known_revisions(), stopping)
            app.state.key_ring = key_ring = KeyRing(ApiKeys(database))
            app.state.authenticator = Authenticator(
                key_ring, _token_verifier(settings), allow_anonymous=settings.allow_anonymous
            )
            async with AsyncExitStack() as stack:
                for work in (keep_house(database), key_ring.keep_notes()):
                    await stack.enter_async_context(_in_background(work))
                await stack.enter_async_context(aclosing(app.state.health))
                stack.enter_context(announced(stopping, delay_s=settings.shutdown_delay))
                yield

    app = FastAPIOffline(
        title="Ticket service",
        version="1.0.0",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        static_url="/docs/assets",
        docs_url=None,
        redirect_slashes=False,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
    )
    for part in (tickets, comments, workflow, health, problem_pages, redoc, swagger):
        app.include_router(part.router, max_body_size=MAX_BODY_BYTES)
    # The last one added is the first one passed.
    app.add_middleware(Concurrency, places=Places(settings.max_concurrent_requests))
    app.add_middleware(BodiesInTime, patience_s=settings.slow_client_timeout, most_bytes=MAX_BODY_BYTES)
    if settings.rate_limit is not None:
        app.add_middleware(RateLimit, limiter=lambda: app.state.rate_limiter)
    app.add_middleware(Gate, failures=FailedAuthentications(settings.auth_failure_limit))
    app.add_middleware(FrontDoor, most_bytes=MAX_BODY_BYTES, json_paths=places.JSON)
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
