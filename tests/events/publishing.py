"""A process that publishes until it is killed: `publishing.py DSN`. It prints a line when it begins."""

import asyncio
import sys

from db.postgres.database import Database
from services.events.publisher import EventPublisher
from services.tickets.commit_signal import CommitSignal


async def publish(dsn: str) -> None:
    """Publish the events of a database until the process ends."""
    publisher = EventPublisher(Database(dsn, pool_size=1), CommitSignal())
    await publisher.publish_round()
    sys.stdout.write("publishing\n")
    sys.stdout.flush()
    await publisher.run()


if __name__ == "__main__":
    asyncio.run(publish(sys.argv[1]))
