"""Pages of tickets: one statement for each combination of order and filters.

Keyset pagination: a page starts at the last row of the previous one, so its cost does not depend on the depth.
"""

from functools import lru_cache
from typing import Final

from sqlalchemy import SelectBase, func, literal_column, select

from db.postgres.statements import Statement
from models import Audience
from services.tickets.page_query import page_query
from services.tickets.page_shape import LIMIT, PageShape
from services.tickets.search import search
from services.tickets.statements import tickets
from services.tickets.ticket_json import as_bytes, json_list, ticket_members

# One statement for each shape that clients use; beyond this many, the least used is built again.
MAX_PAGE_STATEMENTS: Final = 256


@lru_cache(maxsize=MAX_PAGE_STATEMENTS)
def page_of_tickets(shape: PageShape) -> Statement:
    """Return the statement of a page.

    Its parameters are the values of the filters, the last row of the previous page, and `limit`, which is one more than
    the size of the page. The only row of the result holds `members`, the tickets as members of a JSON array;
    `has_more`; and the position of the last row: `last_id` and `last_value`, the value of the sort column.
    """
    page = rows_of_tickets(shape).cte("page").prefix_with("MATERIALIZED")
    shown = select(*page.c).order_by(*shape.order(page)).limit(LIMIT - literal_column("1")).subquery("tickets")
    last = (
        select(page.c.id, shape.sort_value(page).label("value"))
        .order_by(*shape.order(page))
        .offset(LIMIT - literal_column("2"))
        .limit(literal_column("1"))
        .cte("last")
    )
    audience = Audience.PUBLIC if shape.is_of_requester else Audience.INTERNAL
    count = select(func.count()).select_from(page).scalar_subquery()
    return Statement(
        select(
            as_bytes(json_list(select(*ticket_members(shown, audience)))).label("members"),
            (count == LIMIT).label("has_more"),
            select(last.c.id).scalar_subquery().label("last_id"),
            select(last.c.value).scalar_subquery().label("last_value"),
        )
    )


def rows_of_tickets(shape: PageShape, *, with_columns: bool = True) -> SelectBase:
    """Return the query for the rows of a page, at most `limit` of them; without their columns, of the ids alone."""
    if shape.is_search:
        return search(shape)
    return page_query(shape, list(tickets.c) if with_columns else [tickets.c.id], LIMIT)
