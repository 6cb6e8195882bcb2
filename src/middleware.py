"""The middleware of the service: what a request passes before it reaches its route."""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from api.middleware.access_log import AccessLogMiddleware, RouteScopeMiddleware
from api.middleware.authentication import AuthenticationMiddleware
from api.middleware.concurrency import ConcurrencyLimiter, ConcurrencyMiddleware
from api.middleware.cors import cors
from api.middleware.deadline import DeadlineMiddleware
from api.middleware.fast_path import FastPathMiddleware
from api.middleware.rate_limit import RateLimitMiddleware
from api.middleware.request_body import RequestBodyMiddleware
from api.middleware.request_id import RequestIdMiddleware
from api.middleware.request_limits import RequestLimitsMiddleware
from core.process import ShutdownState
from core.settings import Settings
from desk.authentication import PageAuthenticationMiddleware
from desk.problems import DeskProblemsMiddleware
from desk.same_origin import SameOriginMiddleware
from services.access.failed_authentications import FailedAuthentications
from services.operation.metrics_reporter import InFlight

MAX_BODY_BYTES = 1024 * 1024


def middleware(
    settings: Settings,
    failures: FailedAuthentications,
    in_flight: InFlight,
    shutdown: ShutdownState,
    *,
    is_traced: bool,
) -> list[Middleware]:
    """Return the middleware, the outermost first: a request passes the list from top to bottom."""
    limiter = ConcurrencyLimiter(settings.max_concurrent_requests)
    chain = [
        # First, so that every request is in the metrics and in the log, whichever part below refuses it.
        Middleware(AccessLogMiddleware, in_flight=in_flight),
        # Before anything that waits.
        Middleware(DeadlineMiddleware, timeout_s=settings.request_timeout),
        # Before anything that creates a response: each response needs the id and the security headers.
        Middleware(RequestIdMiddleware, shutdown=shutdown),
        # Around everything that refuses requests.
        Middleware(DeskProblemsMiddleware),
        # Before authentication: a preflight carries no credentials. Browsers read refusals too.
        cors(settings.cors_origins or ()),
        # The cheapest refusals come first: these need the request target and the headers only.
        Middleware(RequestLimitsMiddleware, max_body_bytes=MAX_BODY_BYTES),
        # Before the rate limit, which counts by principal, and before any part of the body is read.
        Middleware(AuthenticationMiddleware, failures=failures),
        # The same for pages. A form of another site is refused whether the browser has a session or not.
        Middleware(SameOriginMiddleware),
        Middleware(PageAuthenticationMiddleware, timeout_s=settings.slow_client_timeout),
        Middleware(RateLimitMiddleware),
        # Before the concurrency limit: a slow upload occupies no slot.
        Middleware(RequestBodyMiddleware, timeout_s=settings.slow_client_timeout, max_bytes=MAX_BODY_BYTES),
        Middleware(ConcurrencyMiddleware, limiter=limiter),
        # After everything that copies the scope: the access log reads the route from it.
        Middleware(RouteScopeMiddleware),
        # Last: it calls the endpoints of the most frequent requests in place of the router.
        Middleware(FastPathMiddleware, max_body_bytes=MAX_BODY_BYTES),
    ]
    disabled: set[object] = set()
    if not settings.cors_origins:
        disabled.add(CORSMiddleware)
    if settings.rate_limit is None:
        disabled.add(RateLimitMiddleware)
    if is_traced:  # FastAPI creates the spans in its router, which the fast path bypasses
        disabled.add(FastPathMiddleware)
    return [middleware for middleware in chain if middleware.cls not in disabled]
