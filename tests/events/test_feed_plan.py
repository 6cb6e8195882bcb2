"""A page of the feed reads its entries by their positions, and not all events, however long the log is."""

import asyncpg
import pytest

from db.postgres.statements import Statement
from services.events import feed_statements
from services.events.publisher import EventPublisher


@pytest.mark.parametrize("statement", [feed_statements.WINDOW, feed_statements.ENTRIES], ids=["page", "hub"])
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_a_page_finds_its_events_by_indexes(
    sql: asyncpg.Connection, publisher: EventPublisher, statement: Statement, mode: str
) -> None:
    await sql.execute("""
        INSERT INTO tickets (subject, text, email) SELECT 'a', 'b', 'a@example.com' FROM generate_series(1, 1000);
        INSERT INTO ticket_events (ticket_id, version, type, actor)
            SELECT id, number, 'changed', 'test' FROM tickets, generate_series(1, 30) AS number;
    """)
    await publisher.publish_round()
    await sql.execute("ANALYZE ticket_events, event_log, tickets")
    await sql.execute(f"SET plan_cache_mode = {mode}")
    await sql.execute(f"PREPARE page AS {statement.sql}")
    given = {"after": "'20000'", "from_start": "'false'", "requester": "NULL", "limit": "'100'"}
    values = ", ".join(given[name] for name in statement.names)
    plan = "\n".join(row[0] for row in await sql.fetch(f"EXPLAIN ANALYZE EXECUTE page({values})"))
    assert "pk_event_log" in plan, plan
    assert "Seq Scan on ticket_events" not in plan, plan
