"""Load many tickets: COPY without triggers, then, in batches, the rows that the triggers would have written."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

from bench.words import TextGenerator

Report = Callable[[str], None]

COMMENTS_PER_TICKET: Final = 3
# Two of three tickets have an assignee, one in ten the tag x, and one in fifty is urgent.
AGENTS: Final = 50
_COPY_BATCH: Final = 10_000
_INDEX_BATCH: Final = 5_000
_CONNECTIONS: Final = 2
_FIRST_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_EVERY: Final = timedelta(seconds=10)
_TICKETS: Final = (
    *("id", "subject", "text", "email", "status", "version", "comment_count", "created_at", "updated_at"),
    *("closed_at", "assignee_id", "group_id", "priority", "tags"),
)
_COMMENTS: Final = ("ticket_id", "id", "email", "text", "created_at")

# Durability is not needed here: an interrupted preload starts again.
_SESSION: Final = """
    SET session_replication_role = replica; SET synchronous_commit = off; SET maintenance_work_mem = '1GB';
"""
_EVENTS: Final = """
    INSERT INTO ticket_events (ticket_id, version, type, data, actor, created_at)
    SELECT id, 1, 'created', '{}', 'key:preload', created_at FROM tickets WHERE id > $1 AND id <= $2
    UNION ALL
    SELECT ticket_id, 1 + row_number() OVER (PARTITION BY ticket_id ORDER BY id), 'commented',
        jsonb_build_object('comment_id', id), 'key:preload', created_at
    FROM comments WHERE ticket_id > $1 AND ticket_id <= $2
    UNION ALL
    SELECT id, version, 'changed', '{"status": {"from": "open", "to": "closed"}}', 'key:preload', closed_at
    FROM tickets WHERE id > $1 AND id <= $2 AND status = 'closed'
"""
_WORDS: Final = """
    INSERT INTO search_documents (ticket_id, part, words)
    SELECT id, 0, COALESCE(words_of(texts.text), '') || own_words(tickets)
    FROM tickets LEFT JOIN (
        SELECT ticket_id, string_agg(text, ' ' ORDER BY id) AS text FROM comments
        WHERE ticket_id > $1 AND ticket_id <= $2 GROUP BY ticket_id
    ) AS texts ON texts.ticket_id = id
    WHERE id > $1 AND id <= $2
"""
_FACETS: Final = """
    INSERT INTO ticket_facets (facet, status, ticket_id)
    SELECT unnest(facets_of(tickets)), status, id FROM tickets WHERE id > $1 AND id <= $2
"""
_SET_SEQUENCES: Final = """
    SELECT setval(pg_get_serial_sequence('tickets', 'id'), (SELECT max(id) FROM tickets)),
        setval(pg_get_serial_sequence('comments', 'id'), (SELECT max(id) FROM comments))
"""
_LONG_COMMENTS: Final = """
    INSERT INTO comments (ticket_id, email, text)
    SELECT ticket_id, 'agent@example.com', number || ' ' || ($3::text[])[1 + number % cardinality($3::text[])]
    FROM unnest($1::bigint[]) AS ticket_id, generate_series(1, $2::integer) AS number
"""
_LONG_TICKETS: Final = """
    UPDATE tickets SET comment_count = comment_count + $2, version = version + $2 WHERE id = ANY($1::bigint[])
"""
_LONG_WORDS: Final = """
    INSERT INTO search_documents (ticket_id, part, words)
    SELECT id, 1 + part, words_of(said) || own_words(tickets)
    FROM tickets JOIN (
        SELECT ticket_id, number / 500 AS part, string_agg(text, ' ') AS said FROM (
            SELECT ticket_id, text, row_number() OVER (PARTITION BY ticket_id ORDER BY id) AS number
            FROM comments WHERE ticket_id = ANY($1::bigint[])
        ) AS numbered GROUP BY ticket_id, part
    ) AS parts ON parts.ticket_id = id
