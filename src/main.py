"""The wiring of the service: `create_app` builds the ASGI application from the settings.

Every object is created and connected here, once:

create_app    builds the application: middleware, routes, error handlers, OpenAPI document; opens no connection
lifespan      connects to PostgreSQL and Redis, builds the services, starts the background work; reverses it on exit
_build_…      builds the services, which the dependencies of the routes return; `wiring` builds those of tickets

`middleware.py` lists what a request passes before it reaches its route.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.datastructures import State

from api import tracing
from api.http.event_response import FeedReaders
from api.http.event_stream import StreamLimiter
from api.http.shutdown import graceful_shutdown
from api.openapi import document
from api.problems import handlers
from api.routes import ROUTERS, docs
from core import logs, process, shared_metrics
from core.process import BackgroundState, ShutdownState
from core.settings import Settings
from db.postgres.database import Database
from db.postgres.revisions import known_revisions
from db.resources import Resources, open_resources
from desk import app as desk
from middleware import MAX_BODY_BYTES, middleware
from services.access.api_key_cache import ApiKeyCache
from services.access.api_keys import ApiKeys
from services.access.authentication import Authenticator
from services.access.failed_authentications import FailedAuthentications
from services.access.issuer import configured_issuer
from services.access.key_service import KeyService
from services.automation.timer_lag import report_continually as report_timer_lag
from services.cursors import StoredCursors
from services.directory.groups import Groups
from services.directory.people import People
from services.directory.principals import Principals
from services.events.feed import EventFeed
from services.events.hub import EventHub
from services.events.lag import LagReporter
from services.events.long_poll import LongPolls
from services.events.publisher import EventPublisher
from services.events.stream import EventStreams
from services.operation.health import HealthService
from services.operation.maintenance import purge_expired_keys, refresh_counts
from services.operation.metrics_reporter import InFlight, MetricsReporter
from services.secret_box import SecretBox
from services.sign_in.maintenance import purge_continually as purge_sessions_continually
from services.sign_in.services import sign_in_services
from services.tickets.recent_words import merge_continually
from services.tickets.service import lookup_schema
from services.webhooks.addresses import AddressPolicy
from services.webhooks.deliveries import WebhookDeliveries
from services.webhooks.endpoints import WebhookService
from services.webhooks.maintenance import report_continually as report_webhooks
from services.webhooks.replays import WebhookReplays
from services.webhooks.sender import Sender
from wiring import build_desk_services, build_tickets
from workers.background import IN_FLIGHT_INLINE, automation_work, desk_work, event_work, webhook_work
from workers.runner import Runner, Work


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service as an ASGI application; uvicorn calls this function in each worker process.

    Without `settings`, the process belongs to the service: the settings come from the environment, and the logging and
    the garbage collector of the process are configured.
    """
    owns_process = settings is None
    if settings is None:
        settings = Settings()
        logs.configure(settings)
    tracer_provider = tracing.tracer_provider(settings)
    in_flight, failures = InFlight(), FailedAuthentications(settings.auth_failure_limit)
    shutdown, background = ShutdownState(), BackgroundState()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(tracing.flushed(tracer_provider))
            stack.enter_context(shared_metrics.shared())
            resources = await stack.enter_async_context(
                open_resources(settings, body_schema=lookup_schema(), tracer_provider=tracer_provider)
            )
            database, cache = resources.database, resources.cache
            app.state.rate_limiter = resources.limiter
            app.state.health = HealthService(database, cache, known_revisions(), shutdown, background)
            app.state.metrics_reporter = MetricsReporter(resources, in_flight)
            _build_access(app.state, resources, settings, failures)
            build_tickets(app.state, resources, settings)
            build_desk_services(app.state, resources)
            sender = Sender(AddressPolicy(settings.webhook_allow or ()))
            stack.push_async_callback(sender.close)
            _build_webhooks(app.state, database, sender)
            desk.build_services(app.state, database)
            hub = _build_events(app.state, database, shutdown, max_streams=settings.max_streams)
            works = [
                Work("renew-fences", resources.fences.run),
                Work("purge-expired-keys", partial(purge_expired_keys, database)),
                Work("refresh-counts", partial(refresh_counts, database)),
                Work("merge-recent-words", partial(merge_continually, database)),
                Work("purge-sessions", partial(purge_sessions_continually, database)),
                Work("record-uses", app.state.api_key_cache.record_uses),
                Work("follow-event-log", hub.run),
                Work("report-event-lag", LagReporter(database).report_lag),
                Work("report-timer-lag", partial(report_timer_lag, database)),
                Work("measure-webhooks", partial(report_webhooks, database)),
                Work("report-metrics", app.state.metrics_reporter.report_metrics),
            ]
            if settings.work == "inline":
                works += _inline_work(app.state, database, sender, settings)
            await stack.enter_async_context(Runner(works, background))
            await stack.enter_async_context(aclosing(app.state.health))
            stack.enter_context(graceful_shutdown(shutdown, delay_s=settings.shutdown_delay))
            if owns_process:
                process.freeze_startup_objects()
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
        middleware=middleware(settings, failures, in_flight, shutdown, is_traced=tracer_provider is not None),
        telemetry=tracing.telemetry(tracer_provider),
        generate_unique_id_function=_operation_id,
    )
    app.state.cors_origins = settings.cors_origins or ()
    docs.omit_redoc(app)
    desk.install(app, max_body_bytes=MAX_BODY_BYTES, public_url=settings.public_url, undo_send_s=settings.undo_send)
    for router in ROUTERS:
        app.include_router(router, max_body_size=MAX_BODY_BYTES)
    handlers.install(app)
    document.install(app)
    return app


