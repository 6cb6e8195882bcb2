"""The statements that read the numbers, each at a bounded cost.

STATE       whether all events of before are counted
BY_DAY      the numbers of all tickets in a range of hours, by the day of a time zone
BY_VALUE    the numbers of a kind in a range of hours, by value
OLDEST      the first ticket of a status
AGED        the number of tickets of a status that were created in a time, up to a limit
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import array

from db.postgres.statements import Statement, constant, given
from models import NumberKind
from services.numbers.statements import hours, state
from services.tickets.statements import tickets

_TIME: Final = DateTime(timezone=True)
_ONE: Final = literal_column("1", Integer)
_ZONE: Final = bindparam("zone", type_=Text)
_COUNT: Final = cast(func.sum(hours.c.count), BigInteger).label("count")
_DAY: Final = cast(func.timezone(_ZONE, hours.c.hour), Date).label("day")


def _numbers(first: ColumnElement[Any], kind: ColumnElement[str]) -> Select[Any]:
    columns = (first, hours.c.metric, hours.c.bucket)
    return (
        select(*columns, _COUNT)
        .where(
            hours.c.generation == select(state.c.generation).scalar_subquery(),
            hours.c.kind == kind,
            hours.c.hour >= bindparam("since", type_=_TIME),
            hours.c.hour < bindparam("until", type_=_TIME),
        )
        .group_by(*columns)
    )


STATE: Final = Statement(
    select(state.c.position.is_not(None).label("is_complete"), func.service_clock(type_=_TIME).label("now"))
)
BY_DAY: Final = Statement(_numbers(_DAY, constant(NumberKind.ALL)))
BY_VALUE: Final = Statement(_numbers(hours.c.value, given(hours.c.kind)))
# An array of one status, by which the tickets are sorted too: only one index has this order. The planner would look for
# a status that few tickets have among those of all statuses.
_OF_STATUS: Final = any_(array([given(tickets.c.status)])) == tickets.c.status
OLDEST: Final = Statement(
    select(tickets.c.id, tickets.c.created_at)
    .where(_OF_STATUS)
    .order_by(tickets.c.status, tickets.c.created_at, tickets.c.id)
    .limit(_ONE)
)


def _aged() -> Statement:
    """Return the statement of AGED. The bounds are times; a NULL is no bound."""
    after, before = bindparam("after", type_=_TIME), bindparam("before", type_=_TIME)
    found = (
        select(_ONE.label("one"))
        .where(
            tickets.c.status == given(tickets.c.status),
            tickets.c.created_at >= func.coalesce(after, literal_column("'-infinity'::timestamptz", _TIME)),
            tickets.c.created_at < func.coalesce(before, literal_column("'infinity'::timestamptz", _TIME)),
        )
        .limit(bindparam("limit", type_=Integer))
        .subquery("found")
    )
    return Statement(select(func.count()).select_from(found))


AGED: Final = _aged()
