"""The statements that compute the numbers.

LEFT              whether there is anything to compute, and whether there are numbers of earlier generations
LOCK              the state, locked; no row while another process computes
BATCH             the events after a position, and which of them may be milestones
HISTORY           the events of tickets on which milestones depend; PUBLISHED_HISTORY without those that were not
                  published when the rebuild began
ADD               adds to the numbers of a generation
MOVE              stores the position that is reached
BEGIN, RANGE,     begin a rebuild; the next tickets of it; store how far it is; replace the old generation
REACH, FINISH
DISCARD,          lets the numbers be rebuilt; the generation that is read
GENERATION
PURGE             deletes some numbers of earlier generations
"""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import array, insert
from sqlalchemy.types import TypeEngine

from db.postgres.statements import Statement, constant
from models import EventType, NumberHour, NumberState, table_of
from services.events.statements import events, log, publisher
from services.numbers.milestones import MEMBERS
from services.tickets.statements import tickets

PURGE_BATCH: Final = 5_000

hours: Final = table_of(NumberHour)
state: Final = table_of(NumberState)

_ONE: Final = literal_column("1", Integer)
_LIMIT: Final = bindparam("limit", type_=Integer)
_IDS: Final = bindparam("ticket_ids", type_=ARRAY(BigInteger))
_TO: Final[ColumnElement[str]] = events.c.data.op("#>>")(literal_column("'{status,to}'"))
_MEMBERS: Final = array([*map(constant, MEMBERS)])
_IS_MILESTONE: Final = or_(
    events.c.type == constant(EventType.CREATED), _TO.in_([constant("answered"), constant("closed")])
)

LEFT: Final = Statement(
    select(
        or_(
            state.c.rebuild_generation.is_not(None),
            state.c.position.is_distinct_from(publisher.c.last_position),
            state.c.epoch.is_distinct_from(publisher.c.epoch),
        ).label("is_behind"),
        exists().where(hours.c.generation < state.c.generation).label("has_others"),
    ).join_from(state, publisher, true())
)
LOCK: Final = Statement(select(*state.c).with_for_update(skip_locked=True))
BATCH: Final = Statement(
    select(
        log.c.position,
        log.c.ticket_id,
        log.c.version,
        func.coalesce(_IS_MILESTONE, literal_column("false")).label("counts"),
    )
    .join_from(log, events, and_(events.c.ticket_id == log.c.ticket_id, events.c.version == log.c.version))
    .where(log.c.position > bindparam("after", type_=BigInteger))
    .order_by(log.c.position)
    .limit(_LIMIT)
)
_HISTORY: Final = (
    select(
        *(events.c[name] for name in ("ticket_id", "version", "type", "created_at")),
        cast(events.c.data, Text).label("data"),
        cast(events.c.internal, Text).label("internal"),
    )
    .where(
        events.c.ticket_id == func.any(_IDS),
        or_(
            events.c.type.in_([constant(EventType.CREATED), constant(EventType.SLA_BREACHED)]),
            events.c.data.op("?|")(_MEMBERS),
            events.c.internal.op("?|")(_MEMBERS),
        ),
    )
    .order_by(events.c.ticket_id, events.c.version)
)
_IS_LOGGED: Final = exists().where(
    log.c.ticket_id == events.c.ticket_id,
    log.c.version == events.c.version,
    log.c.position <= state.c.rebuild_position,
)
HISTORY: Final = Statement(_HISTORY)
PUBLISHED_HISTORY: Final = Statement(
    _HISTORY.join_from(events, state, true()).where(
        or_(
            events.c.xid.is_(None),  # from before the event log
            func.pg_visible_in_snapshot(events.c.xid, state.c.rebuild_seen),
            _IS_LOGGED,  # from before a restore, which gives other ids to transactions
        )
    )
)


def _add() -> Statement:
    types: dict[str, TypeEngine[Any]] = {"hour": DateTime(timezone=True), "bucket": Integer(), "count": BigInteger()}
    names = ("kind", "hour", "value", "metric", "bucket", "count")
    arrays = [bindparam(f"{name}s", type_=ARRAY(types.get(name, Text()))) for name in names]
    rows = func.unnest(*arrays).table_valued(*names).render_derived(name="rows")
    generation = bindparam("for_generation", type_=Integer)
    new = insert(hours).from_select(["generation", *names], select(generation, *(rows.c[name] for name in names)))
    key = [column.name for column in hours.primary_key]
    return Statement(new.on_conflict_do_update(index_elements=key, set_={"count": hours.c.count + new.excluded.count}))


ADD: Final = _add()
MOVE: Final = Statement(update(state).values(position=bindparam("reached", type_=BigInteger)))
BEGIN: Final = Statement(
    update(state)
    .values(
        rebuild_generation=state.c.generation + _ONE,
        rebuild_after=literal_column("0", BigInteger),
        rebuild_position=publisher.c.last_position,
        rebuild_seen=publisher.c.seen,
        rebuild_epoch=publisher.c.epoch,
    )
    .where(publisher.c.one)
)
RANGE: Final = Statement(
    select(tickets.c.id).where(tickets.c.id > bindparam("after", type_=BigInteger)).order_by(tickets.c.id).limit(_LIMIT)
)
REACH: Final = Statement(update(state).values(rebuild_after=bindparam("reached", type_=BigInteger)))
_ENDED: Final = ("rebuild_generation", "rebuild_after", "rebuild_position", "rebuild_seen", "rebuild_epoch")
FINISH: Final = Statement(
    update(state).values(
        {
            "generation": state.c.rebuild_generation,
            "position": state.c.rebuild_position,
            "epoch": state.c.rebuild_epoch,
            **{name: null() for name in _ENDED},
        }
    )
)
DISCARD: Final = Statement(update(state).values(position=null()).returning(state.c.generation))
GENERATION: Final = Statement(select(state.c.generation))
_OTHERS: Final = (
    select(*hours.primary_key)
    .where(hours.c.generation < select(state.c.generation).scalar_subquery())
    .limit(literal_column(str(PURGE_BATCH)))
)
_deleted: Final = delete(hours).where(tuple_(*hours.primary_key).in_(_OTHERS)).returning(_ONE).cte("deleted")
PURGE: Final = Statement(select(func.count()).select_from(_deleted))
