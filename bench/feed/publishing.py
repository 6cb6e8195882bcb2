"""A process that publishes and does nothing else, until it is stopped: `python -m bench.feed.publishing DSN`."""

import asyncio
import sys

from db.postgres.database import Database
from services.events.publisher import EventPublisher
from services.tickets.commit_signal import CommitSignal


async def publish(dsn: str) -> None:
    """Publish the events of a database."""
    await EventPublisher(Database(dsn, pool_size=1), CommitSignal()).run()


if __name__ == "__main__":
    asyncio.run(publish(sys.argv[1]))
