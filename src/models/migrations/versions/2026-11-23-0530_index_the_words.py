"""Index the words of tickets and comments in the transactions that write them.

Triggers write the index, not the statements of the service. So a search also finds what the previous release writes
while it still runs, and what is written by hand.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "e41f6a90d2b3"
down_revision: str | None = "c8b1d3e05f67"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Texts and queries are normalized in the same way. Punctuation that joins or surrounds words becomes a space: the two
# parsers split ASCII punctuation differently, and in a database of locale C they take other punctuation for letters. A
# hyphen in front of a word stays, because in a query it excludes the word. A run without a space is split after 100
# characters: for some runs the parser takes quadratic time, over a minute for the longest text.
_BEYOND_ASCII = r"\u0080-\u00BF\u2000-\u206F\u2100-\u2BFF\u3000-\u303F\uFEFF"
_PLAIN = rf"""regexp_replace(
    regexp_replace({{}}, '[/:?=&#_<>.@{_BEYOND_ASCII}]|(?<=\S)-(?=\S)', ' ', 'g'), '(\S{{{{100}}}})', '\1 ', 'g'
)"""
# This configuration stems ASCII words as English. The stop word in front occupies a position, so that no phrase spans
# two texts.
_WORDS_OF = f"""
CREATE FUNCTION words_of(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN to_tsvector('pg_catalog.russian', 'и ' || {_PLAIN.format("said")})
"""
_WORDS_WANTED = f"""
CREATE FUNCTION words_wanted(query text) RETURNS tsquery LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN websearch_to_tsquery('pg_catalog.russian', {_PLAIN.format("query")})
"""

# The words of the ticket itself have weight A, which separates them from the words of comments when they are replaced.
_OWN_WORDS = """
CREATE FUNCTION own_words(concerned tickets) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN setweight(words_of(concerned.subject) || words_of(concerned.text), 'A')
"""

# A long discussion is indexed in parts, each with the words of the ticket: a tsvector is limited to 1 MiB, of which the
# longest text takes 0.4, and a new comment must not rewrite the words of all earlier ones. The words of the ticket come
# last, so that the words of comments keep their positions, which end at 16,383, when the ticket is edited.
_ADD_WORDS = """
CREATE FUNCTION add_words(concerned bigint, added tsvector) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    latest record;
    own tsvector := (SELECT own_words(tickets) FROM tickets WHERE id = concerned);
BEGIN
    SELECT part, ts_filter(words, '{d}') AS said INTO latest
    FROM search_documents WHERE ticket_id = concerned ORDER BY part DESC LIMIT 1 FOR UPDATE;
    IF pg_column_size(latest.said) <= 65536 THEN
        UPDATE search_documents SET words = latest.said || added || own
        WHERE ticket_id = concerned AND part = latest.part;
    ELSE
        INSERT INTO search_documents (ticket_id, part, words)
        VALUES (concerned, COALESCE(latest.part + 1, 0), added || own);
    END IF;
END
$$
"""

_INDEX_TICKET = """
CREATE FUNCTION index_ticket(concerned tickets) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    DELETE FROM search_documents WHERE ticket_id = concerned.id;
    INSERT INTO search_documents (ticket_id, part, words) VALUES (concerned.id, 0, own_words(concerned));
    FOR said IN SELECT text FROM comments WHERE ticket_id = concerned.id ORDER BY id LOOP
        PERFORM add_words(concerned.id, words_of(said));
    END LOOP;
END
$$
"""

_TICKETS_WORDS = """
CREATE FUNCTION tickets_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO search_documents (ticket_id, part, words) VALUES (NEW.id, 0, own_words(NEW));
    ELSE
        UPDATE search_documents SET words = ts_filter(words, '{d}') || own_words(NEW) WHERE ticket_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$
"""

_COMMENTS_WORDS = """
CREATE FUNCTION comments_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM add_words(NEW.ticket_id, words_of(NEW.text));
    ELSE
        PERFORM index_ticket(tickets) FROM tickets WHERE id IN (OLD.ticket_id, NEW.ticket_id);
    END IF;
    RETURN NULL;
END
$$
"""

_FUNCTIONS = {
    "words_of(text)": _WORDS_OF,
    "words_wanted(text)": _WORDS_WANTED,
    "own_words(tickets)": _OWN_WORDS,
    "add_words(bigint, tsvector)": _ADD_WORDS,
    "index_ticket(tickets)": _INDEX_TICKET,
    "tickets_words()": _TICKETS_WORDS,
    "comments_words()": _COMMENTS_WORDS,
}

_TRIGGERS = {
    ("tickets_words_of_new", "tickets"): "AFTER INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION tickets_words()",
    ("tickets_words_of_edited", "tickets"): (
        "AFTER UPDATE ON tickets FOR EACH ROW "
        "WHEN (OLD.subject <> NEW.subject OR OLD.text <> NEW.text) EXECUTE FUNCTION tickets_words()"
    ),
    ("comments_words", "comments"): (
        "AFTER INSERT OR UPDATE OR DELETE ON comments FOR EACH ROW EXECUTE FUNCTION comments_words()"
    ),
}


def upgrade() -> None:
    """Index new words from now on; the next migration indexes the existing tickets."""
    # Both in one statement, in the order in which a comment locks them, which prevents deadlocks.
    op.execute("LOCK TABLE comments, tickets IN SHARE ROW EXCLUSIVE MODE")
    op.create_table(
        "search_documents",
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_search_documents_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("ticket_id", "part", name=op.f("pk_search_documents")),
    )
    op.create_index("ix_search_documents_words", "search_documents", ["words"], postgresql_using="gin")
    for function in _FUNCTIONS.values():
        op.execute(function)
    for (name, _), trigger in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {trigger}")


def downgrade() -> None:
    """Drop the index, its triggers and their functions."""
    for name, table in _TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON {table}")
    for function in reversed(_FUNCTIONS):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("search_documents")
