"""Collect the words of new comments in a table of their own, from which they are merged into the index in batches.

Each comment rewrote the document of its ticket with all its words, and with them their entries in the index. Now it
inserts one small row, which `merge_recent_words` moves to the document a few seconds later. A search reads both.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a6d0f2b7c915"
down_revision: str | None = "e19c5a7d3b48"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_FIRST = "e41f6a90d2b3"

# A tsvector is limited to 1 MiB. What does not fit is found by its own words, not together with others.
_JOIN_WORDS = """
CREATE FUNCTION join_words(first tsvector, second tsvector) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN first || second;
EXCEPTION WHEN program_limit_exceeded THEN
    RETURN first;
END
$$
"""
_JOINED_WORDS = "CREATE AGGREGATE joined_words(tsvector) (SFUNC = join_words, STYPE = tsvector, INITCOND = '')"

# The tickets with recent words that have the wanted words, in one of their documents together with the recent ones.
_RECENT_HITS = """
CREATE FUNCTION recent_hits(wanted tsquery) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT recent.ticket_id
    FROM (
        SELECT ticket_id, joined_words(words ORDER BY comment_id) AS said FROM recent_words GROUP BY ticket_id
    ) AS recent
    WHERE EXISTS (
        SELECT FROM search_documents AS document
        WHERE document.ticket_id = recent.ticket_id
            AND (join_words(document.words, recent.said) @@ wanted OR recent.said @@ wanted)
        OFFSET 0
    )
$$
"""

# The words of the ticket itself are taken from its latest document, where they have weight A, and not parsed again.
_ADD_WORDS = """
CREATE OR REPLACE FUNCTION add_words(concerned bigint, added tsvector) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    latest record;
BEGIN
    SELECT part, ts_filter(words, '{d}') AS said, ts_filter(words, '{a}') AS own INTO latest
    FROM search_documents WHERE ticket_id = concerned ORDER BY part DESC LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO search_documents (ticket_id, part, words)
        SELECT id, 0, added || own_words(tickets) FROM tickets WHERE id = concerned;
    ELSIF pg_column_size(latest.said) <= 65536 THEN
        UPDATE search_documents SET words = latest.said || added || latest.own
        WHERE ticket_id = concerned AND part = latest.part;
    ELSE
        INSERT INTO search_documents (ticket_id, part, words)
        VALUES (concerned, latest.part + 1, added || latest.own);
    END IF;
END
$$
"""

# Long comments are rare, and are indexed at once: so the recent words of a ticket fit into one tsvector.
_COMMENTS_WORDS = """
CREATE OR REPLACE FUNCTION comments_words() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said tsvector;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM index_ticket(tickets) FROM tickets WHERE id IN (OLD.ticket_id, NEW.ticket_id);
        RETURN NULL;
    END IF;
    said := words_of(NEW.text);
    IF pg_column_size(said) > 16384 THEN
        PERFORM add_words(NEW.ticket_id, said);
    ELSE
        INSERT INTO recent_words (ticket_id, comment_id, words) VALUES (NEW.ticket_id, NEW.id, said);
    END IF;
    RETURN NULL;
END
$$
"""

# The advisory lock keeps `merge_recent_words` away, which writes the same documents.
_INDEX_TICKET = """
CREATE OR REPLACE FUNCTION index_ticket(concerned tickets) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('merge_recent_words'));
    DELETE FROM recent_words WHERE ticket_id = concerned.id;
    DELETE FROM search_documents WHERE ticket_id = concerned.id;
    INSERT INTO search_documents (ticket_id, part, words) VALUES (concerned.id, 0, own_words(concerned));
    FOR said IN SELECT text FROM comments WHERE ticket_id = concerned.id ORDER BY id LOOP
        PERFORM add_words(concerned.id, words_of(said));
    END LOOP;
END
$$
"""

# One process merges at a time. In ascending ids, like all who write several tickets.
_MERGE_RECENT_WORDS = """
CREATE FUNCTION merge_recent_words(at_most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    concerned bigint;
    recent tsvector;
    added tsvector;
    merged integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('merge_recent_words')) THEN
        RETURN 0;
    END IF;
    FOR concerned IN SELECT DISTINCT ticket_id FROM recent_words ORDER BY ticket_id LIMIT at_most LOOP
        added := '';
        FOR recent IN
            WITH gone AS (DELETE FROM recent_words WHERE ticket_id = concerned RETURNING comment_id, words)
            SELECT words FROM gone ORDER BY comment_id
        LOOP
            added := added || recent;
            IF pg_column_size(added) > 32768 THEN
                PERFORM add_words(concerned, added);
                added := '';
            END IF;
        END LOOP;
        IF added <> '' THEN
            PERFORM add_words(concerned, added);
        END IF;
        merged := merged + 1;
    END LOOP;
    RETURN merged;
END
$$
"""


def upgrade() -> None:
    """Collect new words from now on; the documents stay as they are."""
    # No foreign key: triggers write the table, and a key would cost each comment another lookup of its ticket.
    op.create_table(
        "recent_words",
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("comment_id", sa.BigInteger(), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "comment_id", name=op.f("pk_recent_words")),
    )
    for statement in (
        _JOIN_WORDS,
        _JOINED_WORDS,
        _RECENT_HITS,
        _ADD_WORDS,
        _COMMENTS_WORDS,
        _INDEX_TICKET,
        _MERGE_RECENT_WORDS,
    ):
        op.execute(statement)


def downgrade() -> None:
    """Merge all words, and put the first functions back."""
    op.execute("LOCK TABLE comments IN SHARE ROW EXCLUSIVE MODE")
    op.execute("SELECT merge_recent_words(2147483647)")
    script = op.get_context().script
    assert script is not None  # noqa: S101 - the script that runs this
    first = script.get_revision(_FIRST).module
    for function in (first._ADD_WORDS, first._COMMENTS_WORDS, first._INDEX_TICKET):  # noqa: SLF001
        op.execute(function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute("DROP FUNCTION merge_recent_words(integer)")
    op.execute("DROP FUNCTION recent_hits(tsquery)")
    op.execute("DROP AGGREGATE joined_words(tsvector)")
    op.execute("DROP FUNCTION join_words(tsvector, tsvector)")
    op.drop_table("recent_words")
