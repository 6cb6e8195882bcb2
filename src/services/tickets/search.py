"""The search for words: the one query that is written as text.

It is a script for PostgreSQL's planner, which keeps statistics of the commonest words only and guesses wrong for all
others. OFFSET 0, MATERIALIZED and EXISTS stand where they make the planner take one step before another; as SQLAlchemy
constructs they would be longer and harder to compare with the plan. Columns, filters and order come from the models.

A search reads the nearest tickets in the requested order, which soon fills a page when many tickets have the words. If
it does not, the index of the words is read, which is fast when few tickets have them. Between the two, if only the
order of the ids matters, the share of the nearest tickets that have the words tells how far a page of them reaches, and
the index is read for that range first.
"""

from typing import Final

from sqlalchemy import ClauseElement, TextualSelect, literal_column, text
from sqlalchemy.dialects.postgresql.base import PGDialect

from models import SearchDocument, table_of
from services.tickets.page_shape import PageShape, page_query
from services.tickets.statements import tickets

# Reading a ticket costs 2 µs and finding one by its words 5 µs, or three times that if its page is not in memory. With
# a million tickets, words that are as frequent among the nearest as elsewhere take 0.2 s at most; the planner's guess
# took a second for the rarest. Words that many tickets have, but none of the nearest, take the time of finding all of
# them, or the search times out.
NEAREST: Final = 5_000
# Where only the ids matter, only the documents are read, in the order of their ids, for 0.5 µs each.
NEAREST_BY_ID: Final = 2_000
# Restricting the index of the words to a range costs 0.1 µs for each id of it, 12 ms at most: with a million tickets,
# no more than finding all that have a word, if fewer than two of the nearest have it. Words that one ticket in a
# hundred or in a thousand has take 4 to 15 ms, where finding all took 15 to 100.
_MAX_RANGE: Final = 120_000
# How much further a page is expected to reach than it would if the words were spread evenly.
_MARGIN: Final = 2

_DIALECT: Final = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]
_DOCUMENTS: Final = table_of(SearchDocument)
_HAS_WORDS: Final = f"{_DOCUMENTS.c.words.name} @@ words_wanted(:q)"


def search(shape: PageShape) -> TextualSelect:
    """Return the query for the rows of a page of a search; each step runs only if those before have not filled it."""
    nearest, count, has_words = _nearest(shape)
    key = ", ".join(shape.key)
    columns = ", ".join(column.name for column in tickets.c)
    order = _order(shape)
    in_statuses = "AND status = ANY(CAST(:status AS text[]))" if shape.by_status else ""
    # OFFSET 0 makes the planner keep to this order: the words before the ids.
    query = f"""
        WITH seen AS MATERIALIZED (
            SELECT DISTINCT {key} FROM ({nearest}) AS nearest WHERE {has_words} {order} LIMIT :limit
        ),
        farthest AS MATERIALIZED (SELECT id FROM ({nearest}) AS nearest {order} OFFSET {count - 1}),
        known AS MATERIALIZED (SELECT id FROM seen {_hits_close_by(shape)}),
        found AS MATERIALIZED (
            SELECT DISTINCT ticket_id AS id FROM (
                SELECT ticket_id FROM search_documents
                WHERE (SELECT count(*) FROM known) < :limit AND EXISTS (SELECT FROM farthest) AND {_HAS_WORDS}
                OFFSET 0
            ) AS hits {_enough_hits(shape)}
        )
        SELECT page.* FROM (SELECT id FROM known UNION SELECT id FROM found) AS hits (ticket_id)
        CROSS JOIN LATERAL (
            SELECT {columns} FROM tickets
            WHERE id = ticket_id AND {_rendered(shape.conditions)} {in_statuses} OFFSET 0
        ) AS page
        {order} LIMIT :limit
    """
    return text(query).columns(*tickets.c)


def _nearest(shape: PageShape) -> tuple[str, int, str]:
    """Return the query for the nearest rows, how many rows it returns, and the condition that a row has the words."""
    if shape.by_id_alone:
        # A long discussion has several rows, one after the other.
        nearest = f"SELECT ticket_id AS id, words FROM search_documents {_from_cursor(shape)} {_order(shape)}"
        return f"{nearest} LIMIT {NEAREST_BY_ID}", NEAREST_BY_ID, _HAS_WORDS
    # OFFSET 0 makes the planner go ticket by ticket.
    has_words = f"EXISTS (SELECT FROM search_documents WHERE ticket_id = nearest.id AND {_HAS_WORDS} OFFSET 0)"
    query = page_query(shape, [tickets.c[name] for name in shape.key], literal_column(str(NEAREST)))
    return _rendered(query), NEAREST, has_words


def _hits_close_by(shape: PageShape) -> str:
    """Return the part that reads the index within the ids that a page is expected to reach, unless that is too far.

    The range includes the farthest ticket again: some of its rows may lie behind the nearest that were read.
    """
    if not shape.by_id_alone:
        return ""
    seen, farthest = "(SELECT count(*) FROM seen)", "(SELECT id FROM farthest)"
    reach = f":limit * {_MARGIN * NEAREST_BY_ID} / NULLIF({seen}, 0)"
    ids = f"{farthest} - {reach} AND {farthest}" if shape.is_descending else f"{farthest} AND {farthest} + {reach}"
    return f"""
        UNION SELECT id FROM (
            SELECT DISTINCT ticket_id AS id FROM (
                SELECT ticket_id FROM search_documents
                WHERE {seen} < :limit AND {seen} * {_MAX_RANGE} >= :limit * {_MARGIN * NEAREST_BY_ID}
                    AND EXISTS (SELECT FROM farthest) AND ticket_id BETWEEN {ids} AND {_HAS_WORDS}
                OFFSET 0
            ) AS hits {_order(shape)} LIMIT :limit
        ) AS hits
    """


def _enough_hits(shape: PageShape) -> str:
    """Return the part that limits the tickets with the words, where their ids alone decide which are on the page."""
    return f"{_from_cursor(shape)} {_order(shape)} LIMIT :limit" if shape.by_id_alone else ""


def _from_cursor(shape: PageShape) -> str:
    """Return the condition that a document's ticket comes after the last one that was seen."""
    return "" if shape.is_first else f"WHERE ticket_id {'<' if shape.is_descending else '>'} :after_id"


def _order(shape: PageShape) -> str:
    direction = "DESC" if shape.is_descending else "ASC"
    return f"ORDER BY {', '.join(f'{column} {direction}' for column in shape.key)}"


def _rendered(construct: ClauseElement) -> str:
    """Return a construct as text with `:name` for its parameters."""
    return str(construct.compile(dialect=_DIALECT))
