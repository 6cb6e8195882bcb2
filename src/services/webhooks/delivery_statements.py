"""The statements that claim deliveries and record what became of them.

TAKE_TURNS       the endpoints whose turn it is, locked: the lock guards the number in flight among several processes
CLAIM            claims deliveries of these; a statement of its own, or it would count by a snapshot of before the lock
EVENTS_OF        the events of claimed deliveries, each with whether the owner may see it now
SUCCEED, FAIL,   record an attempt and its outcome. None returns a row if the claim was lost: the outcome of a claim
SKIP             that another process has taken over changes nothing
"""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    Integer,
    SmallInteger,
    Text,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)

from db.postgres.statements import Statement, constant
from models import Audience, DeliveryState, WebhookState
from services.tickets.statements import comments, events, tickets
from services.webhooks.tables import (
    AUDIENCE,
    IS_ON,
    ONE,
    OWNER_SEES,
    SEES_ALL,
    ZERO,
    attempts,
    deliveries,
    endpoints,
    interval,
    owners,
    seconds,
)

_NOW: Final = func.now()
_MAX_ATTEMPTS: Final = literal_column("32766", SmallInteger)
_IDS: Final = bindparam("ids", type_=ARRAY(BigInteger))
_IS_PENDING: Final = deliveries.c.state == constant(DeliveryState.PENDING)
_IS_FREE: Final = or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until <= _NOW)
_IS_DUE: Final = and_(_IS_PENDING, deliveries.c.next_at <= _NOW, _IS_FREE)


def _take_turns() -> Statement:
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


TAKE_TURNS: Final = _take_turns()


