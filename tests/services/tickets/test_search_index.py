"""The index of the words: maintained by triggers; no text makes a write fail."""

import asyncio
from collections.abc import AsyncIterator
from itertools import islice, product
from string import ascii_lowercase

import asyncpg
import httpx2
import pytest
from alembic import command

from core.settings import async_dsn
from db.postgres.migrations import alembic_config
from models.ticket import TEXT_MAX_LENGTH
from support.factories import a_comment, migrate_to_head, new_database, open_ticket

FIND = """
    SELECT ticket_id FROM search_documents
    WHERE words @@ words_wanted($1) AND ticket_id NOT IN (SELECT ticket_id FROM recent_words)
    UNION SELECT recent_hits(words_wanted($1)) ORDER BY 1
"""


def words(count: int) -> list[str]:
    """Return different words that no stemmer shortens."""
    return ["".join(letters) + "q" for letters in islice(product(ascii_lowercase, repeat=4), count)]


async def found(sql: asyncpg.Connection, query: str) -> list[int]:
    return [row["ticket_id"] for row in await sql.fetch(FIND, query)]


@pytest.fixture
async def old_database(postgres_dsn: str) -> AsyncIterator[str]:
    """A database as the release before the search left it."""
    async with new_database(postgres_dsn) as dsn:
        await asyncio.to_thread(command.upgrade, alembic_config(async_dsn(dsn)), "c8b1d3e05f67")
        yield dsn


async def test_tickets_from_before_the_search_are_found(old_database: str) -> None:
    connection = await asyncpg.connect(old_database)
    await connection.execute("""
        INSERT INTO tickets (subject, text, email)
        SELECT 'old ' || n, 'text', 'a@example.com' FROM generate_series(1, 450) AS n;
        INSERT INTO comments (ticket_id, email, text) SELECT id, 'a@example.com', 'said ' || id FROM tickets;
    """)
    await migrate_to_head(old_database)
    assert len(await found(connection, "old said")) == 450
    assert await found(connection, "old 217 said") == [217]
    await connection.close()


async def test_what_is_written_by_hand_is_found(client: httpx2.AsyncClient, sql: asyncpg.Connection) -> None:
    ticket = await open_ticket(client)
    insert = "INSERT INTO comments (ticket_id, email, text) VALUES ($1, 'a@example.com', $2)"
    await sql.execute(insert, ticket["id"], "handwritten")
    assert ticket["id"] in await found(sql, "handwritten")
    await sql.execute("UPDATE comments SET text = 'rewritten' WHERE ticket_id = $1", ticket["id"])
    assert ticket["id"] not in await found(sql, "handwritten")
    assert ticket["id"] in await found(sql, "rewritten")
    await sql.execute("DELETE FROM comments WHERE ticket_id = $1", ticket["id"])
    assert ticket["id"] not in await found(sql, "rewritten")


async def test_words_are_there_with_the_transaction_that_wrote_them(
    client: httpx2.AsyncClient, sql: asyncpg.Connection
) -> None:
    ticket = await open_ticket(client)
    insert = "INSERT INTO comments (ticket_id, email, text) VALUES ($1, 'a@example.com', 'uncommitted')"
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute(insert, ticket["id"])
    assert await found(sql, "uncommitted") == [ticket["id"]]
    await transaction.rollback()
    assert await found(sql, "uncommitted") == []


async def test_a_very_long_discussion_is_indexed_in_parts_and_every_word_found(
    client: httpx2.AsyncClient, sql: asyncpg.Connection
) -> None:
    ticket = await open_ticket(client)
    said = words(60_000)
    for start in range(0, len(said), 10_000):
        text = " ".join(said[start : start + 10_000])
        answer = await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment(text=text))
        assert answer.status_code == 201
    assert await sql.fetchval("SELECT count(*) FROM search_documents WHERE ticket_id = $1", ticket["id"]) > 1
    for word in said[:: len(said) // 50]:
        assert await found(sql, word) == [ticket["id"]]
    answer = await client.patch(
        f"/tickets/{ticket['id']}", json={"subject": "unheard", "text": " ".join(reversed(said[:10_000]))}
    )
    assert answer.status_code == 200
    for word in said[:: len(said) // 50]:
        # What the ticket itself says goes with every part.
        assert await found(sql, f"unheard {word}") == [ticket["id"]]


@pytest.mark.parametrize(
    "pattern",
    [
        "a_",
        "a@1",
        "1@a",
        "a_a",
        "<a b='",
        "http://a.b/",
        "a-",
        "a.b-c/",
        "x",
        "й_",
        "\U00010330 ",
        "\U00020000-\U00020001.",
    ],
)
async def test_no_text_makes_a_write_slow(client: httpx2.AsyncClient, sql: asyncpg.Connection, pattern: str) -> None:
    """PostgreSQL's parser left alone takes more than a minute for the second of these."""
    text = (pattern * TEXT_MAX_LENGTH)[:TEXT_MAX_LENGTH]
    await sql.execute("SET statement_timeout = '2s'")
    await sql.fetchval("SELECT words_of($1)", text)
    ticket = await open_ticket(client, text=text)
    answer = await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment(text=text))
    assert answer.status_code == 201
    assert (await client.get("/tickets", params={"q": (pattern * 255)[:255]})).status_code in {200, 422}
