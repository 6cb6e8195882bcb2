"""The rows of a page without a search: which index finds them, by the filters and the order.

- Without such a filter, the index of the order finds the page: `page_orders`.
- A filter by assignee, group, priority, tag, custom field or participant reads the tickets of a facet: `page_facets`.
- The tickets of a requester are found by the index of their address. A requester sees those too in which they
  participate, which have a facet.
- The tickets that an external id, a link to another ticket or a snooze of the caller names are few, and are all read.

What is found in another order than that of the list is sorted, if it is little. If it is much, the order's index finds
enough of it soon.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    SelectBase,
    Text,
    and_,
    any_,
    bindparam,
    exists,
    func,
    literal_column,
    not_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import array

from db.postgres.statements import constant
from models import TicketStatus
from services.access.email_addresses import email_key
from services.tickets.page_facets import count_by_status, driving_facets, of_facets, of_facets_alone
from services.tickets.page_orders import (
    Columns,
    Limit,
    Wanted,
    by_priority,
    every_status,
    has_wanted_status,
    ordered,
    ordered_by_status,
    statuses,
)
from services.tickets.page_shape import FILTERS, REQUESTER, Driving, PageShape, snoozed_by
from services.tickets.statements import tickets

# Reading and sorting so many tickets takes about 20 ms. If more of a million tickets are wanted, the order's index
# finds a page among five thousand.
FEW: Final = 10_000

_FEW: Final[ColumnElement[int]] = literal_column(str(FEW))
_NONE: Final[ColumnElement[int]] = literal_column("0")
_EMAIL: Final = bindparam("email", type_=Text)
_ADDRESS: Final = email_key(tickets.c.email)
_IS_OWN: Final = email_key(REQUESTER) == _ADDRESS

_named: Final = tickets.alias("named")
# The ids of the tickets that match filters which few tickets match, each with an index.
_OF_FEW: Final[dict[str, Select[Any]]] = {
    name: select(_named.c.id).where(_named.c[name] == FILTERS[name].right)
    for name in ("external_id", "follow_up_of", "merged_into")
} | {"snoozed": snoozed_by(bindparam("snoozed", type_=Text))}


def page_query(shape: PageShape, columns: Columns, limit: Limit) -> SelectBase:
    """Return the query for columns of the rows of a page without a search."""
    if shape.is_of_requester:
        return _of_requester(shape, columns, limit)
    if named := shape.filters & _OF_FEW.keys():
        return _of_candidates(shape, columns, limit, _OF_FEW[min(named)])
    if "email" in shape.filters:
        return _of_address(shape, columns, limit, email_key(_EMAIL))
    if shape.driving is not Driving.NONE:
        return _driven(shape, columns, limit)
    if "due_before" in shape.filters and shape.column != "due_at":
        return _due(shape, columns, limit)
    return _undriven(shape, columns, limit)


def _undriven(shape: PageShape, columns: Columns, limit: Limit) -> Select[Any]:
    """Return the rows that the index of the order finds."""
    if shape.column == "priority":
        return by_priority(shape, columns, limit, every_status(shape))
    if shape.column == "id" and "no_assignee" in shape.filters and "assignee" not in shape.filters:
        return ordered_by_status(shape, columns, limit, every_status(shape))
    return ordered(shape, columns, limit)


def _driven(shape: PageShape, columns: Columns, limit: Limit) -> SelectBase:
    """Return the rows that facets find."""
    driving = driving_facets(shape)
    if shape.column == "id":
        return (of_facets_alone if shape.is_found_by_facets else of_facets)(shape, columns, limit, driving)
    counts = count_by_status(shape, driving, FEW + 1)
    return _few_or_many_by_status(
        shape, columns, limit, counts, lambda key, few: of_facets(shape, key, limit, driving, wanted=few)
    )


def _due(shape: PageShape, columns: Columns, limit: Limit) -> Select[Any]:
    """Return the rows that are due before a time. The statuses of the page are those in which a clock runs."""
    wanted = statuses(shape)
    is_due = _named.c.due_at < FILTERS["due_before"].right
    due = select(_named.c.id).where(_named.c.status == wanted.c.status, is_due).limit(literal_column(str(FEW + 1)))
    counted = due.correlate(wanted).lateral("counted")
    counts = select(wanted.c.status, func.count(counted.c.id).label("tickets")).group_by(wanted.c.status)

    def of_few(key: Columns, few: FromClause) -> Select[Any]:
        found = select(_named.c.id).where(_named.c.status == few.c.status, is_due).offset(_NONE)
        found_of_few = found.correlate(few).lateral("found")
        return _of_candidates(shape, key, limit, select(found_of_few.c.id).select_from(few.join(found_of_few, true())))

    return _few_or_many_by_status(shape, columns, limit, counts.select_from(wanted.outerjoin(counted, true())), of_few)


def _few_or_many_by_status(
    shape: PageShape,
    columns: Columns,
    limit: Limit,
    counts: Select[Any],
    of_few: Callable[[Columns, FromClause], Select[Any]],
) -> Select[Any]:
    """Return the rows as `_few_or_many` does, where `counts` has the number of candidates of each status."""
    counted = counts.cte("counts").prefix_with("MATERIALIZED")
    few = select(counted.c.status).where(counted.c.tickets <= _FEW).cte("few").prefix_with("MATERIALIZED")

    def has_many(status: TicketStatus) -> ColumnElement[bool]:
        return exists().where(counted.c.status == constant(status), counted.c.tickets > _FEW)

    return _few_or_many(shape, columns, limit, lambda key: of_few(key, few), has_many)


def _few_or_many(
    shape: PageShape,
    columns: Columns,
    limit: Limit,
    of_few: Callable[[Columns], Select[Any]],
    has_many: Wanted,
) -> Select[Any]:
    """Return the rows by `of_few`, which reads all candidates and sorts them, or by the order's index if they are many.

    `has_many` says of which statuses there are many; `of_few` returns the rows of the others.
    """
    key = [tickets.c[name] for name in shape.key]
    of_order = by_priority if shape.column == "priority" else ordered_by_status
    parts = of_few(key).subquery("of_few"), of_order(shape, key, limit, has_many).subquery("of_many")
    found = union_all(*(select(*part.c) for part in parts)).subquery("found")
    first_rows = select(*found.c).order_by(*shape.order(found)).limit(limit).subquery("found")
    row = select(*columns).where(tickets.c.id == first_rows.c.id).offset(_NONE).lateral("row")
    return select(*row.c).select_from(first_rows.join(row, true())).order_by(*shape.order(row)).limit(limit)


def _of_requester(shape: PageShape, columns: Columns, limit: Limit) -> Select[Any]:
    """Return the rows that a requester sees: their own, and those in which they participate."""
    own = _of_address(shape, columns, limit, email_key(REQUESTER)).subquery("own")
    facet = select(constant("participant:").op("||")(email_key(REQUESTER)).label("facet")).subquery("driving")
    # Someone may participate in a ticket of their own.
    joined = of_facets(shape, columns, limit, facet, not_(_IS_OWN)).subquery("joined")
    page = union_all(select(*own.c), select(*joined.c)).subquery("page")
    return select(*page.c).order_by(*shape.order(page)).limit(limit)


def _of_address(shape: PageShape, columns: Columns, limit: Limit, address: ColumnElement[str]) -> Select[Any]:
    """Return the rows of tickets whose requester has this address, which is a key of `email_key`."""
    if shape.column == "id":
        # Only the index of addresses has this order: the planner would read all tickets of a status in which the
        # requester has few.
        is_theirs = any_(array([address])) == _ADDRESS
        rows = select(*columns).where(is_theirs, has_wanted_status(shape), shape.conditions)
        order = _ADDRESS.desc() if shape.is_descending else _ADDRESS.asc()
        return rows.order_by(order, *shape.order(tickets)).limit(limit)
    return _of_few_candidates(shape, columns, limit, select(_named.c.id).where(email_key(_named.c.email) == address))


def _of_few_candidates(shape: PageShape, columns: Columns, limit: Limit, candidates: Select[Any]) -> Select[Any]:
    """Return the rows of candidates that an index finds, or by the order's index if they are many."""
    counted = candidates.limit(literal_column(str(FEW + 1))).subquery("counted")
    counts = select((func.count() <= _FEW).label("are_few")).select_from(counted).cte("few").prefix_with("MATERIALIZED")
    are_few = select(counts.c.are_few).scalar_subquery()
    is_wanted = every_status(shape)
    return _few_or_many(
        shape,
        columns,
        limit,
        lambda key: _of_candidates(shape, key, limit, candidates.where(are_few)),
        lambda status: and_(is_wanted(status), not_(are_few)),
    )


def _of_candidates(shape: PageShape, columns: Columns, limit: Limit, candidates: Select[Any]) -> Select[Any]:
    """Return the rows of the tickets with these ids. They are all read: OFFSET 0 keeps the planner from another way."""
    candidate = candidates.offset(_NONE).subquery("candidate")
    row = select(*columns).where(tickets.c.id == candidate.c.id, has_wanted_status(shape), shape.conditions)
    ticket = row.offset(_NONE).correlate(candidate).lateral("ticket")
    rows = select(*ticket.c).select_from(candidate.join(ticket, true()))
    return rows.order_by(*shape.order(ticket)).limit(limit)
