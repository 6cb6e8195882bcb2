"""Sets the deadline of each request."""

from starlette.types import ASGIApp, Receive, Scope, Send

from core import deadline


class DeadlineMiddleware:
    """Gives each request `timeout_s` seconds to complete its work; `RequestBodyMiddleware` adds the time of the upload.

    `db.postgres.database` enforces the deadline. Only there may a request wait for long, and only there is it known
    whether a commit was in progress. Cancelling the whole request here would lose that knowledge.
    """

    def __init__(self, app: ASGIApp, *, timeout_s: float) -> None:
        self._app = app
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = deadline.begin(self._timeout_s)
        try:
            await self._app(scope, receive, send)
        finally:
            deadline.end(token)
