"""The command that manages the event log.

    ./entrypoint.sh python src/events.py status
    ./entrypoint.sh python src/events.py new-epoch

A new epoch makes every cursor of the feed invalid, so that its readers begin anew. It is needed after a recovery to a
point in time, and after the promotion of a standby that had not received everything: positions may be used again. A
database that was restored from a dump gets one by itself when the service starts.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from alembic.util import CommandError
from pydantic import ValidationError

from core.errors import ServiceError
from core.settings import Settings, describe_errors
from db.embedded import ServerDidNotStart, postgres_dsn
from db.postgres.database import Database, wait_until_reachable
from db.postgres.migrations import migrate
from services.events import statements as sql
from services.events.epochs import begin_epoch
from services.events.lag import measure_lag

_NOT_NUMBERED: Final = "the history is not numbered yet: a migration does that"


def main() -> None:
    """Run the subcommand of the arguments. Exits with status 1 and one line of explanation if it fails."""
    arguments = _arguments()
    try:
        settings = Settings()
        with postgres_dsn(settings) as dsn:
            asyncio.run(wait_until_reachable(dsn, timeout_s=settings.startup_timeout))
            migrate(dsn)
            asyncio.run(_with_database(dsn, arguments.run))
    except (ServiceError, ServerDidNotStart, CommandError) as reason:
        sys.exit(f"events: {reason}")
    except ValidationError as error:
        sys.exit(f"events: {describe_errors(error)}")


def _arguments() -> argparse.Namespace:
    """Return the valid arguments. Exits with status 2 and a message that names the choices if they are invalid."""
    parser = argparse.ArgumentParser(prog="events", description="Show the event log, or begin a new epoch of it.")
    actions = parser.add_subparsers(dest="command")
    actions.add_parser("status", help="show the positions, the epoch and the lag").set_defaults(run=_status)
    new_epoch = actions.add_parser("new-epoch", help="make every cursor of the feed invalid, after a restore")
    new_epoch.set_defaults(run=_new_epoch)
    arguments = parser.parse_args()
    if arguments.command is None:
        parser.error("a command is missing: status or new-epoch")
    return arguments


async def _with_database(dsn: str, use: Callable[[Database], Awaitable[None]]) -> None:
    database = Database(dsn, pool_size=1)
    try:
        await use(database)
    finally:
        await database.close()


async def _status(database: Database) -> None:
    async with database.reading() as connection:
        state = await connection.one_or_none(sql.POSITIONS)
    if state is None:
        sys.exit(f"events: {_NOT_NUMBERED}")
    print(f"epoch: {state.epoch}")
    print(f"first position: {state.first_position}")
    print(f"last position: {state.last_position}")
    if state.is_restored:
        print("restored: yes; nothing is published before `new-epoch`, or before a start of the service")
        return
    lag = await measure_lag(database)
    print(f"waiting: {lag.events} events, the first for {lag.seconds:.1f} s")


async def _new_epoch(database: Database) -> None:
    epoch = await begin_epoch(database)
    if epoch is None:
        sys.exit(f"events: {_NOT_NUMBERED}")
    print(f"epoch: {epoch}")
