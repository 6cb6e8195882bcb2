"""Reads the events from the database, and judges a run for the readers of events."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import asyncpg

from chaos.event_checker import log_violations, reader_violations
from chaos.history import Operation, Outcome
from chaos.reading import Id, Logged, Reading
from support.factories import FAULT

_EVENTS: Final = """
    SELECT l.position, e.* FROM (
        SELECT e.ticket_id, e.version, e.audience, e.data, e.internal, lower(t.email) AS requester
        FROM ticket_events AS e JOIN tickets AS t ON t.id = e.ticket_id
        UNION ALL SELECT 0, id, 'internal', data, NULL, '' FROM system_events
    ) AS e LEFT JOIN event_log AS l ON l.ticket_id = e.ticket_id AND l.version = e.version
    ORDER BY l.position
"""
_HISTORY: Final = "SELECT ticket_id, version FROM ticket_events UNION ALL SELECT 0, id FROM system_events"
_LOG: Final = "SELECT position, ticket_id, version FROM event_log ORDER BY position"
_UNAVAILABLE: Final = "503"


async def logged_events(sql: asyncpg.Connection) -> list[Logged] | None:
    """Return all events in the order of the log; None while some are not published."""
    rows = await sql.fetch(_EVENTS)
    return None if any(row["position"] is None for row in rows) else [_logged(row) for row in rows]


def _logged(row: asyncpg.Record) -> Logged:
    data = json.loads(row["data"])
    internal = data if row["internal"] is None else data | json.loads(row["internal"])
    return Logged(
        position=row["position"],
        ticket_id=row["ticket_id"],
        version=row["version"],
        requester=row["requester"],
        public=data if row["audience"] == "public" else None,
        internal=internal,
    )


def has_everything(reading: Reading, log: Sequence[Logged]) -> bool:
    """Return whether a reader has accepted every event that it may see."""
    return {event.id for event in log if reading.may_see(event)} <= reading.accepted()


async def violations(
    sql: asyncpg.Connection, readings: Iterable[Reading], operations: Iterable[Operation]
) -> list[str]:
    """Return what is wrong with the log, with the readers, and with what the service acknowledged."""
    history = {(row["ticket_id"], row["version"]) for row in await sql.fetch(_HISTORY)}
    log = [(row["position"], (row["ticket_id"], row["version"])) for row in await sql.fetch(_LOG)]
    found = [*log_violations(history, log), *_operation_violations(history, operations)]
    events = await logged_events(sql)
    if events is None:
        return found
    for reading in readings:
        found += reader_violations(reading, events)
    return found


def _operation_violations(history: set[Id], operations: Iterable[Operation]) -> Iterator[str]:
    for operation in operations:
        if operation.outcome is Outcome.FAILED and not operation.how.startswith(_UNAVAILABLE):
            yield f"failed: {operation}"
        if operation.kind.is_write and operation.outcome is Outcome.ACKNOWLEDGED:
            assert operation.ticket_id is not None
            assert operation.version is not None
            if (operation.ticket_id, operation.version) not in history:
                yield f"acknowledged, but lost: {operation}"


def errors_in(name: str, log: str) -> list[str]:
    """Return a violation for each error in the log of a process."""
    return [f"{name} logged: {line}" for line in log.splitlines() if FAULT.search(line)]
