"""The plans of pages among a hundred thousand tickets: PostgreSQL uses an index at any depth."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import asyncpg
import pytest
from sqlalchemy import ARRAY, Text, bindparam, exists, func, select

from db.postgres.statements import Statement
from models import RecentWords, SearchDocument, table_of
from services.tickets.page_shape import LIMIT, PageShape
from services.tickets.pages import page_of_tickets, rows_of_tickets
from services.tickets.search import NEAREST
from services.tickets.statements import tickets
from support.factories import NewDatabase

TICKETS = 100_000

# In every status, opened a minute apart and changed in another order, by a thousand requesters.
FILL = f"""
    INSERT INTO tickets (subject, text, email, status, created_at, updated_at, closed_at)
    SELECT 'subject ' || n,
        CASE WHEN n BETWEEN 30000 AND 45000 THEN 'bygone' ELSE 'text' END
            || CASE WHEN n % 50 = 0 THEN ' occasional' ELSE '' END
            || CASE WHEN n % 400 = 0 THEN ' scarce' ELSE '' END
            || CASE WHEN n > 99000 AND n % 200 = 0 OR n < 20000 AND n % 20 = 0 THEN ' revived' ELSE '' END,
        'requester-' || n % 1000 || '@example.com', status,
        '2026-01-01Z'::timestamptz + n * interval '1 minute',
        '2026-06-01Z'::timestamptz + (n * 7919 % {TICKETS}) * interval '1 minute',
        CASE WHEN status = 'closed' THEN now() END
    FROM generate_series(1, {TICKETS}) AS n,
        LATERAL (SELECT (ARRAY['open', 'answered', 'awaiting_reply', 'closed'])[n % 4 + 1]) AS of(status)
"""
# The triggers would do the same, one ticket after the other.
INDEX = """
    INSERT INTO search_documents
    SELECT id, 0, words_of(subject || ' ' || text || CASE WHEN id % 49 = 0 THEN ' foremost' ELSE '' END) FROM tickets
"""
# As if some discussions were too long for one document: each has the words of the ticket, and some of its own.
INDEX_MORE = """
    INSERT INTO search_documents
    SELECT id, 1, words_of(subject || ' ' || text || CASE WHEN id % 49 = 0 THEN ' hindmost' ELSE '' END) FROM tickets
    WHERE id % 7 IN (0, 3)
