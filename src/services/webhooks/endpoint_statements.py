"""The statements of endpoints.

ALL, FIND, LOCK     endpoints with the number of their pending deliveries, but not those that are deleted
CREATE, SAVE        write the settings
RESUME              ends a pause because of failures, which is no change of the settings
ROTATE              replaces the secret, and keeps the previous one for a day. A second one within the day replaces the
                    new one only: the receiver may still have the previous one
SKIP_BACKLOG        ends the pending deliveries, END_REPLAYS the replays. One in progress keeps its claim, so that its
                    success is recorded
DELETE              marks an endpoint as deleted: its rows are removed in batches later
"""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    DateTime,
    Interval,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)

from db.postgres.statements import Statement, constant, given
from models import DeliveryState, Group, Principal, ReplayState, WebhookState, table_of
from services.webhooks.feed_statements import MAX_PENDING
from services.webhooks.tables import ENDPOINT_ID, ONE, ZERO, deliveries, endpoints, publisher, replays

_principals: Final = table_of(Principal)
_groups: Final = table_of(Group)
_NOW: Final = func.now(type_=DateTime(timezone=True))
_EXISTS: Final = endpoints.c.deleted_at.is_(None)
_IS_PENDING: Final = deliveries.c.state == constant(DeliveryState.PENDING)


def _pending() -> Any:  # noqa: ANN401 - SQLAlchemy's own
    pending = (
        select(ONE)
        .where(deliveries.c.endpoint_id == endpoints.c.id, _IS_PENDING)
        .limit(literal_column(str(MAX_PENDING)))
        .correlate(endpoints)
        .subquery("waiting")
    )
    return select(func.count()).select_from(pending).scalar_subquery().label("pending")


# The secrets are not among them.
_SHOWN: Final = (
    *(endpoints.c[name] for name in ("id", "url", "types", "group_ids", "tags", "detail", "max_in_flight")),
    *(endpoints.c[name] for name in ("principal_id", "state", "state_reason", "failing_since", "failures")),
    *(endpoints.c[name] for name in ("version", "created_at", "updated_at")),
    endpoints.c.missed.label("missed_events"),
    case((endpoints.c.not_before > _NOW, endpoints.c.not_before)).label("paused_until"),
    case((endpoints.c.old_secret_until > _NOW, endpoints.c.old_secret_until)).label("old_secret_until"),
)

ALL: Final = Statement(select(*_SHOWN, _pending()).where(_EXISTS).order_by(endpoints.c.id))
FIND: Final = Statement(select(*_SHOWN, _pending()).where(endpoints.c.id == ENDPOINT_ID, _EXISTS))
LOCK: Final = Statement(
    select(*_SHOWN).where(endpoints.c.id == ENDPOINT_ID, _EXISTS).with_for_update(key_share=True, of=endpoints)
)
SECRETS: Final = Statement(
    select(
        endpoints.c.url,
        endpoints.c.secret,
        case((endpoints.c.old_secret_until > _NOW, endpoints.c.old_secret)).label("old_secret"),
    ).where(endpoints.c.id == ENDPOINT_ID, _EXISTS)
)

# Serializes the creation of endpoints, whose number is limited.
LOCK_NUMBER: Final = Statement(select(func.pg_advisory_xact_lock(literal_column("7415530152"))))
COUNT: Final = Statement(select(func.count()).select_from(endpoints).where(_EXISTS))
OWNER: Final = Statement(
    select(_principals.c.role, _principals.c.email).where(
        _principals.c.id == given(_principals.c.id), _principals.c.active
    )
)
KNOWN_GROUPS: Final = Statement(
    select(_groups.c.id).where(_groups.c.id == func.any(bindparam("ids", type_=ARRAY(BigInteger))))
)

_SETTINGS: Final = ("url", "types", "group_ids", "tags", "detail", "max_in_flight")
_LAST_POSITION: Final = func.coalesce(select(publisher.c.last_position).scalar_subquery(), ZERO)


def _create() -> Statement:
    columns = (*_SETTINGS, "principal_id", "secret")
    values = {name: given(endpoints.c[name]) for name in columns} | {"cursor": _LAST_POSITION}
    return Statement(insert(endpoints).values(values).returning(endpoints.c.id))


CREATE: Final = _create()


def _save() -> Statement:
    """Return the statement. An endpoint that is switched on starts without its failures."""
    starts, skips = bindparam("starts", type_=Boolean), bindparam("skips", type_=Boolean)
    return Statement(
        update(endpoints)
        .values({name: given(endpoints.c[name]) for name in (*_SETTINGS, "state", "state_reason")})
        .values(
            failures=case((starts, ZERO), else_=endpoints.c.failures),
            failing_since=case((starts, null()), else_=endpoints.c.failing_since),
            not_before=case((starts, null()), else_=endpoints.c.not_before),
            cursor=case((skips, _LAST_POSITION), else_=endpoints.c.cursor),
            version=endpoints.c.version + ONE,
            updated_at=_NOW,
        )
        .where(endpoints.c.id == ENDPOINT_ID)
    )


SAVE: Final = _save()
RESUME: Final = Statement(
    update(endpoints)
    .values(failures=ZERO, failing_since=null(), not_before=null())
    .where(endpoints.c.id == ENDPOINT_ID)
)
ROTATE: Final = Statement(
    update(endpoints)
    .values(
        secret=given(endpoints.c.secret),
        old_secret=case((endpoints.c.old_secret_until > _NOW, endpoints.c.old_secret), else_=endpoints.c.secret),
        old_secret_until=_NOW + cast(constant("24 hours"), Interval),
        version=endpoints.c.version + ONE,
        updated_at=_NOW,
    )
    .where(endpoints.c.id == ENDPOINT_ID)
)
_IS_FREE: Final = or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until <= _NOW)
SKIP_BACKLOG: Final = Statement(
    update(deliveries)
    .values(
        state=constant(DeliveryState.SKIPPED),
        finished_at=_NOW,
        claimed_until=case((_IS_FREE, null()), else_=deliveries.c.claimed_until),
    )
    .where(deliveries.c.endpoint_id == ENDPOINT_ID, _IS_PENDING)
)
END_REPLAYS: Final = Statement(
    update(replays)
    .values(state=constant(ReplayState.DONE), finished_at=_NOW)
    .where(replays.c.endpoint_id == ENDPOINT_ID, replays.c.state == constant(ReplayState.RUNNING))
)
DELETE: Final = Statement(
    update(endpoints)
    .values(deleted_at=_NOW, state=constant(WebhookState.PAUSED), version=endpoints.c.version + ONE)
    .where(endpoints.c.id == ENDPOINT_ID)
)
