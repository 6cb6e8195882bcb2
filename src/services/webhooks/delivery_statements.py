"""The statements that claim deliveries.

LOCK_DUE_ENDPOINTS  locks the endpoints whose turn it is, for the number in flight among several processes
CLAIM               claims deliveries of these; a statement of its own: its snapshot must be newer than the lock
EVENTS_OF           the events of claimed deliveries, each with whether the owner may see it now
"""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Integer,
    Select,
    SmallInteger,
    Text,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)

from db.postgres.statements import Statement, constant
from models import Audience, DeliveryReason, DeliveryState
from services.events.statements import NO_TICKET
from services.tickets.statements import comments, events, tickets
from services.webhooks.tables import (
    AUDIENCE,
    IS_ON,
    ONE,
    OWNER_SEES,
    SEES_ALL,
    deliveries,
    endpoints,
    owners,
    seconds,
    system,
)

_NOW: Final = func.now()
_MAX_ATTEMPTS: Final = literal_column("32766", SmallInteger)
_IDS: Final = bindparam("ids", type_=ARRAY(BigInteger))
_IS_PENDING: Final = deliveries.c.state == constant(DeliveryState.PENDING)
_IS_FREE: Final = or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until <= _NOW)
_IS_DUE: Final = and_(_IS_PENDING, deliveries.c.next_at <= _NOW, _IS_FREE)


def _lock_due_endpoints() -> Statement:
    """Return the statement. As a scalar, the subquery is executed for one endpoint at a time, by an index.

    PostgreSQL would turn an EXISTS into a join, whose plan depends on statistics that are out of date when many
    deliveries have just been created.
    """
    one_due = (
        select(deliveries.c.id)
        .where(deliveries.c.endpoint_id == endpoints.c.id, _IS_DUE)
        .limit(ONE)
        .correlate(endpoints)
        .scalar_subquery()
    )
    is_paused = endpoints.c.not_before > _NOW
    return Statement(
        select(endpoints.c.id)
        .where(IS_ON, func.coalesce(~is_paused, true()), one_due.is_not(None))
        .order_by(endpoints.c.served_at.asc().nulls_first())
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(key_share=True, skip_locked=True, of=endpoints)
    )


LOCK_DUE_ENDPOINTS: Final = _lock_due_endpoints()


def _claim() -> Statement:
    """Return the statement. A delivery waits for the earlier ones of its ticket, but not for ever.

    An earlier one holds while it is young, and afterwards unless it has failed and waits for its next attempt: one that
    was never sent holds however old it is. A claim leaves `next_at` alone, so one in flight holds as well.

    It reads the pending deliveries of an endpoint once, at most a thousand. A join with the earlier ones of each ticket
    would read them once for each. They need no locks: only the holder of the endpoint claims free ones. One whose
    expired claim is reported at this moment is returned with another state, and not to be sent. Each endpoint gets one
    request before any gets a second one.

    Replays come after new events, and have an order of their own: otherwise new events of a ticket would wait for the
    replay of its past.
    """
    holds = or_(deliveries.c.created_at > _NOW - seconds("order_s"), deliveries.c.next_at <= _NOW)
    is_replay = deliveries.c.reason == constant(DeliveryReason.REPLAY)
    of_ticket = (deliveries.c.endpoint_id, deliveries.c.ticket_id, is_replay)
    waiting = (
        select(
            *(deliveries.c[name] for name in ("id", "endpoint_id", "position", "version")),
            is_replay.label("is_replay"),
            and_(deliveries.c.next_at <= _NOW, _IS_FREE).label("is_due"),
            func.min(deliveries.c.version).filter(holds).over(partition_by=of_ticket).label("first"),
            func.count()
            .filter(deliveries.c.claimed_until > _NOW)
            .over(partition_by=deliveries.c.endpoint_id)
            .label("in_flight"),
        )
        .where(deliveries.c.endpoint_id == func.any(_IDS), _IS_PENDING)
        .subquery("waiting")
    )
    in_order = func.coalesce(waiting.c.first, waiting.c.version) >= waiting.c.version
    in_turn = (waiting.c.is_replay, waiting.c.position, waiting.c.id)
    turn = func.row_number().over(partition_by=waiting.c.endpoint_id, order_by=in_turn)
    columns = (waiting.c[name] for name in ("id", "endpoint_id", "position", "in_flight"))
    eligible = select(*columns, turn.label("turn")).where(waiting.c.is_due, in_order).subquery("eligible")
    is_failing = endpoints.c.failures >= bindparam("pause_after", type_=Integer)
    most = case((is_failing, ONE), else_=endpoints.c.max_in_flight)
    # An array, so that the rows to be updated are found by their ids, whatever the statistics say.
    picked = func.array(
        select(eligible.c.id)
        .select_from(eligible.join(endpoints, endpoints.c.id == eligible.c.endpoint_id))
        .where(eligible.c.turn <= most - eligible.c.in_flight)
        .order_by(eligible.c.turn, eligible.c.position)
        .limit(bindparam("limit", type_=Integer))
        .scalar_subquery(),
        type_=ARRAY(BigInteger),
    )
    served = (
        update(endpoints).values(served_at=func.clock_timestamp()).where(endpoints.c.id == func.any(_IDS)).cte("served")
    )
    source = endpoints.alias("source")
    return Statement(
        update(deliveries)
        .values(
            claimed_until=_NOW + seconds("claim_s"),
            # Claims whose outcome is never recorded must not exceed what the column can hold.
            attempts=func.least(deliveries.c.attempts, _MAX_ATTEMPTS) + ONE,
        )
        .where(deliveries.c.id == func.any(picked), source.c.id == deliveries.c.endpoint_id)
        .returning(
            deliveries.c.id,
            deliveries.c.endpoint_id,
            deliveries.c.position,
            deliveries.c.ticket_id,
            deliveries.c.version,
            deliveries.c.attempts,
            deliveries.c.state,
            *(source.c[name] for name in ("url", "detail", "secret")),
            case((source.c.old_secret_until > _NOW, source.c.old_secret)).label("old_secret"),
        )
        .add_cte(served)
    )


