"""Keep the words of notes from requesters, and let the words of merged tickets be found under their target.

A document has `public_words` as soon as one of its comments is a note. It has the words of merged tickets too.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "f6b2d8e4a071"
down_revision: str | None = "c2f7a94e1d60"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_WORDS = "e41f6a90d2b3"
_RECENT_WORDS = "a6d0f2b7c915"

# The words of the ticket itself are taken from its latest document, where they have weight A, and not parsed again.
_ADD_WORDS = """
CREATE FUNCTION add_words(concerned bigint, added tsvector, is_note boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    latest record;
BEGIN
    SELECT part, words, public_words, ts_filter(words, '{d}') AS said, ts_filter(words, '{a}') AS own INTO latest
    FROM search_documents WHERE ticket_id = concerned ORDER BY part DESC LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO search_documents (ticket_id, part, words, public_words)
        SELECT id, 0, added || own_words(tickets), CASE WHEN is_note THEN own_words(tickets) END
        FROM tickets WHERE id = concerned;
    ELSIF pg_column_size(latest.said) <= 65536 THEN
        UPDATE search_documents SET
            words = latest.said || added || latest.own,
            public_words = CASE
                WHEN is_note THEN COALESCE(latest.public_words, latest.words)
                ELSE ts_filter(latest.public_words, '{d}') || added || latest.own
            END
        WHERE ticket_id = concerned AND part = latest.part;
    ELSE
        INSERT INTO search_documents (ticket_id, part, words, public_words)
        VALUES (concerned, latest.part + 1, added || latest.own, CASE WHEN is_note THEN latest.own END);
    END IF;
END
$$
"""
_COMMENTS_WORDS = """
CREATE OR REPLACE FUNCTION comments_words() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said tsvector;
    is_note boolean;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM index_ticket(tickets) FROM tickets WHERE id IN (
            SELECT with_merge_targets(OLD.ticket_id) UNION SELECT with_merge_targets(NEW.ticket_id)
        );
        RETURN NULL;
    END IF;
    said := words_of(NEW.text);
    is_note := NEW.visibility = 'internal';
    IF pg_column_size(said) > 16384 THEN
        PERFORM add_words(NEW.ticket_id, said, is_note);
    ELSE
        INSERT INTO recent_words (ticket_id, comment_id, words, is_internal)
        VALUES (NEW.ticket_id, NEW.id, said, is_note);
    END IF;
    RETURN NULL;
END
$$
"""
# The advisory lock keeps `merge_recent_words` away, which writes the same documents. The words of merged tickets are
# found under their target too.
_INDEX_TICKET = """
CREATE OR REPLACE FUNCTION index_ticket(concerned tickets) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part record;
    added tsvector := '';
    is_note boolean := false;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('merge_recent_words'));
    DELETE FROM recent_words WHERE ticket_id = concerned.id;
    DELETE FROM search_documents WHERE ticket_id = concerned.id;
    INSERT INTO search_documents (ticket_id, part, words) VALUES (concerned.id, 0, own_words(concerned));
    FOR part IN
        SELECT false AS is_note, 0 AS comment_id, words_of(subject) || words_of(text) AS words
        FROM tickets WHERE id IN (SELECT merged_tickets(concerned.id))
        UNION ALL
        SELECT visibility = 'internal', id, words_of(text)
        FROM comments WHERE ticket_id = concerned.id OR ticket_id IN (SELECT merged_tickets(concerned.id))
        ORDER BY is_note, comment_id
    LOOP
        IF is_note <> part.is_note OR pg_column_size(added) > 32768 THEN
            PERFORM add_words(concerned.id, added, is_note);
            added := '';
            is_note := part.is_note;
        END IF;
        added := added || part.words;
    END LOOP;
    PERFORM add_words(concerned.id, added, is_note);
END
$$
"""
_TICKETS_WORDS = """
CREATE OR REPLACE FUNCTION tickets_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO search_documents (ticket_id, part, words) VALUES (NEW.id, 0, own_words(NEW));
    ELSE
        UPDATE search_documents SET
            words = ts_filter(words, '{d}') || own_words(NEW),
            public_words = ts_filter(public_words, '{d}') || own_words(NEW)
        WHERE ticket_id = NEW.id;
        IF NEW.merged_into IS NOT NULL THEN
            PERFORM index_ticket(tickets) FROM tickets WHERE id IN (SELECT with_merge_targets(NEW.merged_into));
        END IF;
    END IF;
    RETURN NULL;