def _build_access(state: State, resources: Resources, settings: Settings, failures: FailedAuthentications) -> None:
    """Build the services of keys, people and groups, and of the sign-in."""
    database = resources.database
    issuer, audience = configured_issuer(settings, database), settings.oidc_audience
    api_keys, cursors = ApiKeys(database), StoredCursors(database)
    state.people = People(database, cursors)
    state.groups = Groups(database, cursors)
    state.principals = Principals(database)
    state.api_key_cache = ApiKeyCache(api_keys)
    state.keys = KeyService(api_keys, state.api_key_cache, cursors)
    tokens = None if issuer is None or audience is None else issuer.verifier(audience)
    state.authenticator = Authenticator(state.api_key_cache, tokens, allow_anonymous=settings.allow_anonymous)
    state.sign_in = sign_in_services(database, settings, keys=state.api_key_cache, issuer=issuer, failures=failures)


def _build_webhooks(state: State, database: Database, sender: Sender) -> None:
    """Build the services by which admins manage webhooks; `workers.background` feeds and delivers."""
    cursors = StoredCursors(database)
    state.webhooks = WebhookService(database, sender, SecretBox(database))
    state.webhook_deliveries = WebhookDeliveries(database, cursors)
    state.webhook_replays = WebhookReplays(database, cursors)


def _build_events(state: State, database: Database, shutdown: ShutdownState, *, max_streams: int) -> EventHub:
    """Build the readers of the event log, and return the hub, which runs in the background."""
    cursors = StoredCursors(database)
    hub = EventHub(database, cursors, state.publisher.published, shutdown)
    state.feed = EventFeed(database, cursors)
    state.feed_readers = FeedReaders(
        state.feed,
        LongPolls(state.feed, hub, shutdown),
        EventStreams(state.feed, hub, cursors, shutdown),
        StreamLimiter(max_streams),
    )
    return hub


def _inline_work(state: State, database: Database, sender: Sender, settings: Settings) -> list[Work]:
    """Return the work that worker processes do with `WORK=off`."""
    publisher: EventPublisher = state.publisher
    return [
        *event_work(database, publisher, retention_days=settings.event_retention_days),
        *webhook_work(database, publisher, sender, max_in_flight=IN_FLIGHT_INLINE),
        *automation_work(database, state.changes, state.automation),
        *desk_work(database, state.changes, state.tickets, state.working_fields),
    ]


def _operation_id(route: APIRoute) -> str:
    """Name the operation after its function, so that generated clients have `create_ticket(…)`."""
    return route.name