CLAIM: Final = _claim()


def _events_of() -> Statement:
    shown = ("id", "email", "text", "visibility", "created_at")
    comment = func.json_build_object(*(part for name in shown for part in (constant(name), comments.c[name])))
    comment_id = func.coalesce(
        events.c.data.op("->>")(constant("comment_id")), events.c.internal.op("->>")(constant("comment_id"))
    )
    sees_comment = or_(SEES_ALL, comments.c.visibility == constant(Audience.PUBLIC))
    source = (
        deliveries.join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
        .join(owners, owners.c.id == endpoints.c.principal_id)
        .join(events, and_(events.c.ticket_id == deliveries.c.ticket_id, events.c.version == deliveries.c.version))
        .join(tickets, tickets.c.id == deliveries.c.ticket_id)
        .outerjoin(comments, and_(comments.c.id == cast(comment_id, BigInteger), sees_comment))
    )
    of_tickets = select(
        *_SENT,
        *(events.c[name] for name in ("type", "actor", "created_at")),
        cast(events.c.data, Text).label("data"),
        cast(events.c.internal, Text).label("internal"),
        case((comments.c.id.is_not(None), cast(comment, Text))).label("comment"),
        AUDIENCE.label("audience"),
        func.coalesce(OWNER_SEES, false(), type_=Boolean).label("is_visible"),
    ).select_from(source)
    return Statement(union_all(of_tickets.where(deliveries.c.id == func.any(_IDS)), _system_events_of()))


_SENT: Final = tuple(deliveries.c[name] for name in ("id", "position", "ticket_id", "version"))


def _system_events_of() -> Select[Any]:
    """Return the part of the events that concern no ticket."""
    source = (
        deliveries.join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
        .join(owners, owners.c.id == endpoints.c.principal_id)
        .join(system, system.c.id == deliveries.c.version)
    )
    nothing = cast(null(), Text)
    return (
        select(
            *_SENT,
            *(system.c[name] for name in ("type", "actor", "created_at")),
            cast(system.c.data, Text),
            nothing,
            nothing,
            AUDIENCE,
            SEES_ALL,
        )
        .select_from(source)
        .where(deliveries.c.id == func.any(_IDS), deliveries.c.ticket_id == NO_TICKET)
    )


EVENTS_OF: Final = _events_of()