END
$$
"""
_MERGED_WORDS = """
CREATE FUNCTION merged_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM index_ticket(tickets) FROM tickets WHERE id IN (
        SELECT with_merge_targets(OLD.merged_into) UNION SELECT with_merge_targets(NEW.merged_into)
    );
    RETURN NULL;
END
$$
"""
# The tickets with recent words that have the wanted words, in one of their documents together with the recent ones.
_RECENT_HITS = """
CREATE FUNCTION recent_hits(wanted tsquery, of_notes boolean) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT recent.ticket_id
    FROM (
        SELECT ticket_id, COALESCE(
            joined_words(words ORDER BY comment_id) FILTER (WHERE of_notes OR NOT is_internal), ''
        ) AS said
        FROM recent_words GROUP BY ticket_id
    ) AS recent
    WHERE EXISTS (
        SELECT FROM search_documents AS document
        CROSS JOIN LATERAL (
            SELECT CASE WHEN of_notes THEN document.words ELSE COALESCE(document.public_words, document.words) END
        ) AS visible (words)
        WHERE document.ticket_id = recent.ticket_id
            AND (join_words(visible.words, recent.said) @@ wanted OR recent.said @@ wanted)
        OFFSET 0
    )
$$
"""
# One process merges at a time. In ascending ids, like all who write several tickets.
_MERGE_RECENT_WORDS = """
CREATE OR REPLACE FUNCTION merge_recent_words(at_most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    concerned bigint;
    recent record;
    added tsvector;
    is_note boolean;
    merged integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('merge_recent_words')) THEN
        RETURN 0;
    END IF;
    FOR concerned IN SELECT DISTINCT ticket_id FROM recent_words ORDER BY ticket_id LIMIT at_most LOOP
        added := '';
        is_note := false;
        FOR recent IN
            WITH gone AS (DELETE FROM recent_words WHERE ticket_id = concerned RETURNING *)
            SELECT words, is_internal FROM gone ORDER BY is_internal, comment_id
        LOOP
            IF added <> '' AND (is_note <> recent.is_internal OR pg_column_size(added) > 32768) THEN
                PERFORM add_words(concerned, added, is_note);
                added := '';
            END IF;
            is_note := recent.is_internal;
            added := added || recent.words;
        END LOOP;
        IF added <> '' THEN
            PERFORM add_words(concerned, added, is_note);
        END IF;
        merged := merged + 1;
    END LOOP;
    RETURN merged;
END
$$
"""

_FUNCTIONS = (
    _ADD_WORDS,
    _COMMENTS_WORDS,
    _INDEX_TICKET,
    _TICKETS_WORDS,
    _MERGED_WORDS,
    _RECENT_HITS,
    _MERGE_RECENT_WORDS,
)
_LOCK = "LOCK TABLE comments, tickets, search_documents, recent_words IN ACCESS EXCLUSIVE MODE"


def upgrade() -> None:
    """Add the columns, and replace the functions. There are no notes and no merged tickets yet."""
    # In one statement, in the order in which a comment locks them, which prevents deadlocks.
    op.execute(_LOCK)
    op.add_column("search_documents", sa.Column("public_words", postgresql.TSVECTOR(), nullable=True))
    op.add_column(
        "recent_words", sa.Column("is_internal", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    for function in _FUNCTIONS:
        op.execute(function)
    op.execute("DROP FUNCTION add_words(bigint, tsvector)")
    op.execute(
        "CREATE TRIGGER tickets_words_of_merged AFTER UPDATE ON tickets FOR EACH ROW"
        " WHEN (OLD.merged_into IS DISTINCT FROM NEW.merged_into) EXECUTE FUNCTION merged_words()"
    )


def downgrade() -> None:
    """Put the functions of before back, and drop the columns."""
    op.execute(_LOCK)
    op.execute("DROP TRIGGER tickets_words_of_merged ON tickets")
    op.execute("DROP FUNCTION add_words(bigint, tsvector, boolean)")
    script = op.get_context().script
    assert script is not None  # noqa: S101 - the script that runs this
    words, recent = (script.get_revision(each).module for each in (_WORDS, _RECENT_WORDS))
    for function in (
        words._TICKETS_WORDS,  # noqa: SLF001
        recent._ADD_WORDS,  # noqa: SLF001
        recent._COMMENTS_WORDS,  # noqa: SLF001
        recent._INDEX_TICKET,  # noqa: SLF001
        recent._MERGE_RECENT_WORDS,  # noqa: SLF001
    ):
        op.execute(function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    for function in ("recent_hits(tsquery, boolean)", "merged_words()"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_column("recent_words", "is_internal")
    op.drop_column("search_documents", "public_words")
