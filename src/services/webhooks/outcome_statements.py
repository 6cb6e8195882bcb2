"""The statements that record what became of a claimed delivery.

SUCCEED, FAIL   record an attempt and its outcome
SKIP            ends a delivery that was not sent

None returns a row if the claim was lost: the outcome of a claim that another process has taken over changes nothing.
Locks are taken in one order everywhere, the endpoint and then its deliveries: the update of a delivery has a condition
on the number of endpoints that were locked, which PostgreSQL evaluates first.
"""

from typing import Any, Final

from sqlalchemy import (
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
    exists,
    func,
    insert,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from db.postgres.statements import Statement, constant
from models import DeliveryState, SystemEventType, WebhookState
from services.events.cloud_event import WEBHOOKS_ACTOR
from services.webhooks.tables import ENDPOINT_ID, ONE, ZERO, attempts, deliveries, endpoints, interval, seconds, system

_NOW: Final = func.now()
_IS_PENDING: Final = deliveries.c.state == constant(DeliveryState.PENDING)
# An admin skipped the backlog while the request was in progress.
_IS_SKIPPED: Final = deliveries.c.state == constant(DeliveryState.SKIPPED)
_IS_CLAIMED: Final = or_(_IS_PENDING, and_(_IS_SKIPPED, deliveries.c.claimed_until.is_not(None)))


def _locked(*conditions: ColumnElement[bool]) -> Any:  # noqa: ANN401 - SQLAlchemy's own
    """Return the CTE that locks the endpoint, if the address that was called is still its address.

    The outcome at an address that was replaced says nothing about the new one.
    """
    return (
        select(endpoints.c.id)
        .where(endpoints.c.id == ENDPOINT_ID, endpoints.c.url == bindparam("sent_url", type_=Text), *conditions)
        .with_for_update(key_share=True)
        .cte("locked")
    )


def _count(locked: Any) -> ColumnElement[int]:  # noqa: ANN401 - SQLAlchemy's own
    return select(func.count()).select_from(locked).scalar_subquery()


def _finished(state: ColumnElement[Any], next_at: ColumnElement[Any], *conditions: ColumnElement[bool]) -> Any:  # noqa: ANN401 - SQLAlchemy's own
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
            _IS_CLAIMED,
            *conditions,
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
    """Return the statement. A pause goes on: the success may be of a request that began before it.

    The endpoint is locked only to end its failures, so that the successes of the others do not wait for each other.
    """
    locked = _locked(endpoints.c.failures > ZERO)
    finished = _finished(constant(DeliveryState.DONE), deliveries.c.next_at, _count(locked) >= ZERO)
    recovered = (
        update(endpoints)
        .values(failures=ZERO, failing_since=null())
        .where(endpoints.c.id.in_(select(locked.c.id)), exists(select(finished.c.id)))
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
        (_IS_SKIPPED, constant(DeliveryState.SKIPPED)),
        (and_(retry_in_s.is_(None), ~is_gone), constant(DeliveryState.DEAD)),
        else_=constant(DeliveryState.PENDING),
    )
    locked = _locked()
    is_current = _count(locked) > ZERO
    delay_s = func.greatest(retry_in_s, case((is_current, wait_s)))
    next_at = func.coalesce(_NOW + interval(delay_s), deliveries.c.next_at)
    finished = _finished(state, next_at, _count(locked) >= ZERO)
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
        .where(
            endpoints.c.id.in_(select(locked.c.id)),
            exists(select(finished.c.id)),
            endpoints.c.state != constant(WebhookState.OFF),
        )
        .returning(endpoints.c.id, endpoints.c.state, endpoints.c.state_reason)
        .cte("counted")
    )
    result = select(finished.c.state, counted.c.state.label("endpoint_state"), counted.c.state_reason)
    return Statement(
        result.select_from(finished.outerjoin(counted, true())).add_cte(_recorded(finished), _announced(counted)),
    )


def _announced(counted: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's own
    """Return the CTE that appends the event of an endpoint that is switched off."""
    data = func.jsonb_build_object(
        constant("webhook_id"), counted.c.id, constant("reason"), counted.c.state_reason, type_=JSONB
    )
    rows = select(constant(SystemEventType.WEBHOOK_DISABLED), data, constant(WEBHOOKS_ACTOR))
    is_off = counted.c.state == constant(WebhookState.OFF)
    return insert(system).from_select(["type", "data", "actor"], rows.where(is_off)).cte("announced")


FAIL: Final = _fail()


def _skip() -> Statement:
    return Statement(select(_finished(constant(DeliveryState.SKIPPED), deliveries.c.next_at).c.id))


SKIP: Final = _skip()
