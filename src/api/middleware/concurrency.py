"""Limits the number of requests that are processed at once. Others wait briefly, and are refused (503) after that."""

import asyncio
from collections import deque
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.event_stream import accepts_stream, has_wait
from api.paths import UNLIMITED, is_of_events
from api.problems.handlers import RETRY_AFTER_S, error_response
from core.errors import Overloaded

TIMEOUT_S: Final = 1.0


class ConcurrencyLimiter:
    """A fair semaphore with a bounded queue: `limit` slots, and at most as many waiters, served first in, first out."""

    def __init__(self, limit: int) -> None:
        self._max_waiting = limit
        self._free = limit
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def free(self) -> int:
        """The number of free slots."""
        return self._free

    @property
    def waiting(self) -> int:
        """The number of waiters."""
        return len(self._waiting)

    async def acquire(self, timeout_s: float) -> bool:
        """Acquire a slot and return True, or return False: the queue is full, or no slot became free in time."""
        if self._free:
            self._free -= 1
            return True
        if len(self._waiting) >= self._max_waiting:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except BaseException as end:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():  # the slot was handed over at the same moment as the wait ended
                self.release()
            if isinstance(end, TimeoutError):
                return False
            raise
        return True

    def release(self) -> None:
        """Hand the slot over to the first waiter, or free it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _waits_for_events(scope: Scope) -> bool:
    """Return whether a request is a stream or a long poll: `StreamLimiter` limits these."""
    if not is_of_events(scope["path"]):
        return False
    return has_wait(scope["query_string"]) or accepts_stream(Headers(scope=scope))


class ConcurrencyMiddleware:
    """Processes each request in a slot of a `ConcurrencyLimiter`.

    Probes, metrics and documentation pages need none, and neither do streams and requests that wait for events.
    """

    def __init__(self, app: ASGIApp, *, limiter: ConcurrencyLimiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Process one request."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED or _waits_for_events(scope):
            await self._app(scope, receive, send)
        elif await self._limiter.acquire(TIMEOUT_S):
            try:
                await self._app(scope, receive, send)
            finally:
                self._limiter.release()
        else:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            await error_response(Request(scope), Overloaded, headers)(scope, receive, send)
