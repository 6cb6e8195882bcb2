"""Refuses requests over the rate limit (429), and adds the remaining quota to the headers of every response.

The headers follow draft-ietf-httpapi-ratelimit-headers-10.
"""

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
    """Applies the application's rate limiter to each request; probes, metrics and documentation pages are exempt."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process one request."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        limiter: RateLimiter = scope["app"].state.rate_limiter
        verdict = await limiter.consume(_name(scope))
        headers = _headers(limiter.rate, verdict)

        async def send_with_quota(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        if verdict.passes:
            await self._app(scope, receive, send_with_quota)
            return
        metrics.rate_limited_requests.inc()
        retry = {"Retry-After": str(limiter.rate.next_after_s(verdict.ahead_us))}
        await error_response(Request(scope), RateLimited, retry)(scope, receive, send_with_quota)


def _name(scope: Scope) -> str:
    """Return the name that a request counts under: its principal, or its client address if it is anonymous."""
    principal = scope.get(PRINCIPAL_KEY)
    if principal is not None and principal.id != ANONYMOUS.id:
        return f"principal:{principal.id}"
    client = scope.get("client")
    return f"address:{client_of(client[0]) if client else ''}"


def _headers(rate: Rate, verdict: Verdict) -> list[tuple[bytes, bytes]]:
    remaining, full_after_s = rate.remaining(verdict.ahead_us), rate.full_after_s(verdict.ahead_us)
    return [
        (b"ratelimit-policy", b'"%s";q=%d;w=%d' % (_POLICY, rate.quota, rate.window_s)),
        (b"ratelimit", b'"%s";r=%d;t=%d' % (_POLICY, remaining, full_after_s)),
    ]
