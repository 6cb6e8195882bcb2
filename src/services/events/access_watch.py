"""Ends the streams whose credentials no longer give the access with which they were opened."""

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from core.errors import ServiceError, Unavailable
from services.access.principal import Principal
from services.events.subscriber import Subscriber

# With the age of a cached key, a revoked one ends its streams within 10 s.
CHECK_EVERY_S: Final = 3.0
CHECK_TIMEOUT_S: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """The credentials of a stream.

    `check` authenticates them again: it returns their principal, or raises a ServiceError. Equal keys mean equal
    credentials, which are checked once for all their streams.
    """

    key: str | None
    check: Callable[[], Awaitable[Principal]] = field(compare=False)


class AccessWatch:
    """Checks the credentials of all streams of the process."""

    def __init__(self) -> None:
        self._watched: dict[Access, _Watched] = {}

    @contextmanager
    def watching(self, subscriber: Subscriber, access: Access, principal: Principal) -> Iterator[None]:
        """End the subscriber when its credentials no longer authenticate this principal, while the block runs."""
        watched = self._watched.get(access)
        if watched is None:
            watched = self._watched[access] = _Watched(access)
        watched.subscribers[subscriber] = principal
        try:
            yield
        finally:
            del watched.subscribers[subscriber]
            if not watched.subscribers:
                watched.stop()
                del self._watched[access]


class _Watched:
    """The streams of the same credentials, and the task that checks these."""

    def __init__(self, access: Access) -> None:
        self.subscribers: dict[Subscriber, Principal] = {}
        self._access = access
        # Without the context of the request that opens the first stream, such as its trace.
        self._task = asyncio.create_task(self._check_continually(), context=contextvars.Context())

    def stop(self) -> None:
        """End the task."""
        self._task.cancel()

    async def _check_continually(self) -> None:
        clock = asyncio.get_running_loop().time
        checked_at = clock()
        while True:
            await asyncio.sleep(checked_at + CHECK_EVERY_S - clock())
            checked_at = clock()
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    principal = await self._access.check()
            except (Unavailable, TimeoutError):
                continue  # during an outage of PostgreSQL, streams go on
            except ServiceError:
                principal = None
            except Exception:  # noqa: BLE001 - an unchecked stream must not go on
                _log.exception("cannot check the credentials of streams; they end")
                principal = None
            for subscriber, opened_by in self.subscribers.items():
                if principal != opened_by:
                    subscriber.end()