def _claim() -> Statement:
    """Return the statement. A delivery waits for the earlier ones of its ticket, but not for ever.

    An earlier one holds while it is young, and afterwards unless it has failed and waits for its next attempt: one that
    was never sent holds however old it is. A claim leaves `next_at` alone, so one in flight holds as well.

    It reads the pending deliveries of an endpoint once, at most a thousand. A join with the earlier ones of each ticket
    would read them once for each. They need no locks: only the holder of the endpoint claims free ones. One whose
    expired claim is reported at this moment is returned with another state, and not to be sent. Each endpoint gets one
    request before any gets a second one.
    """
    holds = or_(deliveries.c.created_at > _NOW - seconds("order_s"), deliveries.c.next_at <= _NOW)
    of_ticket = (deliveries.c.endpoint_id, deliveries.c.ticket_id)
    waiting = (
        select(
            *(deliveries.c[name] for name in ("id", "endpoint_id", "position", "version")),
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
    turn = func.row_number().over(partition_by=waiting.c.endpoint_id, order_by=(waiting.c.position, waiting.c.id))
    eligible = (
        select(waiting.c.id, waiting.c.endpoint_id, waiting.c.position, waiting.c.in_flight, turn.label("turn"))
        .where(waiting.c.is_due, in_order)
        .subquery("eligible")
    )
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
    return Statement(
        select(
            deliveries.c.id,
            deliveries.c.position,
            *(events.c[name] for name in ("ticket_id", "version", "type", "actor", "created_at")),
            cast(events.c.data, Text).label("data"),
            cast(events.c.internal, Text).label("internal"),
            case((comments.c.id.is_not(None), cast(comment, Text))).label("comment"),
            AUDIENCE.label("audience"),
            func.coalesce(OWNER_SEES, false(), type_=Boolean).label("is_visible"),
        )
        .select_from(source)
        .where(deliveries.c.id == func.any(_IDS))
    )


EVENTS_OF: Final = _events_of()


def _finished(state: ColumnElement[Any], next_at: ColumnElement[Any]) -> Any:  # noqa: ANN401 - SQLAlchemy's own
    """Return the CTE that ends a claim, unless it is lost."""
    is_pending = state == constant(DeliveryState.PENDING)
    return (
        update(deliveries)
        .values(
            state=state,
            next_at=next_at,
            claimed_until=null(),
            finished_at=case((is_pending, null()), else_=_NOW),
        )
        .where(
            deliveries.c.id == bindparam("delivery_id", type_=BigInteger),
            deliveries.c.attempts == bindparam("attempt", type_=SmallInteger),
            _IS_PENDING,
        )
        .returning(deliveries.c.id, deliveries.c.endpoint_id, deliveries.c.attempts, deliveries.c.state)
        .cte("finished")
    )


def _recorded(finished: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's own
    columns = {name: bindparam(f"sent_{name}", type_=attempts.c[name].type) for name in _OUTCOME}
    rows = select(finished.c.id, finished.c.attempts, *columns.values())
    return insert(attempts).from_select(["delivery_id", "n", *columns], rows).cte("recorded")


_OUTCOME: Final = ("duration_ms", "status", "error", "response_head")


def _succeed() -> Statement:
    finished = _finished(constant(DeliveryState.DONE), deliveries.c.next_at)
    recovered = (
        update(endpoints)
        .values(failures=ZERO, failing_since=null(), not_before=null())
        .where(endpoints.c.id.in_(select(finished.c.endpoint_id)), endpoints.c.failures > ZERO)
        .cte("recovered")
    )
    return Statement(select(finished.c.id).add_cte(_recorded(finished), recovered))


SUCCEED: Final = _succeed()


def _fail() -> Statement:
    """Return the statement; `retry_in_s` is NULL for the last attempt, `wait_s` what the receiver asked for, or NULL.

    Failures that arrive while the endpoint is paused do not count: they began before the pause.
    """
    retry_in_s, wait_s = bindparam("retry_in_s", type_=Float), bindparam("wait_s", type_=Float)
    is_gone = bindparam("is_gone", type_=Boolean)
    state = case(
        (and_(retry_in_s.is_(None), ~is_gone), constant(DeliveryState.DEAD)), else_=constant(DeliveryState.PENDING)
    )
    next_at = func.coalesce(_NOW + interval(func.greatest(retry_in_s, wait_s)), deliveries.c.next_at)
    finished = _finished(state, next_at)
    pause_after = bindparam("pause_after", type_=Integer)
    failures = case((endpoints.c.not_before > _NOW, endpoints.c.failures), else_=endpoints.c.failures + ONE)
    doublings = func.least(failures - pause_after, bindparam("max_doublings", type_=Integer))
    longest_s, first_s = bindparam("max_pause_s", type_=Float), bindparam("first_pause_s", type_=Float)
    pause_s = func.least(longest_s, first_s * func.power(ONE + ONE, doublings))
    is_paused_now = and_(failures >= pause_after, func.coalesce(endpoints.c.not_before <= _NOW, true()))
    is_failing_long = endpoints.c.failing_since <= _NOW - seconds("off_after_s")
    reason = case((is_gone, constant("gone")), (is_failing_long, constant("failing")))
    counted = (
        update(endpoints)
        .values(
            failures=failures,
            failing_since=func.coalesce(endpoints.c.failing_since, _NOW),
            not_before=func.greatest(
                endpoints.c.not_before, case((is_paused_now, _NOW + interval(pause_s))), _NOW + interval(wait_s)
            ),
            state=case((reason.is_not(None), constant(WebhookState.OFF)), else_=endpoints.c.state),
            state_reason=func.coalesce(reason, endpoints.c.state_reason),
            version=endpoints.c.version + case((reason.is_not(None), ONE), else_=ZERO),
            updated_at=case((reason.is_not(None), _NOW), else_=endpoints.c.updated_at),
        )
        .where(endpoints.c.id.in_(select(finished.c.endpoint_id)), endpoints.c.state != constant(WebhookState.OFF))
        .returning(endpoints.c.state, endpoints.c.state_reason)
        .cte("counted")
    )
    result = select(finished.c.state, counted.c.state.label("endpoint_state"), counted.c.state_reason)
    return Statement(
        result.select_from(finished.outerjoin(counted, true())).add_cte(_recorded(finished)),
    )


FAIL: Final = _fail()


def _skip() -> Statement:
    return Statement(select(_finished(constant(DeliveryState.SKIPPED), deliveries.c.next_at).c.id))


SKIP: Final = _skip()
