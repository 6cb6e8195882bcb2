"""Cross-origin requests of browsers (CORS): which origins may call the service, what they may send and read."""

from collections.abc import Sequence
from typing import Final

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request

_ALLOWED_METHODS: Final = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE")
_ALLOWED_HEADERS: Final = (
    *("Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "X-Request-Id"),
    "Cache-Control",
)
_EXPOSED_HEADERS: Final = (
    *("ETag", "Location", "Link", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id", "Cache-Status"),
    "Idempotent-Replayed",
)
_MAX_AGE_S: Final = 600


def cors(origins: Sequence[str]) -> Middleware:
    """Return the middleware for these origins. It responds to preflights, which carry no credentials.

    The service uses no cookies, so credentials in the sense of CORS are not allowed: a page sends its own
    `Authorization`.
    """
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=_ALLOWED_METHODS,
        allow_headers=_ALLOWED_HEADERS,
        expose_headers=_EXPOSED_HEADERS,
        max_age=_MAX_AGE_S,
    )


def cors_headers(request: Request) -> dict[str, str]:
    """Return the headers that the middleware would add to a response. An unexpected error is sent outside of it."""
    origins, origin = request.app.state.cors_origins, request.headers.get("Origin")
    if not origins:
        return {}
    if origin is None or origin not in origins:
        return {"Vary": "Origin"}
    exposed = ", ".join(_EXPOSED_HEADERS)
    return {"Vary": "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": exposed}
