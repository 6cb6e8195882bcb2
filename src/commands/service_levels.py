"""The command that compares the clocks and timers of tickets with their events.

    ./entrypoint.sh python src/service_levels.py check
    ./entrypoint.sh python src/service_levels.py repair

`check` names each ticket that is not closed whose columns differ from what its events lead to; the exit status is 1 if
there is one. `repair` corrects these tickets, each by an ordinary change. Both compute with the calendars as they are
now.
"""

import argparse
import asyncio
import sys
from typing import Final

from pydantic import ValidationError

from core.errors import ServiceError
from core.settings import Settings, describe_errors
from db.resources import open_resources
from services.automation.auto_close import AutoCloseTimes
from services.automation.settings import AutomationDefinitions
from services.sla.repair import ClockRepair
from services.tickets.changes import TicketChanges
from services.tickets.service import lookup_schema

_COMMANDS: Final = {"check": "name the tickets whose clocks differ from their events", "repair": "correct them"}


def main() -> None:
    """Run the subcommand of the arguments. Exits with status 1 if tickets differ, or with a line of explanation."""
    parser = argparse.ArgumentParser(prog="service_levels", description="Check or repair the clocks of tickets.")
    actions = parser.add_subparsers(dest="command", required=True)
    for name, text in _COMMANDS.items():
        actions.add_parser(name, help=text)
    is_repair = parser.parse_args().command == "repair"
    try:
        settings = Settings()
        if settings.database_dsn is None or settings.redis_host is None:
            sys.exit("service_levels: DATABASE_DSN and REDIS_HOST must be set")
        found = asyncio.run(_run(settings, is_repair=is_repair))
    except ServiceError as reason:
        sys.exit(f"service_levels: {reason}")
    except ValidationError as error:
        sys.exit(f"service_levels: {describe_errors(error)}")
    if found and not is_repair:
        sys.exit(1)


async def _run(settings: Settings, *, is_repair: bool) -> int:
    """Print the tickets that differ, and return how many they are."""
    async with open_resources(settings, body_schema=lookup_schema()) as resources:
        close = AutoCloseTimes(settings.auto_close_after, settings.auto_close_notice)
        definitions = AutomationDefinitions(resources.database, close)
        changes = TicketChanges(resources.database, resources.cache, resources.groups, definitions)
        repair = ClockRepair(resources.database, changes, definitions)
        count = 0
        async for difference in repair.differences():
            count += 1
            print(f"ticket {difference.ticket_id}: {', '.join(difference.columns)}", flush=True)
            if is_repair:
                await repair.correct(difference.ticket_id)
    print(f"{count} tickets {'were corrected' if is_repair else 'differ'}")
    return count
