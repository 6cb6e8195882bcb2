"""The lookup of a name by a requester reads the requester's tickets and their events, and no table as a whole."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from services.directory.statements import FIND_WRITER
from support.factories import NewDatabase

TICKETS = 100_000
FILL = f"""
    INSERT INTO principals (id, kind, name, role)
    SELECT 'key:' || n, 'service', 'agent ' || n, 'agent' FROM generate_series(1, 1000) AS n;
    INSERT INTO tickets (subject, text, email)
    SELECT 'subject', 'text', 'requester-' || n % 1000 || '@example.com' FROM generate_series(1, {TICKETS}) AS n;
    INSERT INTO ticket_events (ticket_id, version, type, actor)
    SELECT id, number, 'changed', 'key:' || id % 1000 FROM tickets, generate_series(1, 3) AS number
"""


@pytest.fixture(scope="module")
async def connection(migrated_database: NewDatabase) -> AsyncIterator[asyncpg.Connection]:
    async with migrated_database() as dsn:
        filler = await asyncpg.connect(dsn)
        await filler.execute("SET session_replication_role = replica")
        await filler.execute(FILL)
        await filler.execute("VACUUM ANALYZE tickets, ticket_events, principals")
        yield filler
        await filler.close()


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from steps(part)


@pytest.mark.parametrize(("principal", "is_seen"), [("key:7", True), ("key:8", False)])
async def test_a_lookup_reads_no_table_as_a_whole(
    connection: asyncpg.Connection, principal: str, is_seen: bool
) -> None:
    values = {"id": principal, "subject": None, "requester": "Requester-7@example.com"}
    arguments = FIND_WRITER.arguments(values)
    for _ in range(7):  # from the sixth on, PostgreSQL may choose a generic plan
        assert bool(await connection.fetch(FIND_WRITER.sql, *arguments)) is is_seen
    explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {FIND_WRITER.sql}", *arguments)
    plan = json.loads(explained)[0]["Plan"]
    read_whole = {step["Relation Name"] for step in steps(plan) if step["Node Type"] == "Seq Scan"}
    assert not read_whole & {"tickets", "ticket_events"}
    assert plan["Actual Total Time"] < 50
