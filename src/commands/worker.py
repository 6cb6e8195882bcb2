"""The command that runs the work in the background and serves no requests.

    ./entrypoint.sh worker

It publishes events and delivers them to webhooks, for services with `WORK=off`. Several workers share the work. SIGTERM
and SIGINT stop it; requests to webhooks that are in progress have two seconds then.
"""

import asyncio
import logging
import signal
import sys
from typing import Final

from commands.start_checks import CannotServe, load_settings, migrate_database
from core import logs
from core.output import Output
from core.process import BackgroundState
from core.settings import Settings
from db.postgres.database import Database
from services.events.publisher import EventPublisher
from services.tickets.commit_signal import CommitSignal
from services.webhooks.addresses import AddressPolicy
from services.webhooks.schedule import DEFAULT_SCHEDULE, Schedule
from services.webhooks.sender import Sender
from workers.background import IN_FLIGHT_OF_WORKER, background_work
from workers.runner import Runner

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_log = logging.getLogger(__name__)


def main(schedule: Schedule = DEFAULT_SCHEDULE) -> None:
    """Work until a signal stops the process. Exits with status 1 and one line of explanation if it cannot work.

    Tests pass a shorter schedule.
    """
    logging.basicConfig(format="tickets: %(message)s")
    try:
        settings = load_settings()
        logs.configure(settings)
        dsn = _dsn(settings)
        migrate_database(settings)
        asyncio.run(_work(settings, dsn, schedule))
    except CannotServe as reason:
        Output(sys.stderr).write_line(f"tickets: {reason}")
        sys.exit(1)


def _dsn(settings: Settings) -> str:
    if settings.database_dsn is None:
        raise CannotServe("DATABASE_DSN must be set: a worker starts no embedded server")
    return settings.database_dsn.get_secret_value()


async def _work(settings: Settings, dsn: str, schedule: Schedule) -> None:
    is_stopped = asyncio.Event()
    for signum in _STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(signum, is_stopped.set)
    database = Database(dsn, pool_size=settings.database_pool_size)
    sender = Sender(AddressPolicy(settings.webhook_allow or ()))
    # No transaction of this process commits a change: it finds those of others by polling.
    publisher = EventPublisher(database, CommitSignal())
    works = background_work(
        database,
        publisher,
        sender,
        max_in_flight=IN_FLIGHT_OF_WORKER,
        retention_days=settings.event_retention_days,
        schedule=schedule,
    )
    try:
        async with Runner(works, BackgroundState()):
            _log.info("the worker runs")
            await is_stopped.wait()
    finally:
        await sender.close()
        await database.close()
