"""The command that runs the work in the background and serves no requests.

    ./entrypoint.sh worker

It publishes events, delivers them to webhooks, fires timers, reminds, sends drafts and makes bulk changes, for
services with `WORK=off`. Several workers share the work. SIGTERM and SIGINT stop it; requests to webhooks that are in
progress have two seconds then.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import start_http_server

from commands.start_checks import CannotServe, load_settings, migrate_database
from core import logs
from core.metrics import REGISTRY
from core.output import Output
from core.process import BackgroundState
from core.settings import Settings
from db.resources import open_resources
from services.automation.auto_close import AutoCloseTimes
from services.automation.settings import AutomationDefinitions
from services.directory.assignees import Assignees
from services.events.publisher import EventPublisher
from services.fields.definitions import FieldDefinitions
from services.tickets.changes import TicketChanges
from services.tickets.service import TicketService, lookup_schema
from services.tickets.working_fields import WorkingFields
from services.webhooks.addresses import AddressPolicy
from services.webhooks.schedule import DEFAULT_SCHEDULE, Schedule
from services.webhooks.sender import Sender
from workers.background import IN_FLIGHT_OF_WORKER, automation_work, desk_work, event_work, webhook_work
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
        _ensure_configured(settings)
        migrate_database(settings)
        asyncio.run(_work(settings, schedule))
    except CannotServe as reason:
        Output(sys.stderr).write_line(f"tickets: {reason}")
        sys.exit(1)


def _ensure_configured(settings: Settings) -> None:
    """Raise CannotServe unless the settings name the servers of the service."""
    if settings.database_dsn is None or settings.redis_host is None:
        raise CannotServe("DATABASE_DSN and REDIS_HOST must be set: a worker starts no embedded servers")


async def _work(settings: Settings, schedule: Schedule) -> None:
    is_stopped = asyncio.Event()
    for signum in _STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(signum, is_stopped.set)
    async with open_resources(settings, body_schema=lookup_schema()) as resources:
        database = resources.database
        close = AutoCloseTimes(settings.auto_close_after, settings.auto_close_notice)
        automation = AutomationDefinitions(database, close)
        changes = TicketChanges(database, resources.cache, resources.groups, automation)
        working_fields = WorkingFields(Assignees(database), FieldDefinitions(database))
        tickets = TicketService(database, resources.cache, changes, working_fields)
        sender = Sender(AddressPolicy(settings.webhook_allow or ()))
        publisher = EventPublisher(database, changes.committed)
        works = [
            *event_work(database, publisher, retention_days=settings.event_retention_days),
            *webhook_work(database, publisher, sender, max_in_flight=IN_FLIGHT_OF_WORKER, schedule=schedule),
            *automation_work(database, changes, automation),
            *desk_work(database, changes, tickets, working_fields),
        ]
        try:
            with _exporting_metrics(settings):
                async with Runner(works, BackgroundState()):
                    _log.info("the worker runs")
                    await is_stopped.wait()
        finally:
            await sender.close()


@contextmanager
def _exporting_metrics(settings: Settings) -> Iterator[None]:
    """Serve the metrics of this process at WORKER_METRICS_PORT. Raises CannotServe if the port is not free."""
    if settings.worker_metrics_port == 0:
        yield
        return
    try:
        server, thread = start_http_server(settings.worker_metrics_port, settings.host, REGISTRY)
    except OSError as error:
        port = settings.worker_metrics_port
        raise CannotServe(f"cannot serve metrics on {settings.host}:{port} ({error.strerror})") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
