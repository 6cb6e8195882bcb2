"""What a request must know of time: its deadline."""

from starlette.types import ASGIApp, Receive, Scope, Send

from core import deadline


class DeadlineMiddleware:
    """Gives each request `seconds` in which its work must be done.

    `db.postgres.database` enforces the deadline: it is the only place where a request may wait for long, and the only
    place that knows whether a commit was under way. Cancelling the whole request here would lose that knowledge.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = deadline.begin(self._seconds)
        try:
            await self._app(scope, receive, send)
        finally:
            deadline.end(token)
