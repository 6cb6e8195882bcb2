"""Records every request: one observation in the metrics, and one line in the log."""

import logging
from collections.abc import Awaitable
from http import HTTPStatus
from time import perf_counter
from typing import Final

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.event_stream import WAITING_KEY
from api.http.logged_ticket import CREATED_KEY, ticket_field
from api.middleware.authentication import PRINCIPAL_KEY
from api.paths import POLLED
from core import logs, metrics
from services.operation.metrics_reporter import InFlight

# Clients can invent paths without limit. Requests that no route was found for share one name, which bounds the labels.
UNMATCHED: Final = "unmatched"

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER: Final = "other"
# As in nginx: the client closed the connection before it got a response.
_CLIENT_CLOSED: Final = 499
_SCOPE_KEY: Final = "route_scope"

_log = logging.getLogger(__name__)


class AccessLogMiddleware:
    """Counts, times and logs each request. It is the outermost middleware, so it sees every request and response."""

    def __init__(self, app: ASGIApp, *, in_flight: InFlight) -> None:
        self._app = app
        self._in_flight = in_flight
        self._timers: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_at = perf_counter()
        route_scope = scope[_SCOPE_KEY] = [scope]
        logs.request.set(scope)
        status, is_recorded = 0, False

        async def send_recorded(message: Message) -> None:
            nonlocal status, is_recorded
            if message["type"] == "http.response.start":
                if message["status"] == HTTPStatus.CREATED:
                    route_scope[0][CREATED_KEY] = message["headers"]
                status = message["status"]
            elif not (is_recorded or message.get("more_body", False)):
                # Before the last part is sent: a client that has its response finds the request in the metrics.
                is_recorded = True
                self._record(scope, route_scope[0], status, perf_counter() - began_at)
            await send(message)

        self._in_flight.count += 1
        try:
            await self._app(scope, receive, send_recorded)
        except Exception:
            status = status or 500
            raise
        finally:
            self._in_flight.count -= 1
            if not is_recorded:
                self._record(scope, route_scope[0], status or _CLIENT_CLOSED, perf_counter() - began_at)
            route_scope.clear()  # a scope that contains itself would be left to the garbage collector

    def _record(self, scope: Scope, route_scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        route = _route_of(route_scope)
        timer = self._timers.get((method, route, status))
        if timer is None:
            timer = self._timers[method, route, status] = metrics.request_seconds.labels(method, route, status)
        if WAITING_KEY not in route_scope:
            timer.observe(seconds)
        level = _level(status, route)
        if not _log.isEnabledFor(level):
            return
        record = logging.LogRecord(_log.name, level, "", 0, f"{method} {route} {status}", None, None)
        principal = route_scope.get(PRINCIPAL_KEY) or scope.get(PRINCIPAL_KEY)
        client = scope.get("client")
        record.fields = {
            "principal": None if principal is None else principal.id,
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
            "client": client[0] if client else None,
            **ticket_field(route_scope),
        }
        record.may_wait = True  # for the other lines of this turn of the event loop: see `core.output`
        _log.handle(record)


class RouteScopeMiddleware:
    """Passes the scope that the router writes to on to `AccessLogMiddleware`; middleware in between may have copied it.

    It is the innermost middleware except for `FastPathMiddleware`, which writes to the scope as the router does.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Process one request."""
        if _SCOPE_KEY in scope:
            scope[_SCOPE_KEY][0] = scope
        return self._app(scope, receive, send)


def _route_of(scope: Scope) -> str:
    """Return the path template of the route that was found, from what the routers leave in the scope.

    FastAPI sets `route`. Starlette sets `endpoint` and `path_params`, and for a mounted application, such as a folder
    of static files, `app_root_path` and `root_path`.
    """
    if (route := scope.get("route")) is not None:
        return str(route.path)
    if "app_root_path" in scope:
        return str(scope["root_path"])
    # Without parameters, the template of a Starlette route is the path itself.
    return scope["path"] if "endpoint" in scope and not scope.get("path_params") else UNMATCHED


def _level(status: int, route: str) -> int:
    """Return the log level of a request.

    ERROR for 500, a defect of the service; WARNING for any other 5xx, something is unavailable; DEBUG for a polled
    route that succeeds; INFO otherwise.
    """
    if status >= 500:
        return logging.ERROR if status == 500 else logging.WARNING
    return logging.DEBUG if route in POLLED else logging.INFO
