"""The search for words: the only query that is written as text.

PostgreSQL's planner has statistics of the most frequent words only and estimates all others wrongly. So the query
fixes the order of its steps with OFFSET 0, MATERIALIZED and EXISTS. As SQLAlchemy constructs these would be longer and
harder to compare with the plan. Columns, filters and order come from the models.

The "nearest" tickets are the first ones in the requested order, from the cursor on. The query has three steps; each
runs only if the steps before it have not filled the page:

1. Scan the nearest tickets. This fills a page soon if many tickets have the words.
2. Only if the page is sorted by id and has no other filter: from the share of hits among the nearest tickets, estimate
   the range of ids that a page needs, and read the word index for that range.
3. Read the word index as a whole. This is fast if few tickets have the words.

The words of new comments are not in the documents until they are merged (see `services.tickets.recent_words`). The few
tickets with such words are left out of the three steps, and are all examined separately: `recent_hits` in the database.
"""

from typing import Final

from sqlalchemy import ClauseElement, TextualSelect, literal_column, text
from sqlalchemy.dialects.postgresql.base import PGDialect

from models import RecentWords, SearchDocument, table_of
from services.tickets.page_query import page_query
from services.tickets.page_shape import PageShape
from services.tickets.statements import tickets

# Reading a ticket costs 2 µs and finding one by its words 5 µs, or three times that if its page is not in memory. With
# a million tickets, evenly distributed words take at most 0.2 s; the planner's own plan took a second for the rarest.
# Words that many tickets have, but none of the nearest, take the time of finding all of them, or the search times out.
NEAREST: Final = 5_000
# Sorted by id, the search reads the documents only, in the order of their ids, for 0.5 µs each.
NEAREST_BY_ID: Final = 2_000
# Restricting the word index to a range costs 0.1 µs for each id in it, 12 ms at most: with a million tickets,
# no more than finding all that have a word, if fewer than two of the nearest have it. Words that one ticket in a
# hundred or in a thousand has take 4 to 15 ms, where finding all took 15 to 100.
_MAX_RANGE: Final = 120_000
# Safety factor on the estimated range of ids.
_MARGIN: Final = 2

_DIALECT: Final = PGDialect(paramstyle="named")  # type: ignore[no-untyped-call]
_DOCUMENTS: Final = table_of(SearchDocument)
_RECENT: Final = table_of(RecentWords)
_HAS_WORDS: Final = f"{_DOCUMENTS.c.words.name} @@ words_wanted(:q)"
# What requesters find: the words without those of notes. The first part is for the word index, which has no others.
HAS_PUBLIC_WORDS: Final = (
    f"({_HAS_WORDS} OR {_DOCUMENTS.c.public_words.name} IS NOT NULL)"
    f" AND COALESCE({_DOCUMENTS.c.public_words.name}, {_DOCUMENTS.c.words.name}) @@ words_wanted(:q)"
)
_IS_MERGED: Final = "NOT IN (SELECT ticket_id FROM recent)"


def search(shape: PageShape) -> TextualSelect:
    """Return the query for the rows of a page of a search.

    `seen` holds the hits of step 1, `known` those of steps 1 and 2, and `found` those of step 3. `farthest` is the last
    of the nearest tickets; without it, step 1 has read all of them. `recent` holds the tickets whose words are not
    merged yet.
    """
    nearest, count, has_words = _nearest(shape)
    document_has_words = HAS_PUBLIC_WORDS if shape.is_of_requester else _HAS_WORDS
    of_notes = "false" if shape.is_of_requester else "true"
    key = ", ".join(shape.key)
    columns = ", ".join(column.name for column in tickets.c)
    order = _order(shape)
    in_statuses = "AND status = ANY(CAST(:status AS text[]))" if shape.by_status else ""
    # OFFSET 0 makes the planner evaluate the words before the ids.
    query = f"""
        WITH recent AS MATERIALIZED (SELECT DISTINCT ticket_id FROM {_RECENT.name}),
        seen AS MATERIALIZED (
            SELECT {key} FROM (
                SELECT DISTINCT {key} FROM ({nearest}) AS nearest WHERE {has_words} AND id {_IS_MERGED}
            ) AS hits {order} LIMIT :limit
        ),
        farthest AS MATERIALIZED (SELECT id FROM ({nearest}) AS nearest {order} OFFSET {count - 1}),
        known AS MATERIALIZED (SELECT id FROM seen {_hits_in_estimated_range(shape)}),
        found AS MATERIALIZED (
            SELECT DISTINCT ticket_id AS id FROM (
                SELECT ticket_id FROM search_documents
                WHERE (SELECT count(*) FROM known) < :limit AND EXISTS (SELECT FROM farthest)
                    AND {document_has_words} AND ticket_id {_IS_MERGED}
                OFFSET 0
            ) AS hits {_limit_of_hits(shape)}
        )
        SELECT page.* FROM (
            SELECT id FROM known UNION SELECT id FROM found UNION SELECT recent_hits(words_wanted(:q), {of_notes})
        ) AS hits (ticket_id)
        CROSS JOIN LATERAL (
            SELECT {columns} FROM tickets
            WHERE id = ticket_id AND ({_rendered(shape.conditions)}) {in_statuses} OFFSET 0
        ) AS page
        {order} LIMIT :limit
    """
    return text(query).columns(*tickets.c)


def _nearest(shape: PageShape) -> tuple[str, int, str]:
    """Return the query for the nearest rows, how many rows it returns, and the condition that a row has the words."""
    if shape.by_id_alone:
        # A long discussion has several documents, one after the other.
        nearest = f"SELECT ticket_id AS id, words FROM search_documents {_from_cursor(shape)} {_order(shape)}"
        return f"{nearest} LIMIT {NEAREST_BY_ID}", NEAREST_BY_ID, _HAS_WORDS
    # OFFSET 0 makes the planner check ticket by ticket.
    document_has_words = HAS_PUBLIC_WORDS if shape.is_of_requester else _HAS_WORDS
    has_words = f"EXISTS (SELECT FROM search_documents WHERE ticket_id = nearest.id AND {document_has_words} OFFSET 0)"
    query = page_query(shape, [tickets.c[name] for name in shape.key], literal_column(str(NEAREST)))
    return _rendered(query), NEAREST, has_words


def _hits_in_estimated_range(shape: PageShape) -> str:
    """Return step 2, which reads the word index for the estimated range of ids unless that range is too long.

    The range includes the farthest ticket again: step 1 may have read only some of its documents.
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
                    AND ticket_id {_IS_MERGED}
                OFFSET 0
            ) AS hits {_order(shape)} LIMIT :limit
        ) AS hits
    """


def _limit_of_hits(shape: PageShape) -> str:
    """Return the ORDER BY and LIMIT of step 3, if the page is sorted by id and has no other filter."""
    return f"{_from_cursor(shape)} {_order(shape)} LIMIT :limit" if shape.by_id_alone else ""


def _from_cursor(shape: PageShape) -> str:
    """Return the condition that a document's ticket comes after the last ticket of the previous page."""
    return "" if shape.is_first else f"WHERE ticket_id {'<' if shape.is_descending else '>'} :after_id"


def _order(shape: PageShape) -> str:
    direction = "DESC" if shape.is_descending else "ASC"
    names = ["priority_rank(priority)" if name == "priority" else name for name in shape.key]
    return f"ORDER BY {', '.join(f'{name} {direction}' for name in names)}"


def _rendered(construct: ClauseElement) -> str:
    """Return a construct as text with `:name` for its parameters."""
    return str(construct.compile(dialect=_DIALECT))
