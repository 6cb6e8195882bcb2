"""The rows of a page without a search: which index finds them, by the filters and the order.

- No index sorts several statuses in the order of a list: the query merges one index scan per status.
- A filter by assignee, group, priority, tag, custom field or participant reads `ticket_facets`, whose primary key has
  the tickets of one facet and status in the order of their ids. So a page costs the same at any depth.
- In another order, the tickets of a rare facet are all read and sorted. Of a frequent one, the order's index finds
  enough tickets soon.
- A requester sees their own tickets, which an index finds, and those in which they participate, which have a facet.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    SelectBase,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    not_,
    select,
    true,
    union_all,
)

from db.postgres.statements import constant
from models import Priority, TicketFacet, TicketStatus, table_of
from services.access.email_addresses import email_key
from services.tickets.page_shape import AFTER_ID, REQUESTER, Driving, PageShape
from services.tickets.statements import tickets
from services.tickets.ticket_status import is_final

# Reading and sorting so many tickets takes about 40 ms. A facet that more tickets have is frequent enough: among a
# million tickets, every fiftieth has it, and the order's index finds a page among a few thousand.
FEW: Final = 20_000
# Enough to tell which of several facets is the rarest.
_COUNTED: Final = 1_000

_facets: Final = table_of(TicketFacet)
_ONE: Final = literal_column("1", Integer)
_TEXTS: Final = ARRAY(Text)
_IS_OWN: Final = email_key(tickets.c.email) == email_key(REQUESTER)
_LOWEST_ID: Final[ColumnElement[int]] = literal_column("0")

Columns = Sequence[ColumnElement[Any]]
Limit = ColumnElement[Any]


def page_query(shape: PageShape, columns: Columns, limit: Limit) -> SelectBase:
    """Return the query for columns of the rows of a page without a search."""
    if shape.is_of_requester:
        return _of_requester(shape, columns, limit)
    if shape.driving is not Driving.NONE:
        return _driven(shape, columns, limit)
    if shape.column == "priority":
        return _by_priority(shape, columns, limit, true())
    if shape.column == "id" and "no_assignee" in shape.filters and "assignee" not in shape.filters:
        return _unassigned(shape, columns, limit)
    return _ordered(shape, columns, limit, shape.conditions)


def _driven(shape: PageShape, columns: Columns, limit: Limit) -> SelectBase:
    """Return the rows that facets find."""
    driving = _driving(shape)
    if shape.column != "id":
        return _sorted(shape, columns, limit, driving)
    return (_of_facets_alone if shape.is_found_by_facets else _of_facets)(shape, columns, limit, driving)


def _ordered(shape: PageShape, columns: Columns, limit: Limit, conditions: ColumnElement[bool]) -> Select[Any]:
    """Return the rows by the index of the order, one scan for each status."""
    if not shape.by_status:
        return select(*columns).where(conditions).order_by(*shape.order(tickets)).limit(limit)
    wanted = _statuses(shape)
    of_status = select(*columns).where(conditions, tickets.c.status == wanted.c.status)
    page = of_status.order_by(*shape.order(tickets)).limit(limit).lateral("page")
    rows = select(*page.c).select_from(wanted.join(page, true()))
    return rows.order_by(*shape.order(page)).limit(limit)


def _of_facets(
    shape: PageShape, columns: Columns, limit: Limit, driving: FromClause, condition: ColumnElement[bool] | None = None
) -> Select[Any]:
    """Return the rows that have one of the facets in `driving`, one scan for each facet and status."""
    wanted = _statuses(shape)
    found = select(_facets.c.ticket_id).where(
        _facets.c.facet == driving.c.facet, _facets.c.status == wanted.c.status, _after(shape)
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


def _of_facets_alone(shape: PageShape, columns: Columns, limit: Limit, driving: FromClause) -> Select[Any]:
    """Return the rows that have one of the facets, without another condition: only the page's tickets are read."""
    wanted = _statuses(shape)
    order = _facets.c.ticket_id.desc() if shape.is_descending else _facets.c.ticket_id.asc()
    found = select(_facets.c.ticket_id.label("id")).where(
        _facets.c.facet == driving.c.facet, _facets.c.status == wanted.c.status, _after(shape)
    )
    of_facet = found.order_by(order).limit(limit).correlate(driving, wanted).lateral("of_facet")
    ids = select(of_facet.c.id).select_from(driving.join(wanted, true()).join(of_facet, true()))
    page = ids.order_by(*shape.order(of_facet)).limit(limit).subquery("page")
    ticket = select(*columns).where(tickets.c.id == page.c.id).offset(_LOWEST_ID).correlate(page).lateral("ticket")
    return select(*ticket.c).select_from(page.join(ticket, true())).order_by(*shape.order(page))


