"""What is seen of every request: counted and timed for /metrics, and one line in the log."""

import logging
from collections.abc import Awaitable
from http import HTTPStatus
from time import perf_counter
from typing import Final

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.logged_ticket import CREATED_KEY, ticket_field
from api.middleware.authentication import PRINCIPAL_KEY
from api.paths import POLLED
from core import logs, metrics
from services.operation.metrics_reporter import InFlight

# Paths are the clients' to invent: those that lead nowhere, or were refused before a route was found, share one name.
UNMATCHED: Final = "unmatched"

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER: Final = "other"
# What nginx writes of a client that went away before it had an answer.
_NO_ANSWER: Final = 499
_SCOPE_KEY: Final = "innermost"

_log = logging.getLogger(__name__)


class AccessLogMiddleware:
    """Sees every request first and every answer last; put it outside of all other middleware."""

    def __init__(self, app: ASGIApp, *, in_flight: InFlight) -> None:
        self._app = app
        self._in_flight = in_flight
        self._timers: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_at = perf_counter()
        innermost = scope[_SCOPE_KEY] = [scope]
        logs.request.set(scope)
        status, is_told = 0, False

        async def watched(message: Message) -> None:
            nonlocal status, is_told
            if message["type"] == "http.response.start":
                if message["status"] == HTTPStatus.CREATED:
                    scope[CREATED_KEY] = message["headers"]
                status = message["status"]
            elif not (is_told or message.get("more_body", False)):
                # Before it is sent: whoever has the answer finds it counted, whichever process they ask.
                is_told = True
                self._tell(scope, innermost[0], status, perf_counter() - began_at)
            await send(message)

        self._in_flight.count += 1
        try:
            await self._app(scope, receive, watched)
        except Exception:
            status = status or 500
            raise
        finally:
            self._in_flight.count -= 1
            if not is_told:
                self._tell(scope, innermost[0], status or _NO_ANSWER, perf_counter() - began_at)
            innermost.clear()  # a scope that held itself would be left to the garbage collector

    def _tell(self, scope: Scope, innermost: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        route = _route_of(innermost)
        timer = self._timers.get((method, route, status))
        if timer is None:
            timer = self._timers[method, route, status] = metrics.request_seconds.labels(method, route, status)
        timer.observe(seconds)
        level = _level(status, route)
        if not _log.isEnabledFor(level):
            return
        record = logging.LogRecord(_log.name, level, "", 0, f"{method} {route} {status}", None, None)
        principal = innermost.get(PRINCIPAL_KEY) or scope.get(PRINCIPAL_KEY)
        client = scope.get("client")
        record.fields = {
            "principal": None if principal is None else principal.id,
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
            "client": client[0] if client else None,
            **ticket_field(scope),
        }
        _log.handle(record)


def _route_of(scope: Scope) -> str:
    """Return the template of the path, as the route that was found has it."""
    if (route := scope.get("route")) is not None:
        return str(route.path)
    if "app_root_path" in scope:  # a folder of files
        return str(scope["root_path"])
    # A route of Starlette's own does not tell itself; without parameters its template is the path.
    return scope["path"] if "endpoint" in scope and not scope.get("path_params") else UNMATCHED


class RouteScope:
    """Hands `AccessLogMiddleware` the scope that the routes write to: middleware in between may have copied it.

    Put it inside of all other middleware.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hand on a request."""
        if _SCOPE_KEY in scope:
            scope[_SCOPE_KEY][0] = scope
        return self._app(scope, receive, send)


def _level(status: int, route: str) -> int:
    """Return how loud a request is told: a 500 is a defect of ours, another 5xx says that something is away.

    What is asked for every few seconds is news only when it fails.
    """
    if status >= 500:
        return logging.ERROR if status == 500 else logging.WARNING
    return logging.DEBUG if route in POLLED else logging.INFO