"""
VALUES = {
    "status": ["closed", "open"],
    "email": "Requester-7@example.com",
    "created_after": datetime(2026, 2, 1, tzinfo=UTC),
    "limit": 51,
}


@pytest.fixture(scope="module")
async def connection(migrated_database: NewDatabase) -> AsyncIterator[asyncpg.Connection]:
    async with migrated_database() as dsn:
        filler = await asyncpg.connect(dsn)
        await filler.execute("SET session_replication_role = replica")
        await filler.execute(FILL)
        await filler.execute(INDEX)
        await filler.execute(INDEX_MORE)
        await filler.execute("VACUUM ANALYZE tickets, search_documents")
        await filler.execute("SET session_replication_role = origin")
        yield filler
        await filler.close()


async def plan(
    connection: asyncpg.Connection, shape: PageShape, after_id: int = TICKETS // 2, **values: object
) -> dict[str, Any]:
    """Return the executed plan of a page, from EXPLAIN (ANALYZE, BUFFERS)."""
    after = await connection.fetchval(f"SELECT {shape.column} FROM tickets WHERE id = $1", after_id)
    statement = page_of_tickets(shape)
    given = VALUES | {"after_id": after_id, "after_value": after} | values
    explained = await connection.fetchval(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.sql}", *statement.arguments(given)
    )
    found: dict[str, Any] = json.loads(explained)[0]["Plan"]
    return found


async def ids(connection: asyncpg.Connection, statement: Statement, values: dict[str, Any]) -> list[int]:
    return [row["id"] for row in await connection.fetch(statement.sql, *statement.arguments(values))]


def every_ticket_with_the_words(shape: PageShape) -> Statement:
    """Return the plain form of a search, which reads every ticket."""
    documents = table_of(SearchDocument)
    has_words = documents.c.words.op("@@")(func.words_wanted(bindparam("q", type_=Text)))
    rows = select(tickets.c.id).where(exists().where(documents.c.ticket_id == tickets.c.id, has_words))
    if shape.by_status:
        rows = rows.where(tickets.c.status == func.any(bindparam("status", type_=ARRAY(Text))))
    return Statement(rows.where(shape.conditions).order_by(*shape.order(tickets)).limit(LIMIT))


def described(shape: PageShape | frozenset[str]) -> str:
    """Return the id of a test; it is the same in every process."""
    if isinstance(shape, frozenset):
        return "-".join(["by", *sorted(shape)])
    page = "first" if shape.is_first else "later"
    return "-".join([shape.column, "down" if shape.is_descending else "up", page, *sorted(shape.filters)])


def scanned(steps: list[dict[str, Any]]) -> set[str]:
    """Return the tables that are read as a whole, but for the one with the few recent words."""
    scans = [step for step in steps if step["Node Type"] == "Seq Scan" and step["Actual Loops"]]
    return {step["Relation Name"] for step in scans} - {table_of(RecentWords).name}


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", []) for node in nodes(below))]


SHAPES = [
    PageShape(column, is_descending, is_first, frozenset((*status, *email)))
    for column, is_descending, is_first, status, email in product(
        ("id", "created_at", "updated_at"), (False, True), (False, True), ((), ("status",)), ((), ("email",))
    )
]


@pytest.mark.parametrize("shape", SHAPES, ids=described)
async def test_a_page_is_read_from_an_index(connection: asyncpg.Connection, shape: PageShape) -> None:
    steps = nodes(await plan(connection, shape))
    assert "Seq Scan" not in {step["Node Type"] for step in steps}
    # A sort has at most a page of each status, or the tickets of one requester.
    assert max((step["Actual Rows"] for step in steps if "Sort" in step["Node Type"]), default=0) <= 2 * 51
    assert max(step["Actual Rows"] for step in steps) <= 2 * 100


@pytest.mark.parametrize("column", ["id", "created_at", "updated_at"])
@pytest.mark.parametrize("filters", [frozenset(), frozenset({"status"})], ids=described)
async def test_a_deep_page_reads_no_more_than_the_first(
    connection: asyncpg.Connection, column: str, filters: frozenset[str]
) -> None:
    def pages_touched(plan: dict[str, Any]) -> int:
        return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])

    first = await plan(connection, PageShape(column, True, True, filters))
    deep = await plan(connection, PageShape(column, True, False, filters), after_id=10)
    assert pages_touched(deep) <= pages_touched(first) + 20


SEARCHES = [replace(shape, filters=shape.filters | {"q"}) for shape in SHAPES if "email" not in shape.filters]


@pytest.mark.parametrize("shape", SEARCHES, ids=described)
async def test_words_that_few_tickets_have_are_found_by_their_index(
    connection: asyncpg.Connection, shape: PageShape
) -> None:
    steps = nodes(await plan(connection, shape, q="17"))
    assert {"ix_search_documents_words"} <= {step.get("Index Name") for step in steps if step["Actual Loops"]}
    assert not scanned(steps)
    # The nearest tickets of each status are read twice: to compare the words, and to count them.
    assert max(step["Actual Rows"] for step in steps) <= 2 * NEAREST


@pytest.mark.parametrize("is_descending", [False, True])
async def test_words_that_only_distant_tickets_have_are_found_without_reading_each_of_them(
    connection: asyncpg.Connection, *, is_descending: bool
) -> None:
    steps = nodes(await plan(connection, PageShape("id", is_descending, True, frozenset({"q"})), q="bygone"))
    on_tickets = [step for step in steps if step.get("Relation Name") == "tickets" and step["Actual Loops"]]
    assert max(step["Actual Rows"] * step["Actual Loops"] for step in on_tickets) <= NEAREST


@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("q", ["occasional", "scarce"])
async def test_words_that_some_tickets_have_are_searched_in_a_range_only(
    connection: asyncpg.Connection, q: str, *, is_descending: bool, is_first: bool
) -> None:
    steps = nodes(await plan(connection, PageShape("id", is_descending, is_first, frozenset({"q"})), q=q))
    (everywhere,) = (step for step in steps if step.get("Subplan Name") == "CTE found")
    on_documents = [step for step in nodes(everywhere) if step.get("Relation Name") == "search_documents"]
    assert [step["Actual Loops"] for step in on_documents] == [0]
    # Besides the hits of step 1, a page of the estimated range may be read.
    on_tickets = [step for step in steps if step.get("Relation Name") == "tickets" and step["Actual Loops"]]
    assert max(step["Actual Rows"] * step["Actual Loops"] for step in on_tickets) <= 2 * 51


@pytest.mark.parametrize("shape", [replace(shape, filters=shape.filters | {"q"}) for shape in SHAPES], ids=described)
async def test_a_search_finds_the_same_tickets_as_a_scan_of_all(
    connection: asyncpg.Connection, shape: PageShape
) -> None:
    plain, found = every_ticket_with_the_words(shape), Statement(rows_of_tickets(shape))
    begins = (TICKETS // 2,) if shape.is_first else (2_005, TICKETS // 2, TICKETS - 2_003)
    for after_id, limit in product(begins, (2, 51)):
        after = await connection.fetchval(f"SELECT {shape.column} FROM tickets WHERE id = $1", after_id)
        for q in ("subject", "occasional", "scarce", "revived", "bygone", "17", "scarce or 17", "nil"):
            values = VALUES | {"after_id": after_id, "after_value": after, "limit": limit, "q": q}
            expected = await ids(connection, plain, values)
            assert await ids(connection, found, values) == expected, (after_id, limit, q)


@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("q", ["foremost", "hindmost"])
async def test_a_search_finds_words_if_the_nearest_documents_end_inside_a_discussion(
    connection: asyncpg.Connection, q: str, *, is_descending: bool
) -> None:
    page = Statement(rows_of_tickets(PageShape("id", is_descending, False, frozenset({"q"}))))
    for after_id in range(TICKETS // 2, TICKETS // 2 + 63):
        beyond = range(after_id - 1, 0, -1) if is_descending else range(after_id + 1, TICKETS)
        expected = [ticket_id for ticket_id in beyond if ticket_id % 49 == 0][:51]
        assert await ids(connection, page, VALUES | {"after_id": after_id, "q": q}) == expected


@pytest.mark.parametrize("shape", SEARCHES, ids=described)
async def test_words_that_many_tickets_have_are_found_among_the_nearest(
    connection: asyncpg.Connection, shape: PageShape
) -> None:
    steps = nodes(await plan(connection, shape, q="subject"))
    assert "ix_search_documents_words" not in {step.get("Index Name") for step in steps if step["Actual Loops"]}
    assert not scanned(steps)
    assert max(step["Actual Rows"] for step in steps) <= 2 * NEAREST