def _sorted(shape: PageShape, columns: Columns, limit: Limit, driving: FromClause) -> Select[Any]:
    """Return the rows that have one of the facets, in an order that the facets do not have."""
    wanted = _statuses(shape)
    first = select(_ONE.label("one")).select_from(_facets.join(driving, true()).join(wanted, true()))
    first = first.where(_facets.c.facet == driving.c.facet, _facets.c.status == wanted.c.status)
    counted = first.limit(literal_column(str(FEW + 1))).subquery("counted")
    few = select((func.count() <= literal_column(str(FEW))).label("are_few")).select_from(counted).cte("few")
    are_few = select(few.c.are_few).scalar_subquery()
    key = [tickets.c[name] for name in shape.key]
    of_few = _of_facets(shape, key, limit, driving).where(are_few).subquery("of_few")
    if shape.column == "priority":
        of_many = _by_priority(shape, key, limit, not_(are_few)).subquery("of_many")
    else:
        of_many = _ordered(shape, key, limit, and_(shape.conditions, not_(are_few))).subquery("of_many")
    found = union_all(select(*of_few.c), select(*of_many.c)).subquery("found")
    first_rows = select(*found.c).order_by(*shape.order(found)).limit(limit).subquery("found")
    row = select(*columns).where(tickets.c.id == first_rows.c.id).offset(_LOWEST_ID).lateral("row")
    return select(*row.c).select_from(first_rows.join(row, true())).order_by(*shape.order(row)).limit(limit)


def _by_priority(shape: PageShape, columns: Columns, limit: Limit, gate: ColumnElement[bool]) -> Select[Any]:
    """Return the rows by priority, then by id: those of each priority and status are in this order already."""
    wanted = _statuses(shape)
    special = [each for each in Priority if each is not Priority.NORMAL]
    names = literal_column(f"ARRAY[{', '.join(repr(str(each)) for each in special)}]", _TEXTS)
    level = func.unnest(names).table_valued("priority").render_derived(name="level")
    facet = constant("priority:").op("||")(level.c.priority)
    found = select(_facets.c.ticket_id).where(
        _facets.c.facet == facet,
        _facets.c.status == wanted.c.status,
        _facets.c.ticket_id > _first_id(shape, level.c.priority),
    )
    of_level = found.order_by(_facets.c.ticket_id).offset(_LOWEST_ID).correlate(level, wanted).lateral("of_level")
    row = select(*columns).where(tickets.c.id == of_level.c.ticket_id, shape.conditions, gate)
    ticket = row.offset(_LOWEST_ID).correlate(of_level).lateral("ticket")
    rows = select(*ticket.c).select_from(of_level.join(ticket, true())).order_by(of_level.c.ticket_id)
    of_special = rows.limit(limit).correlate(level, wanted).lateral("of_special")
    has_rows = true() if shape.is_first else func.priority_rank(level.c.priority) >= shape.after_value
    specials = (
        select(*of_special.c)
        .select_from(level.join(wanted, true()).join(of_special, true()))
        .where(has_rows)
        .subquery("specials")
    )
    normal = constant(Priority.NORMAL)
    of_normal = (
        select(*columns)
        .where(
            tickets.c.status == wanted.c.status,
            tickets.c.priority == normal,
            tickets.c.id > _first_id(shape, normal),
            shape.conditions,
            gate,
        )
        .order_by(tickets.c.id)
        .limit(limit)
        .correlate(wanted)
        .lateral("of_normal")
    )
    normals = select(*of_normal.c).select_from(wanted.join(of_normal, true())).subquery("normals")
    page = union_all(select(*specials.c), select(*normals.c)).subquery("page")
    return select(*page.c).order_by(*shape.order(page)).limit(limit)


