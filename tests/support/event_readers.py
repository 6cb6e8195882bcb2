"""The readers of the event log of one process, without the service around them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from core.process import ShutdownState
from db.postgres.database import Database
from models import Role
from services.access.principal import Principal
from services.cursors import StoredCursors
from services.events.feed import EventFeed
from services.events.hub import EventHub
from services.events.long_poll import LongPolls
from services.events.publisher import EventPublisher
from services.events.stream import EventStreams

AGENT = Principal("key:agent", Role.AGENT)
ALICE = Principal("key:alice", Role.REQUESTER, "alice@example.com")
BOB = Principal("key:bob", Role.REQUESTER, "bob@example.com")


@dataclass(frozen=True)
class Readers:
    """The hub, which runs, and what reads with it."""

    shutdown: ShutdownState
    hub: EventHub
    feed: EventFeed
    polls: LongPolls
    streams: EventStreams

    async def until_following(self) -> None:
        """Return when the hub follows the log, because there is a subscriber."""
        async with asyncio.timeout(5):
            while self.hub.position is None:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def reading(database: Database, publisher: EventPublisher) -> AsyncIterator[Readers]:
    """Run a hub on a database, in which the block itself publishes."""
    cursors, shutdown = StoredCursors(database), ShutdownState()
    hub, feed = EventHub(database, cursors, publisher.published, shutdown), EventFeed(database, cursors)
    running = asyncio.create_task(hub.run())
    try:
        yield Readers(shutdown, hub, feed, LongPolls(feed, hub, shutdown), EventStreams(feed, hub, cursors, shutdown))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
