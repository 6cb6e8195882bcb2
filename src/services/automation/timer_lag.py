"""The lag of the timers: how long the oldest of those that are due has been due."""

from typing import Final

from sqlalchemy import DateTime, Float, cast, extract, func, literal_column, select

from core import metrics
from core.gauges import measure_continually
from db.postgres.database import Database
from db.postgres.statements import Statement, constant
from models import Reminder, TicketStatus, table_of
from services.tickets.statements import tickets

MEASURE_EVERY_S: Final = 5

_reminders: Final = table_of(Reminder)
_FIRST_TIMER: Final = (
    select(func.min(tickets.c.timer_at))
    .where(tickets.c.timer_at.is_not(None), tickets.c.status != constant(TicketStatus.CLOSED))
    .scalar_subquery()
)
_FIRST_REMINDER: Final = (
    select(func.min(_reminders.c.remind_at)).where(_reminders.c.reminded_at.is_(None)).scalar_subquery()
)
_LATE: Final = func.service_clock(type_=DateTime(timezone=True)) - func.least(_FIRST_TIMER, _FIRST_REMINDER)
LAG: Final = Statement(
    select(
        func.greatest(
            func.coalesce(cast(extract("epoch", _LATE), Float), literal_column("0")),
            literal_column("0"),
        )
    )
)


async def report_continually(database: Database) -> None:
    """Set the gauge every five seconds, until cancelled."""

    async def report() -> None:
        metrics.timer_lag.set(await measure(database))

    await measure_continually(report, what="the lag of the timers", every_s=MEASURE_EVERY_S)


async def measure(database: Database) -> float:
    """Return the lag of timers and reminders in seconds. Raises DatabaseUnavailable."""
    async with database.working_singly() as connection:
        lag: float = await connection.value(LAG)
    return lag
