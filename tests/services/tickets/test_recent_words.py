"""The words of new comments are found before they are merged, and in the same way afterwards."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from core.settings import Settings
from db.postgres.database import Database
from db.postgres.session import Session
from services.tickets import recent_words
from services.tickets.recent_words import merge_recent_words
from support.factories import NewDatabase, a_comment, open_ticket, running, settings_for

from .test_search_index import words

QUERIES = {
    "printer": True,
    "PRINTERS": True,
    "printer kitchen": True,  # of the ticket and of the first comment
    "kitchen toner": True,  # of two comments
    "printer kitchen toner": True,
    "printer paper": False,
    "printer -toner": False,
    "printer -paper": True,
    "-paper": True,
    '"the kitchen"': True,
    '"kitchen toner"': False,  # adjacent, but of two comments
    "paper OR toner": True,
    "paper OR scanner": False,
}


@pytest.fixture
async def service(
    migrated_database: NewDatabase, redis_address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    """A service with a database of its own that merges nothing by itself."""
    monkeypatch.setattr(recent_words, "MERGE_EVERY_S", 3600)
    async with migrated_database() as dsn, running(settings_for(dsn, *redis_address)) as both:
        yield both


@pytest.fixture
def client(service: tuple[FastAPI, httpx2.AsyncClient]) -> httpx2.AsyncClient:
    return service[1]


@pytest.fixture
def database(service: tuple[FastAPI, httpx2.AsyncClient]) -> Database:
    found: Database = service[0].state.tickets._database  # noqa: SLF001 - the application shares it
    return found


@pytest.fixture
async def sql(database: Database) -> AsyncIterator[Session]:
    async with database.reading() as connection:
        yield connection


async def found(client: httpx2.AsyncClient, query: str, **parameters: str) -> list[int]:
    response = await client.get("/tickets", params={"q": query} | parameters)
    assert response.status_code == 200
    return [ticket["id"] for ticket in response.json()["items"]]


async def commented(client: httpx2.AsyncClient, ticket_id: int, *texts: str) -> None:
    for text in texts:
        assert (await client.post(f"/tickets/{ticket_id}/comments", json=a_comment(text=text))).status_code == 201


async def waiting(sql: Session) -> int:
    count: int = await sql.fetchval("SELECT count(*) FROM recent_words")
    return count


@pytest.mark.parametrize("merged_after", [0, 1, 2])
async def test_words_are_found_in_the_same_way_before_and_after_they_are_merged(
    client: httpx2.AsyncClient, database: Database, sql: Session, merged_after: int
) -> None:
    ticket_id = (await open_ticket(client, subject="The printer", text="It is on fire."))["id"]
    for number, text in enumerate(["It stands in the kitchen", "Toner comes out"], 1):
        await commented(client, ticket_id, text)
        if number == merged_after:
            assert await merge_recent_words(database) == 1
    assert await waiting(sql) == 2 - merged_after
    for sort in ("-id", "created_at"):
        results = {query: await found(client, query, sort=sort) for query in QUERIES}
        assert results == {query: [ticket_id] if is_hit else [] for query, is_hit in QUERIES.items()}


async def test_pages_contain_tickets_with_recent_words_in_their_order(
    client: httpx2.AsyncClient, database: Database
) -> None:
    ids = [(await open_ticket(client, subject="equal"))["id"] for _ in range(6)]
    await commented(client, ids[1], "equal")
    await merge_recent_words(database)
    await commented(client, ids[2], "another")
    await commented(client, ids[4], "equal")
    seen, target = [], "/tickets?q=equal&limit=2"
    while target:
        response = await client.get(target)
        seen += [ticket["id"] for ticket in response.json()["items"]]
        target = response.links["next"]["url"] if "next" in response.links else ""
    assert seen == ids[::-1]


async def test_a_ticket_of_another_requester_is_not_found_by_recent_words(
    client: httpx2.AsyncClient,
) -> None:
    own, other = [(await open_ticket(client, email=f"{name}@example.com"))["id"] for name in ("alice", "bob")]
    for ticket_id in (own, other):
        await commented(client, ticket_id, "unusual")
    assert await found(client, "unusual", email="alice@example.com") == [own]


async def test_merging_empties_the_table_in_batches(
    client: httpx2.AsyncClient, database: Database, sql: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_words, "BATCH", 100)
    await sql.execute("""
        WITH many AS (INSERT INTO tickets (subject, text, email) SELECT 'many', 'text', 'a@example.com'
            FROM generate_series(1, 250) RETURNING id)
        INSERT INTO recent_words SELECT id, n, words_of('hidden' || n) FROM many, generate_series(1, 3) AS n
    """)
    assert await merge_recent_words(database) == 250
    assert await waiting(sql) == 0
    assert len(await found(client, "hidden1 hidden3 many", limit="100")) == 100


async def test_two_processes_that_merge_at_once_lose_nothing(
    client: httpx2.AsyncClient, database: Database, sql: Session
) -> None:
    ids = [(await open_ticket(client))["id"] for _ in range(20)]

    async def comment_and_merge(ticket_id: int) -> None:
        for number in range(5):
            await commented(client, ticket_id, f"remark{number}")
            await merge_recent_words(database)

    await asyncio.gather(*map(comment_and_merge, ids))
    await merge_recent_words(database)
    assert await waiting(sql) == 0
    assert sorted(await found(client, "remark0 remark1 remark2 remark3 remark4")) == ids


async def test_an_edit_of_the_ticket_keeps_its_recent_words(client: httpx2.AsyncClient, database: Database) -> None:
    ticket_id = (await open_ticket(client))["id"]
    await commented(client, ticket_id, "spoken")
    assert (await client.patch(f"/tickets/{ticket_id}", json={"subject": "edited"})).status_code == 200
    assert await found(client, "edited spoken") == [ticket_id]
    await merge_recent_words(database)
    assert await found(client, "edited spoken") == [ticket_id]


@pytest.mark.parametrize("is_merged", [False, True])
async def test_a_comment_that_is_erased_by_hand_is_not_found(
    client: httpx2.AsyncClient, database: Database, sql: Session, *, is_merged: bool
) -> None:
    ticket_id = (await open_ticket(client))["id"]
    await commented(client, ticket_id, "secret", "harmless")
    if is_merged:
        await merge_recent_words(database)
    await sql.execute("UPDATE comments SET text = 'erased' WHERE ticket_id = $1 AND text = 'secret'", ticket_id)
    await merge_recent_words(database)
    assert await found(client, "secret") == []
    assert await found(client, "erased harmless") == [ticket_id]


async def test_a_long_comment_is_indexed_at_once(client: httpx2.AsyncClient, sql: Session) -> None:
    ticket_id = (await open_ticket(client))["id"]
    long = words(5_000)
    await commented(client, ticket_id, " ".join(long), "short")
    assert await waiting(sql) == 1
    assert await found(client, f"{long[0]} {long[-1]} short") == [ticket_id]


async def test_more_recent_words_than_fit_together_are_found_each(
    client: httpx2.AsyncClient, database: Database, sql: Session
) -> None:
    ticket_id = (await open_ticket(client))["id"]
    many = words(120_000)
    for start in range(0, len(many), 1_000):
        text = " ".join(many[start : start + 1_000])
        insert = "INSERT INTO recent_words VALUES ($1, $2, words_of($3))"
        await sql.execute(insert, ticket_id, start, text)
    assert await found(client, many[0]) == [ticket_id]
    assert await merge_recent_words(database) == 1
    for word in many[:: len(many) // 20]:
        assert await found(client, word) == [ticket_id]


async def test_a_running_service_merges_by_itself(
    migrated_database: NewDatabase, redis_address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_words, "MERGE_EVERY_S", 0.1)
    async with migrated_database() as dsn:
        settings: Settings = settings_for(dsn, *redis_address)
        async with running(settings) as (app, client):
            ticket_id = (await open_ticket(client))["id"]
            await commented(client, ticket_id, "spoken twice")
            async with asyncio.timeout(20), app.state.tickets._database.reading() as sql:  # noqa: SLF001
                while await waiting(sql):
                    await asyncio.sleep(0.05)
            assert await found(client, "twice") == [ticket_id]
