"""The plans of filtered pages among a hundred thousand tickets, with planned and with generic parameters."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from models import Role
from schemas.lists import TicketQuery
from services.access.principal import Principal
from services.tickets.list_filters import list_filters
from services.tickets.lists import COLUMNS
from services.tickets.page_query import FEW
from services.tickets.page_shape import PageShape
from services.tickets.pages import page_of_tickets
from services.tickets.search import HAS_PUBLIC_WORDS
from services.tickets.statements import PAGE_OF_COMMENTS_WITH_MERGED
from support.factories import NewDatabase

TICKETS = 100_000
OF_BUSY = 10_000
AGENT = Principal("key:7", Role.AGENT)
BUSY = Principal("key:busy", Role.REQUESTER, "busy@example.com")

# Every tenth ticket has the tag x and is of the busy requester, one in 50 is urgent, two of three have an assignee. The
# open ones are due within three weeks. One in 50 is at risk, one in 25 is breached, closed ones too.
FILL = f"""
    INSERT INTO tickets (subject, text, email, status, created_at, updated_at, closed_at, assignee_id, group_id,
        priority, tags, participants, custom, source, external_id, due_at, sla_state)
    SELECT 'subject', 'text', CASE WHEN n % 10 = 3 THEN 'busy@example.com' ELSE 'one-' || n || '@example.com' END,
        status, '2026-01-01Z'::timestamptz + n * interval '1 minute',
        '2026-06-01Z'::timestamptz + (n * 7919::bigint % {TICKETS}) * interval '1 minute',
        CASE WHEN status = 'closed' THEN now() END,
        CASE WHEN n % 3 > 0 THEN 'key:' || n % 50 END, CASE WHEN n % 2 = 0 THEN n % 5 END,
        CASE WHEN n % 50 = 0 THEN 'urgent' WHEN n % 10 = 1 THEN 'high' ELSE 'normal' END,
        CASE WHEN n % 10 = 7 THEN '{{x}}' WHEN n % 1000 = 8 THEN '{{rare,x}}' ELSE '{{}}' END::text[],
        CASE WHEN n % 100 = 9 THEN '{{busy@example.com}}' ELSE '{{}}' END::text[],
        CASE WHEN n % 100 = 5 THEN '{{"size": 2}}' ELSE '{{}}' END::jsonb,
        CASE WHEN n % 2 = 0 THEN 'shop' END, CASE WHEN n % 2 = 0 THEN n::text END,
        CASE WHEN status = 'open'
            THEN '2026-06-01Z'::timestamptz + (n * 7919::bigint % 30000) * interval '1 minute' END,
        CASE WHEN n % 25 = 2 THEN 'breached' WHEN n % 50 = 0 THEN 'at_risk' END
    FROM generate_series(1, {TICKETS}) AS n,
        LATERAL (SELECT (ARRAY['open', 'closed', 'closed', 'answered', 'closed'])[n % 5 + 1]) AS of(status)
"""
# The triggers would do the same, one ticket after the other.
FACETS = "INSERT INTO ticket_facets SELECT unnest(facets_of(tickets)), status, id FROM tickets"
# Of each of 20 agents, 200 tickets are snoozed, and 800 reminders were due.
REMIND = """
    INSERT INTO reminders (ticket_id, principal_id, remind_at, snoozed_until, reminded_at)
    SELECT n * 5, 'key:' || n % 20, remind_at, CASE WHEN is_due THEN NULL ELSE remind_at END,
        CASE WHEN is_due THEN remind_at END
    FROM generate_series(1, 20000) AS n, LATERAL (SELECT n / 20 % 5 > 0) AS is_due(is_due),
        LATERAL (SELECT now() + CASE WHEN is_due THEN -n ELSE n END * interval '1 minute') AS of(remind_at)
