"""The rows of a page that facets find: assignee, group, priority, tag, custom field, participant.

The primary key of `ticket_facets` has the tickets of one facet and status in the order of their ids, so that a page in
this order costs the same at any depth. In another order, the tickets of a rare facet are all read and sorted.
"""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
    union_all,
)

from db.postgres.statements import constant
from models import TicketFacet, table_of
from services.access.email_addresses import email_key
from services.tickets.page_orders import Columns, Limit, statuses, wanted_statuses
from services.tickets.page_shape import AFTER_ID, Driving, PageShape
from services.tickets.statements import tickets

# Enough to tell which of several facets is the rarest.
_COUNTED: Final = 1_000

_facets: Final = table_of(TicketFacet)
_ONE: Final = literal_column("1", Integer)
_TEXTS: Final = ARRAY(Text)
_LOWEST_ID: Final[ColumnElement[int]] = literal_column("0")


def driving_facets(shape: PageShape) -> FromClause:
    """Return the facets that find the tickets."""
    facets = func.unnest(cast(bindparam("facets", type_=_TEXTS), _TEXTS)).table_valued("facet")
    given = facets.render_derived(name="given")
    candidates = select(given.c.facet)
    if "participant" in shape.filters:
        key = email_key(bindparam("participant", type_=Text))
        candidates = union_all(candidates, select(constant("participant:").op("||")(key)))  # type: ignore[assignment]
    candidate = candidates.subquery("candidate")
    if shape.driving is Driving.ALL:
        return select(candidate.c.facet).cte("driving")
    is_wanted = _facets.c.status == any_(wanted_statuses()) if shape.by_status else true()
    of_candidate = select(_ONE.label("one")).where(_facets.c.facet == candidate.c.facet, is_wanted)
    counted = of_candidate.limit(literal_column(str(_COUNTED))).correlate(candidate).subquery("counted")
    count = select(func.count()).select_from(counted.lateral()).scalar_subquery()
    return select(candidate.c.facet).order_by(count).limit(_ONE).cte("driving")


def of_facets(
    shape: PageShape,
    columns: Columns,
    limit: Limit,
    driving: FromClause,
    condition: ColumnElement[bool] | None = None,
    wanted: FromClause | None = None,
) -> Select[Any]:
    """Return the rows that have one of the facets in `driving`, one scan for each facet and status.

    `wanted` has the statuses, by default those of the page.
    """
    wanted = statuses(shape) if wanted is None else wanted
    found = select(_facets.c.ticket_id).where(
        _facets.c.facet == driving.c.facet, _facets.c.status == wanted.c.status, _comes_after(shape)
    )
    if shape.column == "id":
        found = found.order_by(_facets.c.ticket_id.desc() if shape.is_descending else _facets.c.ticket_id.asc())
    # OFFSET 0 makes the planner look up ticket by ticket, in the order of the facet.
    of_facet = found.offset(_LOWEST_ID).correlate(driving, wanted).lateral("of_facet")
    conditions = shape.conditions if condition is None else and_(shape.conditions, condition)
    row = select(*columns).where(tickets.c.id == of_facet.c.ticket_id, conditions)
    ticket = row.offset(_LOWEST_ID).correlate(of_facet).lateral("ticket")
    rows = select(*ticket.c).select_from(of_facet.join(ticket, true()))
    order = shape.order(ticket)
    if shape.column == "id":
        order = [of_facet.c.ticket_id.desc() if shape.is_descending else of_facet.c.ticket_id.asc()]
    page = rows.order_by(*order).limit(limit).correlate(driving, wanted).lateral("page")
    merged = select(*page.c).select_from(driving.join(wanted, true()).join(page, true()))
    return merged.order_by(*shape.order(page)).limit(limit)


def of_facets_alone(shape: PageShape, columns: Columns, limit: Limit, driving: FromClause) -> Select[Any]:
    """Return the rows that have one of the facets, without another condition: only the page's tickets are read."""
    wanted = statuses(shape)
    order = _facets.c.ticket_id.desc() if shape.is_descending else _facets.c.ticket_id.asc()
    found = select(_facets.c.ticket_id.label("id")).where(
        _facets.c.facet == driving.c.facet, _facets.c.status == wanted.c.status, _comes_after(shape)
    )
    of_facet = found.order_by(order).limit(limit).correlate(driving, wanted).lateral("of_facet")
    ids = select(of_facet.c.id).select_from(driving.join(wanted, true()).join(of_facet, true()))
    page = ids.order_by(*shape.order(of_facet)).limit(limit).subquery("page")
    ticket = select(*columns).where(tickets.c.id == page.c.id).offset(_LOWEST_ID).correlate(page).lateral("ticket")
    return select(*ticket.c).select_from(page.join(ticket, true())).order_by(*shape.order(page))


def _comes_after(shape: PageShape) -> ColumnElement[bool]:
    """Return the condition that a facet's ticket comes after the last row, if the page is sorted by id."""
    if shape.is_first or shape.column != "id":
        return true()
    return _facets.c.ticket_id < AFTER_ID if shape.is_descending else _facets.c.ticket_id > AFTER_ID


def count_by_status(shape: PageShape, driving: FromClause, most: int) -> Select[Any]:
    """Return each status of the page, with the number of tickets that have one of the facets, up to about `most`."""
    wanted = statuses(shape)
    of_status = select(_ONE.label("one")).where(_facets.c.facet == driving.c.facet, _facets.c.status == wanted.c.status)
    counted = of_status.limit(literal_column(str(most))).correlate(driving, wanted).lateral("counted")
    rows = wanted.join(driving, true()).outerjoin(counted, true())
    return (
        select(wanted.c.status, func.count(counted.c.one).label("tickets")).select_from(rows).group_by(wanted.c.status)
    )
