"""Long polls: pages of the feed that wait for an event."""

import asyncio
import random
from typing import Final

from core import deadline
from core.errors import DeadlineExceeded
from core.process import ShutdownState
from schemas.cloud_events import StreamQuery
from services.access.principal import Principal
from services.events.feed import EventFeed, Filters, FoundPage, Start
from services.events.hub import EventHub
from services.events.subscriber import Subscriber

# At a shutdown, long polls end spread over this time, so that not all clients come back at the same moment.
END_WITHIN_S: Final = 1.8
# With the wait for the other readers.
READ_TIMEOUT_S: Final = 10


class LongPolls:
    """Waits for events at the hub, which reads the log once for all."""

    def __init__(self, feed: EventFeed, hub: EventHub, shutdown: ShutdownState) -> None:
        self._feed = feed
        self._hub = hub
        self._shutdown = shutdown

    async def page(self, query: StreamQuery, ticket_id: int | None, principal: Principal) -> bytes:
        """Return a page as JSON when there is an event, at the latest after `query.wait` seconds.

        At the shutdown of the process the page is empty. Raises what `EventFeed.page` raises.
        """
        ends_at = asyncio.get_running_loop().time() + query.wait
        found = await self._feed.find(query, ticket_id, principal)
        if not found.items and not found.has_more:
            subscriber = Subscriber(
                found.position, await self._feed.viewer_of(principal), Filters(frozenset(query.types), ticket_id)
            )
            with self._hub.subscribed(subscriber):
                found = await self._next(found, subscriber, principal, query.limit, ends_at)
        return await self._feed.as_json(found)

    async def _next(
        self, found: FoundPage, subscriber: Subscriber, principal: Principal, limit: int, ends_at: float
    ) -> FoundPage:
        """Read when the subscriber is signalled and at the end of the wait; return the first page with an event."""
        is_last = False
        while not (is_last or found.items or found.has_more):
            is_last = not await _wait(subscriber, ends_at) or subscriber.is_ended
            subscriber.expect()
            try:
                found = await self._read(Start(subscriber.position, found.epoch), subscriber, principal, limit)
            except DeadlineExceeded:
                if not self._shutdown:
                    raise
            if self._shutdown and not found.items:
                await asyncio.sleep(random.uniform(0, END_WITHIN_S))  # noqa: S311 - not a secret
                return FoundPage((), subscriber.position, subscriber.position, found.epoch)
            subscriber.position = found.position
        return found

    async def _read(self, start: Start, subscriber: Subscriber, principal: Principal, limit: int) -> FoundPage:
        read = self._feed.read_in_turn(start, subscriber.filters, principal, limit)
        if subscriber.is_ended and not self._shutdown:  # the log was renewed: the feed says so
            return await read
        return await subscriber.limited(read, READ_TIMEOUT_S)


async def _wait(subscriber: Subscriber, ends_at: float) -> bool:
    """Return whether the subscriber was signalled in time. The wait does not count as time of the request's work."""
    clock = asyncio.get_running_loop().time
    began_at = clock()
    try:
        return await subscriber.wait(ends_at - began_at)
    finally:
        deadline.postpone(clock() - began_at)
