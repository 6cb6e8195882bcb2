"""What the numbers cost does not grow with the tickets, the events and the hours that they are not about."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from db.postgres.statements import Statement
from models import Role
from schemas.counts import MAX_COUNT
from schemas.ticket_queries import parsed_query
from services.access.principal import Principal
from services.numbers import read_statements, statements
from services.tickets import counts
from services.tickets.list_filters import list_filters
from services.tickets.page_shape import PageShape
from support.factories import NewDatabase

TICKETS = 60_000
AGENT = Principal("key:7", Role.AGENT)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)

# Half of the tickets are open, without an assignee, at risk, and due.
FILL = f"""
    SET session_replication_role = replica;
    INSERT INTO tickets (subject, text, email, status, created_at, updated_at, closed_at, due_at, sla_state)
    SELECT 'subject', 'text', 'one@example.com', status, '2026-01-01Z'::timestamptz + n * interval '1 minute', now(),
        CASE WHEN status = 'closed' THEN now() END, CASE WHEN status = 'open' THEN now() END,
        CASE WHEN status = 'open' THEN 'at_risk' END
    FROM generate_series(1, {TICKETS}) AS n, LATERAL (SELECT (ARRAY['open', 'closed'])[n % 2 + 1]) AS of(status);
    INSERT INTO ticket_facets SELECT unnest(facets_of(tickets)), status, id FROM tickets;
    INSERT INTO ticket_events (ticket_id, version, type, data, actor, xid)
    SELECT n, version, CASE version WHEN 1 THEN 'created' ELSE 'changed' END,
        CASE version WHEN 3 THEN '{{"status": {{"from": "open", "to": "closed"}}}}' ELSE '{{}}' END::jsonb,
        'key:7', NULL
    FROM generate_series(1, {TICKETS}) AS n, generate_series(1, 3) AS version;
    INSERT INTO event_log (position, ticket_id, version)
    SELECT row_number() OVER (ORDER BY version, ticket_id), ticket_id, version FROM ticket_events;
    INSERT INTO number_hours (generation, kind, hour, value, metric, bucket, count)
    SELECT 0, kind, '2026-01-01Z'::timestamptz + n * interval '1 hour', value, 'closed', 100, 1
    FROM generate_series(0, 24 * 300) AS n, (VALUES ('all', ''),
        ('group', '1'), ('tag', 'a'), ('tag', 'b'), ('tag', 'c'), ('person', 'x')) AS of(kind, value);
    VACUUM ANALYZE tickets, ticket_facets, ticket_events, event_log, number_hours
"""


@pytest.fixture(scope="module")
async def connection(migrated_database: NewDatabase) -> AsyncIterator[asyncpg.Connection]:
    async with migrated_database() as dsn:
        filler = await asyncpg.connect(dsn)
        for statement in FILL.split(";"):
            await filler.execute(statement)
        yield filler
        await filler.close()


@pytest.fixture(params=["force_custom_plan", "force_generic_plan"])
async def planned(connection: asyncpg.Connection, request: pytest.FixtureRequest) -> asyncpg.Connection:
    await connection.execute(f"SET plan_cache_mode = {request.param}")
    return connection


async def read(connection: asyncpg.Connection, statement: Statement, **values: Any) -> tuple[set[str], float]:
    """Return the tables that a statement reads as a whole, and the largest number of rows that a step reads."""
    await connection.execute(f"PREPARE numbers AS {statement.sql}")
    arguments = ", ".join(literal(value) for value in statement.arguments(values))
    call = f"EXECUTE numbers({arguments})" if arguments else "EXECUTE numbers"
    explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {call}")
    await connection.execute("DEALLOCATE numbers")
    steps = nodes(json.loads(explained)[0]["Plan"])
    whole = {step["Relation Name"] for step in steps if step["Node Type"] == "Seq Scan" and step["Actual Loops"]}
    return whole - {"number_state"}, max((step["Actual Rows"] + removed(step)) * step["Actual Loops"] for step in steps)


def literal(value: object) -> str:
    if isinstance(value, list):
        return "'{" + ",".join(json.dumps(each) for each in value) + "}'"
    return "NULL" if value is None else f"'{value}'"


def removed(step: dict[str, Any]) -> float:
    conditions = ("Filter", "Index Recheck", "Join Filter")
    return sum((step.get(f"Rows Removed by {condition}", 0.0) for condition in conditions), 0.0)


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", []) for node in nodes(below))]


@pytest.mark.parametrize(("after_days", "before_days"), [(None, None), (None, 30), (10, 11), (30, None)])
async def test_an_age_is_counted_in_an_index_up_to_the_limit(
    planned: asyncpg.Connection, after_days: int | None, before_days: int | None
) -> None:
    after, before = (None if days is None else SINCE + timedelta(days=days) for days in (after_days, before_days))
    for status, most in (("open", MAX_COUNT + 1), ("awaiting_reply", 1)):
        given = {"status": status, "after": after, "before": before, "limit": MAX_COUNT + 1}
        whole, rows = await read(planned, read_statements.AGED, **given)
        assert (whole, rows <= most) == (set(), True)


async def test_the_oldest_ticket_is_the_first_of_an_index(planned: asyncpg.Connection) -> None:
    for status in ("open", "awaiting_reply"):
        whole, rows = await read(planned, read_statements.OLDEST, status=status)
        assert (whole, rows <= 1) == (set(), True)


@pytest.mark.parametrize("query", ["assignee=none", "sla=at_risk", "sla=breached", "due_before=2035-01-01T00:00:00Z"])
async def test_what_waits_is_counted_up_to_the_limit(planned: asyncpg.Connection, query: str) -> None:
    parsed = parsed_query(f"status=open&status=awaiting_reply&{query}")
    filters = list_filters(parsed, AGENT, None)
    shape = PageShape(
        "id", is_descending=True, is_first=True, filters=frozenset(filters.values), driving=filters.driving
    )
    statement = counts._count_statement(shape)  # noqa: SLF001 - the statement of the service
    whole, rows = await read(planned, statement, limit=MAX_COUNT + 1, **filters.parameters)
    assert (whole, rows <= 3 * (MAX_COUNT + 1)) == (set(), True)


async def test_days_and_values_read_the_rows_of_their_hours_alone(planned: asyncpg.Connection) -> None:
    await planned.execute("UPDATE number_state SET generation = 0")
    given = {"since": SINCE + timedelta(days=100), "until": SINCE + timedelta(days=110)}
    whole, rows = await read(planned, read_statements.BY_DAY, zone="Europe/Berlin", **given)
    assert (whole, rows) == (set(), 24 * 10)
    whole, rows = await read(planned, read_statements.BY_VALUE, kind="tag", **given)
    assert (whole, rows) == (set(), 3 * 24 * 10)


async def test_a_step_reads_a_batch_of_the_log_and_the_histories_of_its_tickets(planned: asyncpg.Connection) -> None:
    whole, rows = await read(planned, statements.BATCH, after=70_000, limit=500)
    assert (whole, rows) == (set(), 500)
    ids = list(range(30_000, 30_500))
    for statement in (statements.HISTORY, statements.PUBLISHED_HISTORY):
        whole, rows = await read(planned, statement, ticket_ids=ids)
        assert (whole, rows <= 3 * 500) == (set(), True)
    whole, rows = await read(planned, statements.RANGE, after=30_000, limit=500)
    assert (whole, rows) == (set(), 500)
