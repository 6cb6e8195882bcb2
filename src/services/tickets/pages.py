"""The SQL of the pages of tickets: one statement for each combination of order and filters.

A page begins in an index where the page before ended, however deep that was.

A search looks at the nearest tickets in the order that is wanted, which soon fills a page when many have the words. If
it does not, the index of the words is asked, which is quick when few have them. In between, if nothing but the order of
the ids matters, the share of the nearest that have the words tells how far a page of them reaches, and the index is
asked about that far first. Left alone, the planner has to guess, since it keeps statistics of the commonest words only.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from db.postgres.statements import Statement
from services.tickets.statements import TICKET
from services.tickets.ticket_json import TICKET_MEMBERS, as_bytes, listed

# Looking at a ticket costs 2 µs and finding one by its words 5 µs, or three times that if its page is not in memory.
# With a million tickets, words that are as frequent among the nearest as elsewhere take 0.2 s at most; the planner's
# guess took a second for the rarest. Words that many tickets have, but none of the nearest, take what finding all of
# them takes, or the search is given up.
NEAREST: Final = 5_000
# Where nothing but the ids matters, only the words are looked at, in their own order, for 0.5 µs each.
NEAREST_BY_ID: Final = 2_000
# Keeping the index of the words to a range costs 0.1 µs for each id of it, 12 ms at most: with a million tickets, no
# more than finding all that have a word, if fewer than two of the nearest have it. Words that one in a hundred or in a
# thousand has take 4 to 15 ms, where finding all took 15 to 100.
_WITHIN: Final = 120_000
# How much further a page is expected to reach than it would if the words were spread evenly.
_MARGIN: Final = 2

_FILTERS: Final = {
    # The tickets of a requester, which are all there are for them (`services.tickets.statements.VISIBLE_TO`).
    "requester": "lower(email) = lower(:requester)",
    "email": "lower(email) = lower(:email)",
    "created_after": "created_at >= :created_after",
    "created_before": "created_at < :created_before",
    "updated_after": "updated_at >= :updated_after",
    "updated_before": "updated_at < :updated_before",
}
_HAS_WORDS: Final = "words @@ words_wanted(:q)"


@dataclass(frozen=True)
class PageShape:
    """What a page of tickets differs by from another, save its values. `filters` are named as in a TicketQuery."""

    column: str
    is_descending: bool
    is_first: bool
    filters: frozenset[str] = frozenset()

    @property
    def by_status(self) -> bool:
        """Whether certain statuses are wanted."""
        return "status" in self.filters

    @property
    def is_search(self) -> bool:
        """Whether certain words are wanted."""
        return "q" in self.filters

    @property
    def by_id_alone(self) -> bool:
        """Whether nothing but the words and the order of the ids matters."""
        return self.column == "id" and self.filters <= {"q"}

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that the page is ordered by, which together are unique."""
        return ("id",) if self.column == "id" else (self.column, "id")

    @property
    def order(self) -> str:
        """The page's ORDER BY."""
        direction = "DESC" if self.is_descending else "ASC"
        return f"ORDER BY {', '.join(f'{column} {direction}' for column in self.key)}"

    @property
    def beyond(self) -> str:
        """How what comes later in the page's order compares with what comes earlier."""
        return "<" if self.is_descending else ">"

    @property
    def conditions(self) -> str:
        """The page's WHERE, but for the statuses and the words."""
        conditions = [condition for name, condition in _FILTERS.items() if name in self.filters]
        if not self.is_first:
            last_seen = ":after_id" if self.column == "id" else ":after_value, :after_id"
            conditions.append(f"({', '.join(self.key)}) {self.beyond} ({last_seen})")
        return " AND ".join(conditions) or "true"


@cache
def page_of_tickets(shape: PageShape) -> Statement:
    """Return the statement of a page. Its parameters are the filters' values, where the page begins, and `limit`.

    `limit` is one more than the page has. The one row of its answer holds `members`, the tickets as members of a JSON
    array, whether there are more, and where the page ends: `last_id` and `last_value`, the column it is ordered by.
    """
    ticket = f"SELECT {TICKET_MEMBERS} FROM (SELECT * FROM page {shape.order} LIMIT :limit - 1) AS tickets"
    return Statement(f"""
        WITH page AS MATERIALIZED ({rows_of_tickets(shape)}),
        last AS (SELECT id, {shape.column} AS value FROM page {shape.order} OFFSET :limit - 2 LIMIT 1)
        SELECT {as_bytes(listed(ticket))} AS members, (SELECT count(*) FROM page) = :limit AS has_more,
            (SELECT id FROM last) AS last_id, (SELECT value FROM last) AS last_value
    """)