def _first_id(shape: PageShape, priority: ColumnElement[str]) -> ColumnElement[int]:
    """Return the id after which the rows of a priority begin: the last row's if that has the same priority."""
    if shape.is_first:
        return _LOWEST_ID
    is_same = func.priority_rank(priority, type_=Integer) == shape.after_value
    return case((is_same, AFTER_ID), else_=_LOWEST_ID)


def _unassigned(shape: PageShape, columns: Columns, limit: Limit) -> Select[Any]:
    """Return the rows without an assignee. The index of open ones is used only if the status is a constant."""
    pages = []
    for status in TicketStatus:
        is_wanted = constant(status) == any_(_wanted_statuses()) if shape.by_status else true()
        conditions = [tickets.c.status == constant(status), shape.conditions, is_wanted]
        if not is_final(status):
            conditions.append(tickets.c.status != constant(TicketStatus.CLOSED))
        of_status = select(*columns).where(*conditions).order_by(*shape.order(tickets)).limit(limit)
        pages.append(select(*of_status.subquery(f"of_{status}").c))
    page = union_all(*pages).subquery("page")
    return select(*page.c).order_by(*shape.order(page)).limit(limit)


def _of_requester(shape: PageShape, columns: Columns, limit: Limit) -> Select[Any]:
    """Return the rows that a requester sees: their own, and those in which they participate."""
    own = _ordered(shape, columns, limit, and_(shape.conditions, _IS_OWN)).subquery("own")
    facet = select(constant("participant:").op("||")(email_key(REQUESTER)).label("facet")).subquery("driving")
    # Someone may participate in a ticket of their own.
    joined = _of_facets(shape, columns, limit, facet, not_(_IS_OWN)).subquery("joined")
    page = union_all(select(*own.c), select(*joined.c)).subquery("page")
    return select(*page.c).order_by(*shape.order(page)).limit(limit)


def _driving(shape: PageShape) -> FromClause:
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
    is_wanted = _facets.c.status == any_(_wanted_statuses()) if shape.by_status else true()
    of_candidate = select(_ONE.label("one")).where(_facets.c.facet == candidate.c.facet, is_wanted)
    counted = of_candidate.limit(literal_column(str(_COUNTED))).correlate(candidate).subquery("counted")
    count = select(func.count()).select_from(counted.lateral()).scalar_subquery()
    return select(candidate.c.facet).order_by(count).limit(_ONE).cte("driving")


def _statuses(shape: PageShape) -> Any:  # noqa: ANN401 - a table-valued function
    """Return the statuses of a page, as rows of one column."""
    every = literal_column(f"ARRAY[{', '.join(repr(str(each)) for each in TicketStatus)}]", _TEXTS)
    statuses = _wanted_statuses() if shape.by_status else every
    return func.unnest(statuses).table_valued("status").render_derived(name="wanted")


def _wanted_statuses() -> ColumnElement[Any]:
    return cast(bindparam("status", type_=_TEXTS), _TEXTS)


def _after(shape: PageShape) -> ColumnElement[bool]:
    """Return the condition that a facet's ticket comes after the last row, if the page is sorted by id."""
    if shape.is_first or shape.column != "id":
        return true()
    return _facets.c.ticket_id < AFTER_ID if shape.is_descending else _facets.c.ticket_id > AFTER_ID
