"""The statements of the feed. Each reads the state of the log and its rows in one snapshot.

Each row has `first_position`, `last_position` and `epoch` of the log, and `start`, the position after which it reads:
`after`, or without it the last one, or with `from_start` the one before the first. Without events there is one row
whose `position` is NULL.

WINDOW       the events of the next positions, up to `limit` of them, at most MAX_WINDOW: those that `requester` sees
OF_REQUESTER the next events of the tickets that `requester` sees, found from the tickets
OF_TICKET    the next events of one ticket, if `requester` sees it
ENTRIES      as WINDOW for agents, with the keys of the addresses that see the ticket
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)

from db.postgres.statements import Statement, constant
from models import Audience
from services.access.email_addresses import email_key
from services.events.statements import NO_TICKET, log, publisher, system
from services.tickets.statements import VISIBLE_TO, events, requester, ticket_id, tickets, visible_ids

# The most positions that a statement with a window reads.
MAX_WINDOW: Final = 1_000

_AFTER: Final = bindparam("after", type_=BigInteger)
_LIMIT: Final = bindparam("limit", type_=Integer)
_ONE: Final = literal_column("1", BigInteger)
_START: Final = func.coalesce(
    _AFTER,
    case(
        (cast(bindparam("from_start", type_=Boolean), Boolean), publisher.c.first_position - _ONE),
        else_=publisher.c.last_position,
    ),
    type_=BigInteger,
)
_state: Final = (
    select(publisher.c.first_position, publisher.c.last_position, publisher.c.epoch, _START.label("start"))
    .cte("state")
    .prefix_with("MATERIALIZED")
)
_IS_PUBLIC: Final = or_(requester.is_(None), events.c.audience == constant(Audience.PUBLIC))
_KEY: Final = (log.c.position, log.c.ticket_id, log.c.version)
_EVENT: Final = (
    events.c.type,
    cast(events.c.data, Text).label("data"),
    case((requester.is_(None), cast(events.c.internal, Text))).label("internal"),
    events.c.audience,
    events.c.actor,
    events.c.created_at,
)
_SYSTEM_EVENT: Final = (
    system.c.type,
    cast(system.c.data, Text).label("data"),
    cast(null(), Text).label("internal"),
    constant(Audience.INTERNAL).label("audience"),
    system.c.actor,
    system.c.created_at,
)
_IS_NEXT: Final = and_(log.c.position > _state.c.start, log.c.position <= _state.c.last_position)


def _with_event(entries: FromClause) -> FromClause:
    is_same = and_(events.c.ticket_id == entries.c.ticket_id, events.c.version == entries.c.version)
    return entries.join(events, is_same)


def _with_state(rows: Select[Any] | CompoundSelect[Any]) -> Statement:
    page: FromClause = rows.lateral("page")
    query = select(*_state.c, *page.c).select_from(_state.outerjoin(page, true()))
    return Statement(query.order_by(page.c.position))


def _window(
    columns: Sequence[ColumnElement[Any]],
    system_columns: Sequence[ColumnElement[Any]],
    *conditions: ColumnElement[bool],
) -> Statement:
    """Return the statement that reads the events of `limit` positions, of which the conditions may hide some.

    Events that concern no ticket have `system_columns` for the last of the columns; requesters do not see them.

    PostgreSQL expects a tenth of the log between two positions that it does not know, and would read all events for
    that. MAX_WINDOW, which it knows, makes it look up the few; and the subqueries, that it finds them by the index.
    """
    start = select(_state.c.start).scalar_subquery()
    end = select(func.least(_state.c.start + _LIMIT, _state.c.last_position)).scalar_subquery()
    window = (
        select(*_KEY)
        .where(log.c.position > start, log.c.position <= end)
        .order_by(log.c.position)
        .limit(literal_column(str(MAX_WINDOW)))
        .cte("entries")
        .prefix_with("MATERIALIZED")
    )
    source = _with_event(window).join(tickets, tickets.c.id == window.c.ticket_id)
    of_tickets = select(*window.c, *columns).select_from(source).where(*conditions)
    of_system = (
        select(*window.c, *_SYSTEM_EVENT, *system_columns)
        .select_from(window.join(system, system.c.id == window.c.version))
        .where(window.c.ticket_id == NO_TICKET, *([requester.is_(None)] if conditions else []))
    )
    return _with_state(union_all(of_tickets, of_system))


WINDOW: Final = _window(_EVENT, (), _IS_PUBLIC, VISIBLE_TO)


def _of_requester() -> Statement:
    ids = visible_ids(requester).subquery("visible")
    visible = select(ids.c.id).distinct().subquery("visible_ids")
    source = _with_event(log).join(visible, visible.c.id == log.c.ticket_id)
    rows = select(*_KEY, *_EVENT).select_from(source).where(_IS_NEXT, _IS_PUBLIC)
    return _with_state(rows.order_by(log.c.position).limit(_LIMIT))


OF_REQUESTER: Final = _of_requester()
OF_TICKET: Final = _with_state(
    select(*_KEY, *_EVENT)
    .select_from(_with_event(log).join(tickets, tickets.c.id == log.c.ticket_id))
    .where(log.c.ticket_id == ticket_id, _IS_NEXT, _IS_PUBLIC, VISIBLE_TO)
    .order_by(log.c.position)
    .limit(_LIMIT)
)

_ENTRY: Final = (
    events.c.type,
    cast(events.c.data, Text).label("data"),
    cast(events.c.internal, Text).label("internal"),
    events.c.audience,
    events.c.actor,
    events.c.created_at,
    func.array_prepend(email_key(tickets.c.email), func.email_keys(tickets.c.participants), type_=ARRAY(Text)).label(
        "viewers"
    ),
)
ENTRIES: Final = _window(_ENTRY, [literal_column("'{}'::text[]", ARRAY(Text)).label("viewers")])
KEY_OF: Final = Statement(select(email_key(requester)))
STATE: Final = Statement(select(publisher.c.first_position, publisher.c.last_position, publisher.c.epoch))