"""


@pytest.fixture(scope="module")
async def connection(migrated_database: NewDatabase) -> AsyncIterator[asyncpg.Connection]:
    async with migrated_database() as dsn:
        filler = await asyncpg.connect(dsn)
        await filler.execute("SET session_replication_role = replica")
        await filler.execute(FILL)
        await filler.execute(FACETS)
        await filler.execute(REMIND)
        await filler.execute("VACUUM ANALYZE tickets, ticket_facets, reminders")
        yield filler
        await filler.close()


async def read(
    connection: asyncpg.Connection, query: TicketQuery, principal: Principal = AGENT, *, is_deep: bool = False
) -> tuple[set[str], float]:
    """Return the tables that a page reads as a whole, and the largest number of rows that a step of its plan reads."""
    filters = list_filters(query, principal, None)
    column = COLUMNS.get(query.sort, query.sort.removeprefix("-"))
    shape = PageShape(column, query.sort.startswith("-"), not is_deep, frozenset(filters.values), filters.driving)
    statement = page_of_tickets(shape)
    value = "priority_rank(priority)" if column == "priority" else column
    middle = await connection.fetchrow(f"SELECT id, {value} AS value FROM tickets WHERE id = {TICKETS // 2}")
    assert middle is not None
    given = filters.parameters | {"after_id": middle["id"], "after_value": middle["value"], "limit": 51}
    # EXPLAIN of a statement with parameters plans it with their values, whatever the setting: only EXECUTE does not.
    await connection.execute(f"PREPARE page AS {statement.sql}")
    values = ", ".join(literal(value) for value in statement.arguments(given))
    explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE page({values})")
    await connection.execute("DEALLOCATE page")
    steps = nodes(json.loads(explained)[0]["Plan"])
    whole = {step["Relation Name"] for step in steps if step["Node Type"] == "Seq Scan" and step["Actual Loops"]}
    return whole, max((step["Actual Rows"] + removed(step)) * step["Actual Loops"] for step in steps)


def literal(value: object) -> str:
    """Return a parameter in SQL. PostgreSQL reads the text as the type of the parameter."""
    if isinstance(value, list):
        return "'{" + ",".join(json.dumps(each) for each in value) + "}'"
    return "NULL" if value is None else f"'{value}'"


def removed(step: dict[str, Any]) -> float:
    """Return the rows that a step reads in each loop and that its conditions refuse."""
    conditions = ("Filter", "Index Recheck", "Join Filter")
    return sum((step.get(f"Rows Removed by {condition}", 0.0) for condition in conditions), 0.0)


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", []) for node in nodes(below))]


FILTERS: dict[str, dict[str, Any]] = {
    "assignee": {"assignee": ["me"]},
    "two assignees": {"assignee": ["key:8", "key:10"]},
    "no assignee": {"assignee": ["none"]},
    "group": {"group": ["2"]},
    "urgent": {"priority": ["urgent"]},
    "tag": {"tag": ["x"]},
    "two tags": {"tag": ["x", "rare"]},
    "tag and assignee": {"tag": ["x"], "assignee": ["key:7"]},
    "participant": {"participant": "busy@example.com"},
    "external id": {"external_id": "70000"},
    "snoozed": {"snoozed": True},
    "not snoozed": {"snoozed": False},
    "assignee, not snoozed": {"assignee": ["me"], "snoozed": False},
    "none": {},
    "email": {"email": "busy@example.com"},
    "due": {"due_before": "2026-12-01T00:00:00Z"},
    "due soon": {"due_before": "2026-06-02T00:00:00Z"},
    "due, of an email": {"due_before": "2026-12-01T00:00:00Z", "email": "busy@example.com"},
    "due, of a tag": {"due_before": "2026-12-01T00:00:00Z", "tag": ["x"]},
    "due, of a group": {"due_before": "2026-12-01T00:00:00Z", "group": ["2"]},
    "at risk": {"sla": ["at_risk"]},
    "at risk or breached": {"sla": ["at_risk", "breached"]},
    "breached, of a tag": {"sla": ["breached"], "tag": ["x"]},
}
SORTS = ["-id", "id", "-created_at", "updated_at", "-updated_at", "priority", "due"]


def bound(query: TicketQuery, principal: Principal = AGENT) -> float:
    """Return the number of rows that a step of the page's plan may read.

    In the order of the ids it is a page, and of two tags or a tag and an assignee the tickets of the rarer one. No
    index has the tickets of a requester by status: these may all be read. What is due before a time is all read too.
    """
    if not query.sort.endswith("id") or query.due_before is not None:
        return 3 * FEW
    is_of_address = principal.requester_email is not None or query.email is not None
    return OF_BUSY if is_of_address and query.status else 2_500


@pytest.fixture(params=["force_custom_plan", "force_generic_plan"])
async def planned(connection: asyncpg.Connection, request: pytest.FixtureRequest) -> asyncpg.Connection:
    await connection.execute(f"SET plan_cache_mode = {request.param}")
    return connection


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("status", [[], ["open"], ["closed", "open"]], ids=str)
@pytest.mark.parametrize("name", FILTERS)
async def test_a_filtered_page_reads_a_bounded_number_of_rows(
    planned: asyncpg.Connection, name: str, status: list[str], sort: str
) -> None:
    query = TicketQuery.model_validate(FILTERS[name] | {"status": status, "sort": sort})
    for is_deep in (False, True):
        whole, rows = await read(planned, query, is_deep=is_deep)
        assert not whole & {"tickets", "ticket_facets", "reminders"}
        assert rows <= bound(query)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("status", [[], ["open"]], ids=str)
async def test_a_requester_of_ten_thousand_tickets_reads_a_page_by_indexes(
    planned: asyncpg.Connection, status: list[str], sort: str
) -> None:
    query = TicketQuery.model_validate({"status": status, "sort": sort})
    for is_deep in (False, True):
        whole, rows = await read(planned, query, BUSY, is_deep=is_deep)
        assert not whole & {"tickets", "ticket_facets"}
        assert rows <= bound(query, BUSY)


@pytest.mark.parametrize("status", [[], ["open"]], ids=str)
async def test_the_queue_by_priority_reads_a_page_of_each_priority(
    planned: asyncpg.Connection, status: list[str]
) -> None:
    query = TicketQuery.model_validate({"status": status, "sort": "priority"})
    for is_deep in (False, True):
        whole, rows = await read(planned, query, is_deep=is_deep)
        assert not whole & {"tickets", "ticket_facets"}
        assert rows <= 2_500


@pytest.fixture(scope="module")
async def documents(connection: asyncpg.Connection) -> None:
    """The words of all tickets: each one is in 20 tickets."""
    await connection.execute(
        "INSERT INTO search_documents (ticket_id, part, words, public_words)"
        " SELECT id, 0, to_tsvector('simple', 'word' || id % 5000),"
        " CASE WHEN id % 100 = 0 THEN to_tsvector('simple', 'public') END FROM tickets"
    )
    await connection.execute("VACUUM ANALYZE search_documents")


@pytest.mark.usefixtures("documents")
@pytest.mark.parametrize("sort", ["-id", "-created_at", "due"])
@pytest.mark.parametrize("name", ["none", "due", "due soon", "at risk"])
async def test_a_search_among_what_is_due_reads_a_bounded_number_of_rows(
    planned: asyncpg.Connection, name: str, sort: str
) -> None:
    query = TicketQuery.model_validate(FILTERS[name] | {"q": "word7", "sort": sort})
    whole, rows = await read(planned, query)
    assert not whole & {"tickets", "ticket_facets", "search_documents"}
    assert rows <= 3 * FEW


@pytest.mark.usefixtures("documents")
async def test_the_search_of_a_requester_finds_documents_by_indexes(connection: asyncpg.Connection) -> None:
    condition = HAS_PUBLIC_WORDS.replace("words_wanted(:q)", "'word7'::tsquery")
    explained = await connection.fetchval(
        f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT ticket_id FROM search_documents WHERE {condition}"
    )
    steps = nodes(json.loads(explained)[0]["Plan"])
    assert {step["Node Type"] for step in steps} == {"Bitmap Heap Scan", "BitmapOr", "Bitmap Index Scan"}


async def test_the_comments_of_merged_tickets_are_read_by_their_index(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "INSERT INTO comments (ticket_id, email, text, created_at)"
        " SELECT id, 'bob@example.com', 'text', now() FROM tickets, generate_series(1, 2) WHERE id <= 20000"
    )
    await connection.execute("UPDATE tickets SET merged_into = 1 WHERE id BETWEEN 2 AND 40")
    await connection.execute("VACUUM ANALYZE comments, tickets")
    await connection.execute(f"PREPARE comments_page AS {PAGE_OF_COMMENTS_WITH_MERGED.sql}")
    given = {"ticket_id": 1, "after": 0, "requester": None, "limit": 51}
    values = ", ".join(literal(value) for value in PAGE_OF_COMMENTS_WITH_MERGED.arguments(given))
    explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE comments_page({values})")
    steps = nodes(json.loads(explained)[0]["Plan"])
    assert "Seq Scan" not in {step["Node Type"] for step in steps}
    assert max((step["Actual Rows"] + removed(step)) * step["Actual Loops"] for step in steps) <= 100
