"""The distinct values of a kind of facet, found without reading all tickets."""

from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Text, bindparam, func, literal_column, select

from models import TicketFacet, table_of

facets: Final = table_of(TicketFacet)
# Higher than every character, in the order of the C collation.
LAST_CHARACTER: Final = "\U0010ffff"


def facet_values(limit: ColumnElement[Any]) -> CTE:
    """Return the facets between the parameters `first` and `last`, after the parameter `after`, in order.

    Each step of the recursion finds the next facet in the index: a loose index scan, as the wiki of PostgreSQL
    describes it.
    """
    last = bindparam("last", type_=Text)
    first = select(func.min(facets.c.facet).label("facet")).where(
        facets.c.facet >= bindparam("first", type_=Text),
        facets.c.facet > bindparam("after", type_=Text),
        facets.c.facet < last,
    )
    found = first.cte("found", recursive=True)
    following = (
        select(facets.c.facet)
        .where(facets.c.facet > found.c.facet, facets.c.facet < last)
        .order_by(facets.c.facet)
        .limit(literal_column("1"))
        .correlate(found)
        .scalar_subquery()
    )
    found = found.union_all(select(following).where(found.c.facet.is_not(None)))
    return select(found.c.facet).where(found.c.facet.is_not(None)).limit(limit).cte("facet_values")
