"""The statements of the feed. Each reads the state of the log and its rows in one snapshot.

Each row has `first_position`, `last_position` and `epoch` of the log, and `start`, the position after which it reads:
`after`, or without it the last one, or with `from_start` the one before the first. Without events there is one row
whose `position` is NULL.

WINDOW       the events of the next positions, up to `limit` of them: those that `requester` sees
OF_REQUESTER the next events of the tickets that `requester` sees, found from the tickets
OF_TICKET    the next events of one ticket
ENTRIES      as WINDOW for agents, with the keys of the addresses that see the ticket
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
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
    or_,
    select,
    true,
)

from db.postgres.statements import Statement, constant
from models import Audience
from services.access.email_addresses import email_key
from services.events.statements import log, publisher
from services.tickets.statements import VISIBLE_TO, events, requester, ticket_id, tickets, visible_ids

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
_EVENT: Final = (
    log.c.position,
    log.c.ticket_id,
    log.c.version,
    events.c.type,
    cast(events.c.data, Text).label("data"),
    case((requester.is_(None), cast(events.c.internal, Text))).label("internal"),
    events.c.audience,
    events.c.actor,
    events.c.created_at,
)
_LOGGED: Final = and_(events.c.ticket_id == log.c.ticket_id, events.c.version == log.c.version)
_IS_NEXT: Final = and_(log.c.position > _state.c.start, log.c.position <= _state.c.last_position)


def _with_state(rows: Select[Any]) -> Statement:
    page: FromClause = rows.correlate(_state).lateral("page")
    query = select(*_state.c, *page.c).select_from(_state.outerjoin(page, true()))
    return Statement(query.order_by(page.c.position))


def _window(columns: Sequence[ColumnElement[Any]], *conditions: ColumnElement[bool]) -> Statement:
    """Return the statement that reads the events of `limit` positions, of which the conditions may hide some."""
    end = func.least(_state.c.start + _LIMIT, _state.c.last_position)
    source = log.join(events, _LOGGED).join(tickets, tickets.c.id == log.c.ticket_id)
    rows = select(*columns).select_from(source)
    return _with_state(rows.where(log.c.position > _state.c.start, log.c.position <= end, *conditions))


WINDOW: Final = _window(_EVENT, _IS_PUBLIC, VISIBLE_TO)


def _of_requester() -> Statement:
    ids = visible_ids(requester).subquery("visible")
    visible = select(ids.c.id).distinct().subquery("visible_ids")
    source = log.join(visible, visible.c.id == log.c.ticket_id).join(events, _LOGGED)
    rows = select(*_EVENT).select_from(source).where(_IS_NEXT, _IS_PUBLIC)
    return _with_state(rows.order_by(log.c.position).limit(_LIMIT))


OF_REQUESTER: Final = _of_requester()
OF_TICKET: Final = _with_state(
    select(*_EVENT)
    .select_from(log.join(events, _LOGGED))
    .where(log.c.ticket_id == ticket_id, _IS_NEXT, _IS_PUBLIC)
    .order_by(log.c.position)
    .limit(_LIMIT)
)

_ENTRY: Final = (
    log.c.position,
    log.c.ticket_id,
    log.c.version,
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
ENTRIES: Final = _window(_ENTRY)
KEY_OF: Final = Statement(select(email_key(requester)))
STATE: Final = Statement(select(publisher.c.first_position, publisher.c.last_position, publisher.c.epoch))
