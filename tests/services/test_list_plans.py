"""How PostgreSQL finds a page among a hundred thousand tickets: through an index, wherever the page is."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import product
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from core.settings import async_dsn
from services.ticket_pages import NEAREST, PageShape, page_of_tickets
from world import migrate_to_head, new_database

TICKETS = 100_000

# In every status, opened a minute apart and changed in another order, by a thousand requesters.
FILL = f"""
    INSERT INTO tickets (subject, text, email, status, created_at, updated_at, closed_at)
    SELECT 'subject ' || n, CASE WHEN n BETWEEN 30000 AND 45000 THEN 'bygone' ELSE 'text' END,
        'requester-' || n % 1000 || '@example.com', status,
        '2026-01-01Z'::timestamptz + n * interval '1 minute',
        '2026-06-01Z'::timestamptz + (n * 7919 % {TICKETS}) * interval '1 minute',
        CASE WHEN status = 'closed' THEN now() END
    FROM generate_series(1, {TICKETS}) AS n,
        LATERAL (SELECT (ARRAY['open', 'answered', 'awaiting_reply', 'closed'])[n % 4 + 1]) AS of(status)
"""
# The triggers would do the same, one ticket after the other.
INDEX = "INSERT INTO search_documents SELECT id, 0, words_of(subject || ' ' || text) FROM tickets"
VALUES = {
    "status": ["closed", "open"],
    "email": "Requester-7@example.com",
    "created_after": "2026-02-01T00:00:00+00:00",
    "limit": 51,
}


@pytest.fixture(scope="module")
async def connection(postgres_dsn: str) -> AsyncIterator[AsyncConnection]:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        filler = await asyncpg.connect(dsn)
        await filler.execute("SET session_replication_role = replica")
        await filler.execute(FILL)
        await filler.execute(INDEX)
        await filler.execute("VACUUM ANALYZE tickets, search_documents")
        await filler.close()
        engine = create_async_engine(async_dsn(dsn))
        async with engine.connect() as connection:
            yield connection
        await engine.dispose()


async def plan(
    connection: AsyncConnection, shape: PageShape, after_id: int = TICKETS // 2, **values: object
) -> dict[str, Any]:
    """Return what PostgreSQL did for a page, as EXPLAIN (ANALYZE, BUFFERS) tells it."""
    column = "id" if shape.column == "id" else shape.column
    after = await connection.scalar(text(f"SELECT {column} FROM tickets WHERE id = :id"), {"id": after_id})
    explain = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {page_of_tickets(shape).text}")
    names = set(explain.compile().params)
    wanted = VALUES | {"after_id": after_id, "after_value": after} | values
    wanted["created_after"] = await connection.scalar(text("SELECT '2026-02-01Z'::timestamptz"))
    answer = await connection.scalar(explain, {name: wanted[name] for name in names})
    found: dict[str, Any] = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return found


def described(shape: PageShape | frozenset[str]) -> str:
    """Return what a test is called: the same in every process."""
    if isinstance(shape, frozenset):
        return "-".join(["by", *sorted(shape)])
    page = "first" if shape.is_first else "later"
    return "-".join([shape.column, "down" if shape.is_descending else "up", page, *sorted(shape.filters)])


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", []) for node in nodes(below))]


SHAPES = [
    PageShape(column, is_descending, is_first, frozenset((*status, *email)))
    for column, is_descending, is_first, status, email in product(
        ("id", "created_at", "updated_at"), (False, True), (False, True), ((), ("status",)), ((), ("email",))
    )
]


@pytest.mark.parametrize("shape", SHAPES, ids=described)
async def test_a_page_is_read_from_an_index(connection: AsyncConnection, shape: PageShape) -> None:
    steps = nodes(await plan(connection, shape))
    assert "Seq Scan" not in {step["Node Type"] for step in steps}
    # What is sorted is at most a page of each status, or what one requester has.
    assert max((step["Actual Rows"] for step in steps if "Sort" in step["Node Type"]), default=0) <= 2 * 51
    assert max(step["Actual Rows"] for step in steps) <= 2 * 100


@pytest.mark.parametrize("column", ["id", "created_at", "updated_at"])
@pytest.mark.parametrize("filters", [frozenset(), frozenset({"status"})], ids=described)
async def test_a_deep_page_touches_no_more_than_the_first(
    connection: AsyncConnection, column: str, filters: frozenset[str]
) -> None:
    def pages_touched(plan: dict[str, Any]) -> int:
        return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])

    first = await plan(connection, PageShape(column, True, True, filters))
    deep = await plan(connection, PageShape(column, True, False, filters), after_id=10)
    assert pages_touched(deep) <= pages_touched(first) + 20


SEARCHES = [replace(shape, filters=shape.filters | {"q"}) for shape in SHAPES if "email" not in shape.filters]


@pytest.mark.parametrize("shape", SEARCHES, ids=described)
async def test_words_that_few_tickets_have_are_found_by_their_index(
    connection: AsyncConnection, shape: PageShape
) -> None:
    steps = nodes(await plan(connection, shape, q="17"))
    assert {"ix_search_documents_words"} <= {step.get("Index Name") for step in steps if step["Actual Loops"]}
    assert "Seq Scan" not in {step["Node Type"] for step in steps if step["Actual Loops"]}
    # For each status the nearest are looked at, once to see the words and once to count them.
    assert max(step["Actual Rows"] for step in steps) <= 2 * NEAREST


@pytest.mark.parametrize("is_descending", [False, True])
async def test_words_that_many_tickets_had_once_are_found_without_a_look_at_each_of_these(
    connection: AsyncConnection, *, is_descending: bool
) -> None:
    steps = nodes(await plan(connection, PageShape("id", is_descending, True, frozenset({"q"})), q="bygone"))
    on_tickets = [step for step in steps if step.get("Relation Name") == "tickets" and step["Actual Loops"]]
    assert max(step["Actual Rows"] * step["Actual Loops"] for step in on_tickets) <= NEAREST


@pytest.mark.parametrize("shape", SEARCHES, ids=described)
async def test_words_that_many_tickets_have_are_found_by_looking_at_the_nearest(
    connection: AsyncConnection, shape: PageShape
) -> None:
    steps = nodes(await plan(connection, shape, q="subject"))
    assert "ix_search_documents_words" not in {step.get("Index Name") for step in steps if step["Actual Loops"]}
    assert "Seq Scan" not in {step["Node Type"] for step in steps if step["Actual Loops"]}
    assert max(step["Actual Rows"] for step in steps) <= 2 * NEAREST
