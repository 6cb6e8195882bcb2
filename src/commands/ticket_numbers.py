"""The command that computes the numbers of tickets again from all events.

    ./entrypoint.sh python src/ticket_numbers.py rebuild

The service may run meanwhile: it shows the old numbers until the new ones replace them. If the command is interrupted,
the background work finishes the rebuild.
"""

import argparse
import asyncio
import sys

from pydantic import ValidationError

from core.errors import ServiceError
from core.settings import Settings, describe_errors
from db.postgres.database import Database
from services.numbers.rollup import NumberRollup


def main() -> None:
    """Run the subcommand of the arguments. Exits with status 1 and a line of explanation if it cannot."""
    parser = argparse.ArgumentParser(prog="ticket_numbers", description="Compute the numbers of tickets again.")
    parser.add_subparsers(dest="command", required=True).add_parser("rebuild", help="compute them from all events")
    parser.parse_args()
    try:
        settings = Settings()
        if settings.database_dsn is None:
            sys.exit("ticket_numbers: DATABASE_DSN must be set")
        asyncio.run(_rebuild(settings.database_dsn.get_secret_value()))
    except ServiceError as reason:
        sys.exit(f"ticket_numbers: {reason}")
    except ValidationError as error:
        sys.exit(f"ticket_numbers: {describe_errors(error)}")


async def _rebuild(dsn: str) -> None:
    database = Database(dsn, pool_size=1)
    try:
        steps = await NumberRollup(database).rebuild()
    finally:
        await database.close()
    print(f"the numbers were rebuilt in {steps} steps", flush=True)
