"""So many requests are carried out at once and no more: the others wait briefly, and are refused (503) if they must."""

import asyncio
from collections import deque
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.paths import UNLIMITED
from api.problems.handlers import RETRY_AFTER_S, error_response
from core.errors import Overloaded

TIMEOUT_S: Final = 1.0


class ConcurrencyLimiter:
    """Some places, handed on from one to the next in the order of coming; as many as there are may wait for one."""

    def __init__(self, count: int) -> None:
        self._most_waiting = count
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def free(self) -> int:
        """How many places nobody has."""
        return self._free

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    async def take(self, timeout_s: float) -> bool:
        """Take a place, which must be given back, or return False if there was none in time."""
        if self._free:
            self._free -= 1
            return True
        if len(self._waiting) >= self._most_waiting:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except BaseException as end:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():  # the place came in the very moment in which the wait ended
                self.give_back()
            if isinstance(end, TimeoutError):
                return False
            raise
        return True

    def give_back(self) -> None:
        """Hand a place on to who waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class ConcurrencyMiddleware:
    """Gives each request a place while it is carried out; the probes and the pages need none."""

    def __init__(self, app: ASGIApp, *, places: ConcurrencyLimiter) -> None:
        self._app = app
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
        elif await self._places.take(TIMEOUT_S):
            try:
                await self._app(scope, receive, send)
            finally:
                self._places.give_back()
        else:
            wait = {"Retry-After": str(RETRY_AFTER_S)}
            await error_response(Request(scope), Overloaded, wait)(scope, receive, send)
