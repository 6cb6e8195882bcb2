"""The shape of a page of tickets: its order, its filters and its first row, as SQLAlchemy constructs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
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
    any_,
    bindparam,
    cast,
    func,
    or_,
    select,
    true,
    tuple_,
)

from models import Reminder, table_of
from services.access.email_addresses import email_key
from services.tickets.statements import tickets, visible_to

LIMIT: Final = bindparam("limit", type_=Integer)
AFTER_ID: Final = bindparam("after_id", type_=BigInteger)
REQUESTER: Final = bindparam("requester", type_=Text)
_TEXTS: Final = ARRAY(Text)
_reminders: Final = table_of(Reminder)
# A subquery: an index cannot be searched for a value that might change from row to row.
_NOW: Final = select(func.service_clock(type_=DateTime(timezone=True))).scalar_subquery()


def _time(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=DateTime(timezone=True))


def _texts(name: str) -> ColumnElement[Any]:
    return cast(bindparam(name, type_=_TEXTS), _TEXTS)


def snoozed_by(principal_id: ColumnElement[str]) -> Select[tuple[int]]:
    """Return the query for the ids of the tickets that a principal has snoozed.

    A ticket is snoozed until its reminder, by whose time the index has the reminders of a principal.
    """
    return select(_reminders.c.ticket_id.label("id")).where(
        _reminders.c.principal_id == principal_id, _reminders.c.remind_at > _NOW, _reminders.c.snoozed_until > _NOW
    )


# The filters of a list, except `status` and `q`. `requester` restricts a requester to the tickets that they see, as
# `services.tickets.statements.VISIBLE_TO` does for one ticket. Of `no_assignee` and `no_group` the value is true, of
# `snoozed` and `not_snoozed` the id of the caller. Few tickets are snoozed: PostgreSQL reads their ids once.
FILTERS: Final[dict[str, ColumnElement[bool]]] = {
    "requester": visible_to(REQUESTER),
    "email": email_key(tickets.c.email) == email_key(bindparam("email", type_=Text)),
    "created_after": tickets.c.created_at >= _time("created_after"),
    "created_before": tickets.c.created_at < _time("created_before"),
    "updated_after": tickets.c.updated_at >= _time("updated_after"),
    "updated_before": tickets.c.updated_at < _time("updated_before"),
    # Closing is a change, so the second condition follows from the first, and an index has it.
    "closed_after": and_(tickets.c.closed_at >= _time("closed_after"), tickets.c.updated_at >= _time("closed_after")),
    "closed_before": tickets.c.closed_at < _time("closed_before"),
    "assignee": tickets.c.assignee_id == any_(_texts("assignee")),
    "no_assignee": tickets.c.assignee_id.is_(None),
    "group": tickets.c.group_id == any_(cast(bindparam("group", type_=ARRAY(BigInteger)), ARRAY(BigInteger))),
    "no_group": tickets.c.group_id.is_(None),
    "priority": tickets.c.priority == any_(_texts("priority")),
    "sla": tickets.c.sla_state == any_(_texts("sla")),
    "due_before": tickets.c.due_at < _time("due_before"),
    "tag": tickets.c.tags.op("@>")(_texts("tag")),
    "custom_keys": func.custom_matches(tickets.c.custom, _texts("custom_keys"), _texts("custom_texts")),
    "participant": email_key(bindparam("participant", type_=Text))
    == any_(func.email_keys(tickets.c.participants, type_=_TEXTS)),
    "external_id": tickets.c.external_id == bindparam("external_id", type_=Text),
    "source": tickets.c.source == bindparam("source", type_=Text),
    "follow_up_of": tickets.c.follow_up_of == bindparam("follow_up_of", type_=BigInteger),
    "merged_into": tickets.c.merged_into == bindparam("merged_into", type_=BigInteger),
    "snoozed": tickets.c.id.in_(snoozed_by(bindparam("snoozed", type_=Text))),
    "not_snoozed": tickets.c.id.not_in(snoozed_by(bindparam("not_snoozed", type_=Text))),
}
# Either of two filters, if a query has both.
_ALTERNATIVES: Final = (("assignee", "no_assignee"), ("group", "no_group"))


class Driving(Enum):
    """How the facets in the parameter `facets` find the tickets of a page."""

    NONE = "none"
    """Not at all."""
    ALL = "all"
    """The tickets of every facet: each ticket has at most one of them."""
    RAREST = "rarest"
    """The tickets of the facet that the fewest tickets have. The conditions hold for the others."""


# The filters whose facets are exact.
_EXACT: Final = frozenset({"assignee", "group", "priority", "sla", "tag", "participant"})
_FOUND: Final = _EXACT | {"status"}


@dataclass(frozen=True)
class PageShape:
    """The parts of a page query that change its statement.

    These are the sort order, whether it is the first page, and the set of filters. `filters` are named as in FILTERS,
    with `status` and `q`; their values are parameters of the statement.
    """

    column: str
    is_descending: bool
    is_first: bool
    filters: frozenset[str] = frozenset()
    driving: Driving = Driving.NONE

    @property
    def by_status(self) -> bool:
        """Whether the query names statuses."""
        return "status" in self.filters

    @property
    def is_search(self) -> bool:
        """Whether the query searches for words."""
        return "q" in self.filters

    @property
    def is_of_requester(self) -> bool:
        """Whether the page is restricted to what a requester sees."""
        return "requester" in self.filters

    @property
    def is_found_by_facets(self) -> bool:
        """Whether the facets, with the status, are the whole condition: one filter, whose facets are exact.

        A facet of a custom field is not, because it is cut.
        """
        return self.driving is Driving.ALL and len(self.filters & _EXACT) == 1 and self.filters <= _FOUND

    @property
    def by_id_alone(self) -> bool:
        """Whether the query filters by words only and sorts by id."""
        return self.column == "id" and self.filters <= {"q"}

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the sort key, which together are unique."""
        return ("id",) if self.column == "id" else (self.column, "id")

    @property
    def conditions(self) -> ColumnElement[bool]:
        """The conditions on a row, except those on its status and its words."""
        return and_(self.filter_conditions, self.after_last)

    @property
    def filter_conditions(self) -> ColumnElement[bool]:
        """The conditions of the filters."""
        names = set(self.filters)
        conditions: list[ColumnElement[bool]] = []
        for pair in _ALTERNATIVES:
            if names.issuperset(pair):
                names -= set(pair)
                conditions.append(or_(*(FILTERS[name] for name in pair)))
        if self.column == "due_at":
            conditions.append(tickets.c.due_at.is_not(None))
        conditions += [condition for name, condition in FILTERS.items() if name in names]
        return and_(true(), *conditions)

    @property
    def after_value(self) -> ColumnElement[Any]:
        """The parameter that holds the sort value of the last row of the previous page."""
        return bindparam("after_value", type_=Integer if self.column == "priority" else DateTime(timezone=True))

    @property
    def after_last(self) -> ColumnElement[bool]:
        """The condition that a row comes after the last one of the previous page."""
        if self.is_first:
            return true()
        row = tuple_(*self._sort_key(tickets))
        last = tuple_(AFTER_ID) if self.column == "id" else tuple_(self.after_value, AFTER_ID)
        return row < last if self.is_descending else row > last

    def sort_value(self, rows: FromClause) -> ColumnElement[Any]:
        """Return the value that rows are sorted by; of a priority, its rank."""
        return func.priority_rank(rows.c.priority, type_=Integer) if self.column == "priority" else rows.c[self.column]

    def order(self, rows: FromClause) -> Sequence[ColumnElement[Any]]:
        """Return the page's ORDER BY over rows that have the columns of its key."""
        return [column.desc() if self.is_descending else column.asc() for column in self._sort_key(rows)]

    def _sort_key(self, rows: FromClause) -> Sequence[ColumnElement[Any]]:
        return (rows.c.id,) if self.column == "id" else (self.sort_value(rows), rows.c.id)
