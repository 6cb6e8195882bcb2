"""The rate limit: who comes too often is told so (429), and every answer tells what is left.

The headers are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.middleware.authentication import PRINCIPAL_KEY
from api.paths import UNLIMITED
from api.problems.handlers import error_response
from core import metrics
from core.client_address import client_of
from core.errors import RateLimited
from core.rate import Rate, Verdict
from db.redis.rate_limit import RateLimiter
from services.access.principal import ANONYMOUS

_POLICY: Final = b"default"


class RateLimitMiddleware:
    """Lets requests through as far as `limiter()` does, which is asked once the application has started."""

    def __init__(self, app: ASGIApp, *, limiter: Callable[[], RateLimiter]) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        limiter = self._limiter()
        verdict = await limiter.consume(_name(scope))
        headers = _headers(limiter.rate, verdict)

        async def send_with_limit(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        if verdict.passes:
            await self._app(scope, receive, send_with_limit)
            return
        metrics.rate_limited_requests.inc()
        wait = {"Retry-After": str(limiter.rate.next_after_s(verdict.ahead_us))}
        await error_response(Request(scope), RateLimited, wait)(scope, receive, send_with_limit)


def _name(scope: Scope) -> str:
    """Return under which name a request counts: its principal's or, where there is none, its client address's."""
    principal = scope.get(PRINCIPAL_KEY)
    if principal is not None and principal != ANONYMOUS:
        return f"principal:{principal.id}"
    client = scope.get("client")
    return f"address:{client_of(client[0]) if client else ''}"


def _headers(rate: Rate, verdict: Verdict) -> list[tuple[bytes, bytes]]:
    left, full_after_s = rate.remaining(verdict.ahead_us), rate.full_after_s(verdict.ahead_us)
    return [
        (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (_POLICY, rate.quota, rate.window_s)),
        (b"ratelimit", b'"%s";r=%d;t=%d' % (_POLICY, left, full_after_s)),
    ]
