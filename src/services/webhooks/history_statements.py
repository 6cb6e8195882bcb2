"""The statements of the deliveries and replays that admins see.

PAGE, FIND         deliveries, each with its latest attempt
REPEAT             creates a delivery that sends an event again; MAKE_DUE makes a pending one due now
REPLAY_OF, START   replays with the numbers of their deliveries
POSITION_AT        the time at which the first event at or after a position was published
PURGE              removes finished deliveries after 30 days, with their attempts
PURGE_DELETED      removes the deliveries of deleted endpoints; PURGE_REPLAYS and PURGE_ENDPOINTS remove what is left
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    CompoundSelect,
    DateTime,
    Interval,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    extract,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    update,
)

from db.postgres.statements import Statement, constant
from models import DeliveryReason, DeliveryState
from services.webhooks.tables import ENDPOINT_ID, LIMIT, attempts, deliveries, endpoints, log, publisher, replays

PURGE_BATCH: Final = 1_000
MAX_DEAD_COUNT: Final = 10_000
MAX_REPLAY_COUNT: Final = 10_000

_DELIVERY_ID: Final = bindparam("delivery_id", type_=BigInteger)
_REPLAY_ID: Final = bindparam("replay_id", type_=BigInteger)
_NOW: Final = func.now(type_=DateTime(timezone=True))
_OF_ENDPOINT: Final = deliveries.c.endpoint_id == ENDPOINT_ID
_IS_PENDING: Final = deliveries.c.state == constant(DeliveryState.PENDING)


def _shown_deliveries() -> Select[Any]:
    last = (
        select(*(attempts.c[name] for name in ("n", "at", "duration_ms", "status", "error", "response_head")))
        .where(attempts.c.delivery_id == deliveries.c.id)
        .order_by(attempts.c.n.desc())
        .limit(literal_column("1"))
        .lateral("last")
    )
    columns = (
        deliveries.c[name]
        for name in ("id", "ticket_id", "version", "position", "reason", "replay_id", "state", "attempts")
    )
    return select(
        *columns,
        case((_IS_PENDING, deliveries.c.next_at)).label("next_at"),
        deliveries.c.created_at,
        deliveries.c.finished_at,
        *(column.label(f"last_{column.key}") for column in last.c),
    ).select_from(deliveries.outerjoin(last, true()))


def _page() -> Statement:
    state, before = bindparam("state", type_=Text), bindparam("before", type_=BigInteger)
    return Statement(
        _shown_deliveries()
        .where(_OF_ENDPOINT, or_(state.is_(None), deliveries.c.state == state), deliveries.c.id < before)
        .order_by(deliveries.c.id.desc())
        .limit(LIMIT)
    )


PAGE: Final = _page()
FIND: Final = Statement(_shown_deliveries().where(_OF_ENDPOINT, deliveries.c.id == _DELIVERY_ID))
MAKE_DUE: Final = Statement(
    update(deliveries)
    .values(next_at=_NOW)
    .where(_OF_ENDPOINT, deliveries.c.id == _DELIVERY_ID, _IS_PENDING)
    .returning(deliveries.c.id)
)
_COPIED: Final = ("endpoint_id", "position", "ticket_id", "version")
REPEAT: Final = Statement(
    insert(deliveries)
    .from_select(
        [*_COPIED, "reason"],
        select(*(deliveries.c[name] for name in _COPIED), constant(DeliveryReason.REPLAY)).where(
            _OF_ENDPOINT, deliveries.c.id == _DELIVERY_ID
        ),
    )
    .returning(deliveries.c.id)
)

POSITION_AT: Final = Statement(
    select(log.c.published_at)
    .where(log.c.position >= bindparam("position", type_=BigInteger))
    .order_by(log.c.position)
    .limit(literal_column("1"))
)
BOUNDS: Final = Statement(select(publisher.c.first_position, publisher.c.last_position, publisher.c.epoch))
START: Final = Statement(
    insert(replays)
    .values(
        endpoint_id=ENDPOINT_ID,
        from_position=bindparam("first", type_=BigInteger),
        cursor=bindparam("first", type_=BigInteger),
        to_position=bindparam("last", type_=BigInteger),
        only_dead=bindparam("dead", type_=Boolean),
    )
    .returning(replays.c.id)
)


def _replay_of() -> Statement:
    """Return the statement. It counts a bounded number of deliveries: a replay may have millions.

    Those that are pending are at most a thousand, and counted in the index of the pending ones of the endpoint.
    """
    pending = (
        select(func.count())
        .where(
            deliveries.c.endpoint_id == replays.c.endpoint_id,
            deliveries.c.replay_id == replays.c.id,
            _IS_PENDING,
        )
        .correlate(replays)
        .scalar_subquery()
    )
    finished = (
        select(deliveries.c.state)
        .where(deliveries.c.replay_id == replays.c.id, ~_IS_PENDING)
        .limit(literal_column(str(MAX_REPLAY_COUNT + 1)))
        .correlate(replays)
        .subquery("finished")
    )
    states = (DeliveryState.DONE, DeliveryState.DEAD, DeliveryState.SKIPPED)
    numbers = (func.count().filter(finished.c.state == constant(state)).label(state) for state in states)
    is_more = func.count() > literal_column(str(MAX_REPLAY_COUNT))
    more_than = case((is_more, literal_column(str(MAX_REPLAY_COUNT)))).label("more_than")
    counted = select(*numbers, more_than).select_from(finished).lateral("counted")
    return Statement(
        select(
            *(replays.c[name] for name in ("id", "only_dead", "state", "created_at", "finished_at")),
            (replays.c.to_position - replays.c.from_position).label("events"),
            (replays.c.cursor - replays.c.from_position).label("events_read"),
            pending.label("pending"),
            *counted.c,
        )
        .select_from(replays.join(counted, true()))
        .where(replays.c.endpoint_id == ENDPOINT_ID, replays.c.id == _REPLAY_ID)
    )


REPLAY_OF: Final = _replay_of()


def _purge(rows: CompoundSelect[Any] | Select[Any]) -> Statement:
    deleted = delete(deliveries).where(deliveries.c.id.in_(rows)).returning(deliveries.c.id).cte("deleted")
    return Statement(select(func.count()).select_from(deleted))


_BATCH: Final[ColumnElement[int]] = literal_column(str(PURGE_BATCH))
_IS_OLD: Final = and_(~_IS_PENDING, deliveries.c.finished_at < _NOW - cast(constant("30 days"), Interval))
PURGE: Final = _purge(
    select(deliveries.c.id)
    .where(_IS_OLD)
    .order_by(deliveries.c.finished_at)
    .limit(_BATCH)
    .with_for_update(skip_locked=True)
)
PURGE_DELETED: Final = _purge(
    select(deliveries.c.id)
    .where(deliveries.c.endpoint_id.in_(select(endpoints.c.id).where(endpoints.c.deleted_at.is_not(None))))
    .limit(_BATCH)
    .with_for_update(skip_locked=True)
)
PURGE_REPLAYS: Final = Statement(
    delete(replays).where(
        or_(
            replays.c.endpoint_id.in_(select(endpoints.c.id).where(endpoints.c.deleted_at.is_not(None))),
            replays.c.finished_at < _NOW - cast(constant("30 days"), Interval),
        )
    )
)
PURGE_ENDPOINTS: Final = Statement(
    delete(endpoints).where(
        endpoints.c.deleted_at.is_not(None), ~exists().where(deliveries.c.endpoint_id == endpoints.c.id)
    )
)


def _measure() -> Statement:
    """Return the statement. The oldest event that waits is that of a delivery, or the first one left in the log.

    It counts dead deliveries up to a bound: an endpoint may have very many in 30 days.
    """
    oldest = (
        select(func.min(deliveries.c.created_at))
        .where(deliveries.c.endpoint_id == endpoints.c.id, _IS_PENDING)
        .correlate(endpoints)
        .scalar_subquery()
    )
    in_log = (
        select(log.c.published_at)
        .where(log.c.position > endpoints.c.cursor)
        .order_by(log.c.position)
        .limit(literal_column("1"))
        .correlate(endpoints)
        .scalar_subquery()
    )
    some_dead = (
        select(literal_column("1"))
        .where(deliveries.c.endpoint_id == endpoints.c.id, deliveries.c.state == constant(DeliveryState.DEAD))
        .limit(literal_column(str(MAX_DEAD_COUNT)))
        .correlate(endpoints)
        .subquery("some_dead")
    )
    dead = select(func.count()).select_from(some_dead).scalar_subquery()
    age = extract("epoch", _NOW - func.least(oldest, in_log))
    return Statement(
        select(endpoints.c.id, func.coalesce(age, literal_column("0")).label("oldest_s"), dead.label("dead")).where(
            endpoints.c.deleted_at.is_(None)
        )
    )


MEASURE: Final = _measure()
