"""Many tickets at once: by COPY with the triggers off, and then, set by set, what the triggers would have written."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg

from bench.words import Speaker

Tell = Callable[[str], None]

COMMENTS_PER_TICKET: Final = 3
_COPIED_AT_ONCE: Final = 10_000
_INDEXED_AT_ONCE: Final = 5_000
_BUILDERS: Final = 2
_FIRST_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_EVERY: Final = timedelta(seconds=10)
_TICKETS: Final = (
    *("id", "subject", "text", "email", "status", "version", "comment_count", "created_at", "updated_at"),
    "closed_at",
)
_COMMENTS: Final = ("ticket_id", "id", "email", "text", "created_at")

# Durability is the service's to have; what breaks here is made again.
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
    SELECT id, 0, COALESCE(words_of(said.text), '') || own_words(tickets)
    FROM tickets LEFT JOIN (
        SELECT ticket_id, string_agg(text, ' ' ORDER BY id) AS text FROM comments
        WHERE ticket_id > $1 AND ticket_id <= $2 GROUP BY ticket_id
    ) AS said ON said.ticket_id = id
    WHERE id > $1 AND id <= $2
"""
_SEQUENCES: Final = """
    SELECT setval(pg_get_serial_sequence('tickets', 'id'), (SELECT max(id) FROM tickets)),
        setval(pg_get_serial_sequence('comments', 'id'), (SELECT max(id) FROM comments))
"""
_WORDS_INDEX: Final = "ix_search_documents_words"


async def preload(dsn: str, tickets: int, tell: Tell) -> None:
    """Fill an empty, migrated database; the same number makes the same tickets."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_SESSION)
        index = await connection.fetchval("SELECT indexdef FROM pg_indexes WHERE indexname = $1", _WORDS_INDEX)
        await connection.execute(f"DROP INDEX {_WORDS_INDEX}")
        await _copy(connection, tickets, tell)
        await _in_parts(dsn, _EVENTS, tickets, _Progress("events of", tickets, tell))
        await _in_parts(dsn, _WORDS, tickets, _Progress("words of", tickets, tell))
        tell("indexing the words")
        await connection.execute(index)
        await connection.execute(_SEQUENCES)
        tell("VACUUM ANALYZE")
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _copy(connection: asyncpg.Connection, tickets: int, tell: Tell) -> None:
    speaker, progress = Speaker(seed=tickets), _Progress("copied", tickets, tell)
    comment_id = 0
    for first, last in _parts(tickets, _COPIED_AT_ONCE):
        rows, comments = [], []
        for ticket_id in range(first + 1, last + 1):
            said = list(_comments(ticket_id, comment_id, speaker))
            comment_id += len(said)
            comments += said
            rows.append(_ticket(ticket_id, len(said), speaker))
        await connection.copy_records_to_table("tickets", columns=_TICKETS, records=rows)
        await connection.copy_records_to_table("comments", columns=_COMMENTS, records=comments)
        progress.add(len(rows))


def _ticket(ticket_id: int, comments: int, speaker: Speaker) -> tuple[Any, ...]:
    """Return a row; every fourth ticket is closed, which leaves the odd ones open."""
    created_at = _FIRST_AT + ticket_id * _EVERY
    updated_at = created_at + (comments + 1) * _EVERY
    is_closed = ticket_id % 4 == 0
    subject, text = speaker.text(3, 8)[:255], speaker.text(10, 40)
    email, status = f"user{ticket_id % 5000}@example.com", "closed" if is_closed else "open"
    version, closed_at = 1 + comments + is_closed, updated_at if is_closed else None
    return ticket_id, subject, text, email, status, version, comments, created_at, updated_at, closed_at


def _comments(ticket_id: int, latest_id: int, speaker: Speaker) -> Iterator[tuple[Any, ...]]:
    for number in range(1, speaker.chance.randint(0, 2 * COMMENTS_PER_TICKET) + 1):
        at = _FIRST_AT + (ticket_id + number) * _EVERY
        yield ticket_id, latest_id + number, f"agent{number}@example.com", speaker.text(5, 25), at


async def _in_parts(dsn: str, statement: str, tickets: int, progress: "_Progress") -> None:
    """Run a statement for every range of ids, some at once."""
    parts = _parts(tickets, _INDEXED_AT_ONCE)

    async def build() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(_SESSION)
            for first, last in parts:
                await connection.execute(statement, first, last)
                progress.add(last - first)
        finally:
            await connection.close()

    async with asyncio.TaskGroup() as builders:
        for _ in range(_BUILDERS):
            builders.create_task(build())


def _parts(tickets: int, size: int) -> Iterator[tuple[int, int]]:
    return ((first, min(first + size, tickets)) for first in range(0, tickets, size))


class _Progress:
    """Tells every few seconds how far something is."""

    _EVERY_S: Final = 5

    def __init__(self, what: str, total: int, tell: Tell) -> None:
        self._what, self._total, self._tell = what, total, tell
        self._done = 0
        self._began_at = self._told_at = time.monotonic()

    def add(self, done: int) -> None:
        """Count what was done, and tell if it is time."""
        self._done += done
        now = time.monotonic()
        if now - self._told_at > self._EVERY_S:
            self._told_at = now
            left_s = (now - self._began_at) * (self._total - self._done) / self._done
            self._tell(f"{self._what} {self._done:,} of {self._total:,} tickets; {left_s:.0f} s left")
