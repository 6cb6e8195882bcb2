"""The command that compares the clocks and timers of tickets with their events.

    ./entrypoint.sh python src/service_levels.py check
    ./entrypoint.sh python src/service_levels.py repair

`check` names each ticket that is not closed whose columns differ from what its events lead to; the exit status is 1 if
there is one. `repair` corrects these tickets, each by an ordinary change. If a change is refused, the others are made
nevertheless, and the exit status is 1. Both compute with the calendars as they are now.
"""

import argparse
import asyncio
import sys
from collections import Counter
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

_CORRECTED: Final = "corrected"
_SKIPPED: Final = "changed meanwhile"
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
        left = asyncio.run(_run(settings, is_repair=is_repair))
    except ServiceError as reason:
        sys.exit(f"service_levels: {reason}")
    except ValidationError as error:
        sys.exit(f"service_levels: {describe_errors(error)}")
    if left:
        sys.exit(1)


async def _run(settings: Settings, *, is_repair: bool) -> int:
    """Print the tickets that differ, and return how many they are; of a repair, how many were refused."""
    async with open_resources(settings, body_schema=lookup_schema()) as resources:
        close = AutoCloseTimes(settings.auto_close_after, settings.auto_close_notice)
        definitions = AutomationDefinitions(resources.database, close)
        changes = TicketChanges(resources.database, resources.cache, resources.groups, definitions)
        repair = ClockRepair(resources.database, changes, definitions)
        outcomes: Counter[str] = Counter()
        async for difference in repair.differences():
            outcome = await _corrected(repair, difference.ticket_id) if is_repair else "differs"
            print(f"ticket {difference.ticket_id}: {', '.join(difference.columns)}: {outcome}", flush=True)
            outcomes[outcome] += 1
    if not is_repair:
        print(f"{outcomes.total()} tickets differ")
        return outcomes.total()
    refused = outcomes.total() - outcomes[_CORRECTED] - outcomes[_SKIPPED]
    print(
        f"{outcomes[_CORRECTED]} tickets were corrected, {outcomes[_SKIPPED]} changed meanwhile, {refused} were refused"
    )
    return refused


async def _corrected(repair: ClockRepair, ticket_id: int) -> str:
    """Correct a ticket, and return what came of it."""
    try:
        return _CORRECTED if await repair.correct(ticket_id) else _SKIPPED
    except ServiceError as reason:
        return f"refused: {str(reason) or type(reason).__name__}"
