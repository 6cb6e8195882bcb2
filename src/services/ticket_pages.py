"""The SQL of the pages of tickets: one statement for each combination of order and filters.

A page begins in an index where the page before ended, however deep that was.

A search looks at the nearest tickets in the order that is wanted, which soon fills a page when many have the words. If
it does not, the index of the words is asked, which is quick when few have them. Left alone, the planner has to guess
which it is, since it keeps statistics of the commonest words only.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

from db.statements import Statement
from services.ticket_statements import TICKET

# Looking at a ticket costs 3 µs and finding one by its words 4 µs. With a million tickets, words that are as frequent
# among the nearest as elsewhere take 50 ms at most; the planner's guess took a second for the rarest. Words that many
# tickets have, but none of the nearest, take what finding all of them takes, or the search is given up.
NEAREST: Final = 5_000

_FILTERS: Final = {
    # The tickets of a requester, which are all there are for them (`services.ticket_statements.VISIBLE`).
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
    def conditions(self) -> str:
        """The page's WHERE, but for the statuses and the words."""
        conditions = [condition for name, condition in _FILTERS.items() if name in self.filters]
        if not self.is_first:
            beyond = "<" if self.is_descending else ">"
            last_seen = ":after_id" if self.column == "id" else ":after_value, :after_id"
            conditions.append(f"({', '.join(self.key)}) {beyond} ({last_seen})")
        return " AND ".join(conditions) or "true"


@cache
def page_of_tickets(shape: PageShape) -> Statement:
    """Return the statement of a page. Its parameters are the filters' values, where the page begins, and `limit`."""
    return Statement(_search(shape) if shape.is_search else _page(shape, TICKET, ":limit"))


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
    nearest = _page(shape, ", ".join(shape.key), str(NEAREST))
    in_statuses = "AND status = ANY(CAST(:status AS text[]))" if shape.by_status else ""
    # OFFSET 0 makes the planner keep to this order: ticket by ticket here, the words before the ids below.
    has_words = f"EXISTS (SELECT FROM search_documents WHERE ticket_id = nearest.id AND {_HAS_WORDS} OFFSET 0)"
    return f"""
        WITH seen AS MATERIALIZED (
            SELECT id FROM ({nearest}) AS nearest WHERE {has_words} {shape.order} LIMIT :limit
        ),
        found AS MATERIALIZED (
            SELECT DISTINCT ticket_id AS id FROM (
                SELECT ticket_id FROM search_documents
                WHERE (SELECT count(*) FROM seen) < :limit
                    AND (SELECT count(*) FROM ({nearest}) AS nearest) = {NEAREST}
                    AND {_HAS_WORDS}
                OFFSET 0
            ) AS hits {_nearest_hits(shape)}
        )
        SELECT page.* FROM (SELECT id FROM seen UNION SELECT id FROM found) AS hits (ticket_id)
        CROSS JOIN LATERAL (
            SELECT {TICKET} FROM tickets
            WHERE id = ticket_id AND {shape.conditions} {in_statuses} OFFSET 0
        ) AS page
        {shape.order} LIMIT :limit
    """


def _nearest_hits(shape: PageShape) -> str:
    """Say which of the tickets with the words are enough, where their ids are all one has to know of them."""
    if not shape.by_id_alone:
        return ""
    direction, beyond = ("DESC", "<") if shape.is_descending else ("ASC", ">")
    where = "" if shape.is_first else f"WHERE ticket_id {beyond} :after_id"
    return f"{where} ORDER BY id {direction} LIMIT :limit"