"""
_WORDS_INDEX: Final = "ix_search_documents_words"


async def preload(dsn: str, tickets: int, report: Report) -> None:
    """Fill an empty, migrated database; the same number gives the same tickets."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_SESSION)
        index = await connection.fetchval("SELECT indexdef FROM pg_indexes WHERE indexname = $1", _WORDS_INDEX)
        await connection.execute(f"DROP INDEX {_WORDS_INDEX}")
        await _copy(connection, tickets, report)
        await _run_in_batches(dsn, _EVENTS, tickets, _Progress("events of", tickets, report))
        await _run_in_batches(dsn, _WORDS, tickets, _Progress("words of", tickets, report))
        await _run_in_batches(dsn, _FACETS, tickets, _Progress("facets of", tickets, report))
        report("building the index of the words")
        await connection.execute(index)
        await connection.execute(_SET_SEQUENCES)
        report("VACUUM ANALYZE")
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def lengthen(dsn: str, ticket_ids: Sequence[int], comments: int) -> None:
    """Add so many comments to each of these tickets."""
    texts = TextGenerator(seed=comments)
    variants = [texts.text(15, 15) for _ in range(200)]
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_SESSION)
        await connection.execute(_LONG_COMMENTS, ticket_ids, comments, variants)
        await connection.execute(_LONG_TICKETS, ticket_ids, comments)
        await connection.execute(_LONG_WORDS, ticket_ids)
        await connection.execute("VACUUM ANALYZE comments, tickets, search_documents")
    finally:
        await connection.close()


async def _copy(connection: asyncpg.Connection, tickets: int, report: Report) -> None:
    texts, progress = TextGenerator(seed=tickets), _Progress("copied", tickets, report)
    comment_id = 0
    for first, last in _batches(tickets, _COPY_BATCH):
        rows, comments = [], []
        for ticket_id in range(first + 1, last + 1):
            of_ticket = list(_comments(ticket_id, comment_id, texts))
            comment_id += len(of_ticket)
            comments += of_ticket
            rows.append(_ticket(ticket_id, len(of_ticket), texts))
        await connection.copy_records_to_table("tickets", columns=_TICKETS, records=rows)
        await connection.copy_records_to_table("comments", columns=_COMMENTS, records=comments)
        progress.add(len(rows))


def _ticket(ticket_id: int, comments: int, texts: TextGenerator) -> tuple[Any, ...]:
    """Return a row. Every fourth ticket is closed, so that tickets with odd ids are open."""
    created_at = _FIRST_AT + ticket_id * _EVERY
    updated_at = created_at + (comments + 1) * _EVERY
    is_closed = ticket_id % 4 == 0
    subject, text = texts.text(3, 8)[:255], texts.text(10, 40)
    email, status = f"user{ticket_id % 5000}@example.com", "closed" if is_closed else "open"
    version, closed_at = 1 + comments + is_closed, updated_at if is_closed else None
    work = (
        f"key:agent-{ticket_id % AGENTS}" if ticket_id % 3 else None,
        1 + ticket_id % 10 if ticket_id % 2 else None,
        "urgent" if ticket_id % 50 == 1 else "normal",
        ["x"] if ticket_id % 10 == 1 else [],
    )
    return ticket_id, subject, text, email, status, version, comments, created_at, updated_at, closed_at, *work


def _comments(ticket_id: int, latest_id: int, texts: TextGenerator) -> Iterator[tuple[Any, ...]]:
    for number in range(1, texts.chance.randint(0, 2 * COMMENTS_PER_TICKET) + 1):
        at = _FIRST_AT + (ticket_id + number) * _EVERY
        yield ticket_id, latest_id + number, f"agent{number}@example.com", texts.text(5, 25), at


async def _run_in_batches(dsn: str, statement: str, tickets: int, progress: "_Progress") -> None:
    """Run a statement for every range of ids, over several connections."""
    batches = _batches(tickets, _INDEX_BATCH)

    async def build() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(_SESSION)
            for first, last in batches:
                await connection.execute(statement, first, last)
                progress.add(last - first)
        finally:
            await connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(build())


def _batches(tickets: int, size: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + size, tickets)) for first in range(0, tickets, size))


class _Progress:
    """Reports every five seconds how much is done."""

    _EVERY_S: Final = 5

    def __init__(self, label: str, total: int, report: Report) -> None:
        self._label, self._total, self._report = label, total, report
        self._done = 0
        self._began_at = self._reported_at = time.monotonic()

    def add(self, done: int) -> None:
        """Add finished tickets, and report if five seconds have passed."""
        self._done += done
        now = time.monotonic()
        if now - self._reported_at > self._EVERY_S:
            self._reported_at = now
            left_s = (now - self._began_at) * (self._total - self._done) / self._done
            self._report(f"{self._label} {self._done:,} of {self._total:,} tickets; {left_s:.0f} s left")
