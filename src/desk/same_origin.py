"""Refuses forms that pages of other sites send (CSRF), by the headers about the origin of a request.

There are no tokens in forms: a page that was open for days can still be sent. The rule holds without a session as well:
while the service is unprotected, any site could otherwise make a browser on this machine send a form.
"""

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.paths import PAGES
from api.problems.handlers import handle_service_error
from core.errors import Forbidden

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# `none`: the user has caused the request, not a page.
_SAME_SITES: Final = frozenset({"same-origin", "none"})


class SameOriginMiddleware:
    """Refuses requests to pages by unsafe methods (403) unless a page of this service has sent them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process one request."""
        is_checked = scope["type"] == "http" and scope["path"] in PAGES and scope["method"] not in SAFE_METHODS
        if not is_checked or is_same_origin(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        error = Forbidden("a page of another origin has sent the form")
        await (await handle_service_error(Request(scope), error))(scope, receive, send)


def is_same_origin(headers: Headers) -> bool:
    """Return whether a browser says that a page of the same origin has sent a request.

    Browsers send `Sec-Fetch-Site` on https and to loopback addresses, and older ones `Origin` alone. A request without
    both comes from no browser, and is refused as well.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in _SAME_SITES
    host = headers.get("host", "").lower()
    # Without the scheme: behind a proxy that terminates TLS, the service may not know its own.
    _, _, named = headers.get("origin", "").lower().partition("://")
    return bool(host) and named == host