def rows_of_tickets(shape: PageShape) -> str:
    """Return the SQL of the rows of a page, of which there are `limit` at most."""
    return _search(shape) if shape.is_search else _page(shape, TICKET, ":limit")


def _page(shape: PageShape, columns: str, limit: str) -> str:
    """For several statuses, take a page of each from an index of each, and merge these: no index has them together."""
    if not shape.by_status:
        return f"SELECT {columns} FROM tickets WHERE {shape.conditions} {shape.order} LIMIT {limit}"
    of_tickets = ", ".join(f"tickets.{column}" for column in columns.split(", "))
    of_status = f"""
        SELECT {of_tickets} FROM tickets
        WHERE {shape.conditions} AND tickets.status = wanted.status {shape.order} LIMIT {limit}
    """
    wanted = "unnest(CAST(:status AS text[])) AS wanted(status)"
    return f"SELECT page.* FROM {wanted} CROSS JOIN LATERAL ({of_status}) AS page {shape.order} LIMIT {limit}"


def _search(shape: PageShape) -> str:
    """Each step runs only if those before it have not filled the page, and only if there are more tickets."""
    nearest, looks, has_words = _nearest(shape)
    key = ", ".join(shape.key)
    in_statuses = "AND status = ANY(CAST(:status AS text[]))" if shape.by_status else ""
    # OFFSET 0 makes the planner keep to this order: the words before the ids.
    return f"""
        WITH seen AS MATERIALIZED (
            SELECT DISTINCT {key} FROM ({nearest}) AS nearest WHERE {has_words} {shape.order} LIMIT :limit
        ),
        farthest AS MATERIALIZED (SELECT id FROM ({nearest}) AS nearest {shape.order} OFFSET {looks - 1}),
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
            SELECT {TICKET} FROM tickets
            WHERE id = ticket_id AND {shape.conditions} {in_statuses} OFFSET 0
        ) AS page
        {shape.order} LIMIT :limit
    """


def _nearest(shape: PageShape) -> tuple[str, int, str]:
    """Return what is looked at first, how many rows that is, and how it is known that one of them has the words."""
    if shape.by_id_alone:
        where = "" if shape.is_first else f"WHERE ticket_id {shape.beyond} :after_id"
        # A long discussion has several rows, one after the other.
        documents = f"SELECT ticket_id AS id, words FROM search_documents {where} {shape.order} LIMIT {NEAREST_BY_ID}"
        return documents, NEAREST_BY_ID, _HAS_WORDS
    # OFFSET 0 makes the planner go ticket by ticket.
    has_words = f"EXISTS (SELECT FROM search_documents WHERE ticket_id = nearest.id AND {_HAS_WORDS} OFFSET 0)"
    return _page(shape, ", ".join(shape.key), str(NEAREST)), NEAREST, has_words


def _hits_close_by(shape: PageShape) -> str:
    """Add what the index has within the ids that a page is expected to reach, unless that is too far.

    The farthest ticket is asked about again, for rows of it may not have been looked at.
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
                WHERE {seen} < :limit AND {seen} * {_WITHIN} >= :limit * {_MARGIN * NEAREST_BY_ID}
                    AND EXISTS (SELECT FROM farthest) AND ticket_id BETWEEN {ids} AND {_HAS_WORDS}
                OFFSET 0
            ) AS hits {shape.order} LIMIT :limit
        ) AS hits
    """


def _enough_hits(shape: PageShape) -> str:
    """Say which of the tickets with the words are enough, where their ids are all one has to know of them."""
    if not shape.by_id_alone:
        return ""
    where = "" if shape.is_first else f"WHERE ticket_id {shape.beyond} :after_id"
    return f"{where} {shape.order} LIMIT :limit"
