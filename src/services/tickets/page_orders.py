"""The rows of a page by the indexes of the orders, which are all of the tickets or those of some statuses.

No index sorts several statuses in the order of a list: the query merges one index scan per status.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
    union_all,
)

from db.postgres.statements import constant
from models import Priority, TicketFacet, TicketStatus, table_of
from services.tickets.page_shape import AFTER_ID, PageShape
from services.tickets.statements import tickets
from services.tickets.ticket_status import is_final

_facets: Final = table_of(TicketFacet)
_TEXTS: Final = ARRAY(Text)
_LOWEST_ID: Final[ColumnElement[int]] = literal_column("0")

Columns = Sequence[ColumnElement[Any]]
Limit = ColumnElement[Any]
# Whether a page has tickets with a status: a condition without columns.
Wanted = Callable[[TicketStatus], ColumnElement[bool]]


def every_status(shape: PageShape) -> Wanted:
    """Return the condition of the statuses of a page: those that the query names, or all."""
    return lambda status: constant(status) == any_(wanted_statuses()) if shape.by_status else true()


def ordered(shape: PageShape, columns: Columns, limit: Limit) -> Select[Any]:
    """Return the rows by the index of the order."""
    if shape.by_status:
        return ordered_by_status(shape, columns, limit, every_status(shape))
    return select(*columns).where(shape.conditions).order_by(*shape.order(tickets)).limit(limit)


def ordered_by_status(shape: PageShape, columns: Columns, limit: Limit, is_wanted: Wanted) -> Select[Any]:
    """Return the rows by the index of the order, one scan for each status."""
    pages = _of_each_status(columns, limit, shape.order(tickets), shape.conditions, is_wanted)
    page = union_all(*pages).subquery("page")
    return select(*page.c).order_by(*shape.order(page)).limit(limit)


def by_priority(shape: PageShape, columns: Columns, limit: Limit, is_wanted: Wanted) -> Select[Any]:
    """Return the rows by priority, then by id: those of each priority and status are in this order already."""
    special = [each for each in Priority if each is not Priority.NORMAL]
    names = literal_column(f"ARRAY[{', '.join(repr(str(each)) for each in special)}]", _TEXTS)
    level = func.unnest(names).table_valued("priority").render_derived(name="level")
    wanted = union_all(*(select(constant(each).label("status")).where(is_wanted(each)) for each in TicketStatus))
    wanted_status = wanted.cte("wanted_status")
    found = select(_facets.c.ticket_id).where(
        _facets.c.facet == constant("priority:").op("||")(level.c.priority),
        _facets.c.status == wanted_status.c.status,
        _facets.c.ticket_id > _first_id(shape, level.c.priority),
    )
    found = found.order_by(_facets.c.ticket_id).offset(_LOWEST_ID)
    of_level = found.correlate(level, wanted_status).lateral("of_level")
    row = select(*columns).where(tickets.c.id == of_level.c.ticket_id, shape.conditions)
    ticket = row.offset(_LOWEST_ID).correlate(of_level).lateral("ticket")
    rows = select(*ticket.c).select_from(of_level.join(ticket, true())).order_by(of_level.c.ticket_id)
    of_special = rows.limit(limit).correlate(level, wanted_status).lateral("of_special")
    has_rows = [_is_wanted_priority(shape, level.c.priority)]
    if not shape.is_first:
        has_rows.append(func.priority_rank(level.c.priority) >= shape.after_value)
    specials = (
        select(*of_special.c)
        .select_from(level.join(wanted_status, true()).join(of_special, true()))
        .where(*has_rows)
        .subquery("specials")
    )
    normal = constant(Priority.NORMAL)
    is_normal = and_(tickets.c.priority == normal, tickets.c.id > _first_id(shape, normal), shape.conditions)
    has_normal = _is_wanted_priority(shape, normal)
    normals = _of_each_status(
        columns, limit, [tickets.c.id], is_normal, lambda status: and_(is_wanted(status), has_normal)
    )
    page = union_all(select(*specials.c), *normals).subquery("page")
    return select(*page.c).order_by(*shape.order(page)).limit(limit)


def _of_each_status(
    columns: Columns,
    limit: Limit,
    order: Sequence[ColumnElement[Any]],
    condition: ColumnElement[bool],
    is_wanted: Wanted,
) -> list[Select[Any]]:
    """Return the rows of each wanted status, one query for each, with the status as a constant.

    Then the planner knows how many tickets have the status. Otherwise it would read all tickets for a rare one. It also
    needs the constant for the index of the unassigned tickets, which has none that are closed.
    """
    pages = []
    for status in TicketStatus:
        of_status = [tickets.c.status == constant(status), condition, is_wanted(status)]
        if not is_final(status):
            of_status.append(tickets.c.status != constant(TicketStatus.CLOSED))
        page = select(*columns).where(*of_status).order_by(*order).limit(limit)
        pages.append(select(*page.subquery(f"of_{status}").c))
    return pages


def _is_wanted_priority(shape: PageShape, priority: ColumnElement[str]) -> ColumnElement[bool]:
    wanted = cast(bindparam("priority", type_=_TEXTS), _TEXTS)
    return priority == any_(wanted) if "priority" in shape.filters else true()


def _first_id(shape: PageShape, priority: ColumnElement[str]) -> ColumnElement[int]:
    """Return the id after which the rows of a priority begin: the last row's if that has the same priority."""
    if shape.is_first:
        return _LOWEST_ID
    is_same = func.priority_rank(priority, type_=Integer) == shape.after_value
    return case((is_same, AFTER_ID), else_=_LOWEST_ID)


def statuses(shape: PageShape) -> Any:  # noqa: ANN401 - a table-valued function
    """Return the statuses of a page, as rows of one column."""
    every = literal_column(f"ARRAY[{', '.join(repr(str(each)) for each in TicketStatus)}]", _TEXTS)
    statuses = wanted_statuses() if shape.by_status else every
    return func.unnest(statuses).table_valued("status").render_derived(name="wanted")


def has_wanted_status(shape: PageShape) -> ColumnElement[bool]:
    """Return the condition that a ticket has one of the statuses of a page, if it names any."""
    return tickets.c.status == any_(wanted_statuses()) if shape.by_status else true()


def wanted_statuses() -> ColumnElement[Any]:
    """Return the parameter that holds the statuses of a page, if it names any."""
    return cast(bindparam("status", type_=_TEXTS), _TEXTS)
