"""Tickets and events written by SQL, and the log read back."""

from datetime import datetime

import asyncpg

OPEN_TICKET = "INSERT INTO tickets (subject, text, email) VALUES ('a', 'b', 'alice@example.com') RETURNING id"
WRITE_EVENT = """
    WITH changed AS (UPDATE tickets SET version = version + 1 WHERE id = $1 RETURNING id, version)
    INSERT INTO ticket_events (ticket_id, version, type, actor, created_at)
    SELECT id, version, 'changed', 'test', COALESCE($2, clock_timestamp()) FROM changed RETURNING version
"""
LOG = "SELECT ticket_id, version FROM event_log ORDER BY position"
# What differs between the log and the history.
DIFFERENCE = """
    SELECT
        (SELECT count(*) FROM (SELECT ticket_id, version FROM ticket_events
            EXCEPT SELECT ticket_id, version FROM event_log) AS missing) AS missing,
        (SELECT count(*) FROM (SELECT ticket_id, version FROM event_log
            EXCEPT SELECT ticket_id, version FROM ticket_events) AS unknown) AS unknown,
        (SELECT count(*) - count(DISTINCT (ticket_id, version)) FROM event_log) AS doubled,
        (SELECT count(*) FROM (SELECT position - lag(position) OVER (ORDER BY position) AS step FROM event_log) AS steps
            WHERE step <> 1) AS gaps,
        (SELECT count(*) FROM (SELECT version - lag(version) OVER (PARTITION BY ticket_id ORDER BY position) AS step
            FROM event_log) AS steps WHERE step <> 1) AS descents
"""
EQUAL = {"missing": 0, "unknown": 0, "doubled": 0, "gaps": 0, "descents": 0}

Event = tuple[int, int]


async def open_ticket(sql: asyncpg.Connection) -> int:
    """Insert a ticket with its first event, and return its id."""
    ticket_id: int = await sql.fetchval(OPEN_TICKET)
    await sql.execute(
        "INSERT INTO ticket_events (ticket_id, version, type, actor) VALUES ($1, 1, 'created', 'test')", ticket_id
    )
    return ticket_id


async def change(sql: asyncpg.Connection, ticket_id: int, *, at: datetime | None = None) -> int:
    """Write the event of the next version, and return the version."""
    version: int = await sql.fetchval(WRITE_EVENT, ticket_id, at)
    return version


async def log_of(sql: asyncpg.Connection) -> list[Event]:
    """Return the events of the log in their order."""
    return [(row["ticket_id"], row["version"]) for row in await sql.fetch(LOG)]


async def difference(sql: asyncpg.Connection) -> dict[str, int]:
    """Return how the log differs from the history; EQUAL if it does not."""
    row = await sql.fetchrow(DIFFERENCE)
    assert row is not None
    return dict(row)
