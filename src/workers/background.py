"""The work that belongs to no request: with `WORK=inline` each serving process runs it, otherwise worker processes.

Any number of processes may run it: each piece of work claims what it does, and what a killed process had claimed is
done again by another one.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from db.postgres.database import Database
from services.automation.due_reminders import DueReminders
from services.automation.settings import AutomationDefinitions
from services.automation.timers import TicketTimers
from services.bulk.runner import BulkRunner
from services.drafts.due_drafts import DueDrafts
from services.events.publisher import EventPublisher
from services.events.retention import purge_continually as purge_log_continually
from services.numbers.rollup import NumberRollup
from services.secret_box import SecretBox
from services.tickets.changes import TicketChanges
from services.tickets.service import TicketService
from services.tickets.working_fields import WorkingFields
from services.webhooks.deliverer import Deliverer
from services.webhooks.feeder import Feeder
from services.webhooks.maintenance import purge_continually as purge_webhooks_continually
from services.webhooks.schedule import DEFAULT_SCHEDULE, Schedule
from services.webhooks.sender import Sender
from workers.runner import Work

# Requests to webhooks at once: beside the requests of clients, and in a process that has nothing else to do.
IN_FLIGHT_INLINE: Final = 20
IN_FLIGHT_OF_WORKER: Final = 200


def event_work(database: Database, publisher: EventPublisher, *, retention_days: int) -> Sequence[Work]:
    """Return the work on the event log."""
    return [
        Work("publish-events", publisher.run),
        Work("purge-event-log", partial(purge_log_continually, database, retention_days=retention_days)),
    ]


def webhook_work(
    database: Database,
    publisher: EventPublisher,
    sender: Sender,
    *,
    max_in_flight: int,
    schedule: Schedule = DEFAULT_SCHEDULE,
) -> Sequence[Work]:
    """Return the work on webhooks."""
    deliverer = Deliverer(database, sender, SecretBox(database), max_in_flight=max_in_flight, schedule=schedule)
    feeder = Feeder(database, wake_deliverer=deliverer.wake)
    return [
        Work("feed-webhooks", partial(feeder.run, publisher.published)),
        Work("deliver-webhooks", deliverer.run),
        Work("purge-webhooks", partial(purge_webhooks_continually, database)),
    ]


def automation_work(database: Database, changes: TicketChanges, definitions: AutomationDefinitions) -> Sequence[Work]:
    """Return the work that changes tickets by itself."""
    return [
        Work("fire-timers", TicketTimers(database, changes, definitions).run),
        Work("remind", DueReminders(database, changes).run),
    ]


def desk_work(
    database: Database, changes: TicketChanges, tickets: TicketService, working_fields: WorkingFields
) -> Sequence[Work]:
    """Return the work that finishes what agents have begun."""
    return [
        Work("send-drafts", DueDrafts(database, tickets).run),
        Work("compute-numbers", NumberRollup(database).run),
        Work("run-bulk-changes", BulkRunner(database, changes, working_fields).run),
    ]
