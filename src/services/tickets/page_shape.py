"""The shape of a page of tickets: its order, its filters and its first row, as SQLAlchemy constructs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    select,
    true,
    tuple_,
)

from services.access.email_addresses import email_key
from services.tickets.statements import tickets

LIMIT: Final = bindparam("limit", type_=Integer)
_AFTER_ID: Final = bindparam("after_id", type_=BigInteger)
_AFTER_VALUE: Final = bindparam("after_value", type_=DateTime(timezone=True))


def _time(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=DateTime(timezone=True))


def _has_email(name: str) -> ColumnElement[bool]:
    return email_key(tickets.c.email) == email_key(bindparam(name, type_=Text))


# The filters of a TicketQuery, except `status` and `q`. `requester` restricts a requester to their own tickets, as
# `services.tickets.statements.VISIBLE_TO` does for one ticket.
FILTERS: Final[dict[str, ColumnElement[bool]]] = {
    "requester": _has_email("requester"),
    "email": _has_email("email"),
    "created_after": tickets.c.created_at >= _time("created_after"),
    "created_before": tickets.c.created_at < _time("created_before"),
    "updated_after": tickets.c.updated_at >= _time("updated_after"),
    "updated_before": tickets.c.updated_at < _time("updated_before"),
}


@dataclass(frozen=True)
class PageShape:
    """The parts of a page query that change its statement.

    These are the sort order, whether it is the first page, and the set of filters. `filters` are
    named as in a TicketQuery; their values are parameters of the statement.
    """

    column: str
    is_descending: bool
    is_first: bool
    filters: frozenset[str] = frozenset()

    @property
    def by_status(self) -> bool:
        """Whether the query names statuses."""
        return "status" in self.filters

    @property
    def is_search(self) -> bool:
        """Whether the query searches for words."""
        return "q" in self.filters

    @property
    def by_id_alone(self) -> bool:
        """Whether the query filters by words only and sorts by id."""
        return self.column == "id" and self.filters <= {"q"}

    @property
    def key(self) -> tuple[str, ...]:
        """The sort columns of the page, which together are unique."""
        return ("id",) if self.column == "id" else (self.column, "id")

    @property
    def conditions(self) -> ColumnElement[bool]:
        """The conditions on a row, except those on its status and its words."""
        conditions = [condition for name, condition in FILTERS.items() if name in self.filters]
        if not self.is_first:
            row = tuple_(*(tickets.c[name] for name in self.key))
            last = tuple_(_AFTER_ID) if self.column == "id" else tuple_(_AFTER_VALUE, _AFTER_ID)
            conditions.append(row < last if self.is_descending else row > last)
        return and_(true(), *conditions)

    def order(self, rows: FromClause) -> Sequence[ColumnElement[Any]]:
        """Return the page's ORDER BY over rows that have the columns of its key."""
        columns = [rows.c[name] for name in self.key]
        return [column.desc() if self.is_descending else column.asc() for column in columns]


def page_query(shape: PageShape, columns: Sequence[ColumnElement[Any]], limit: ColumnElement[Any]) -> Select[Any]:
    """Return the query for columns of the rows of a page without a search.

    No index sorts several statuses in the order of a list: the query merges one index scan per status.
    """
    if not shape.by_status:
        return select(*columns).where(shape.conditions).order_by(*shape.order(tickets)).limit(limit)
    statuses = cast(bindparam("status", type_=ARRAY(Text)), ARRAY(Text))
    wanted = func.unnest(statuses).table_valued("status").render_derived(name="wanted")
    of_status = select(*columns).where(shape.conditions, tickets.c.status == wanted.c.status)
    page = of_status.order_by(*shape.order(tickets)).limit(limit).lateral("page")
    rows = select(*page.c).select_from(wanted.join(page, true()))
    return rows.order_by(*shape.order(page)).limit(limit)
