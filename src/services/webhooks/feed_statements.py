"""The statements that create deliveries from the event log.

ACTIVE               the endpoints that are on, each with whether its cursor is behind the log, and its replays
LOCK_ENDPOINT,       one of them for this transaction, unless another process has it
LOCK_REPLAY
COUNT_PENDING        a statement of its own after the lock, whose snapshot sees what the last holder inserted
BATCH                the next events of the log, each with whether the owner may see it and the filters fit
BATCH_OF_DEAD        the next dead deliveries that were not sent again
CREATE               creates deliveries
MOVE, MOVE_REPLAY    save how far the log was looked at, together with the deliveries
"""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_ignore

from db.postgres.statements import Statement, constant
from models import DeliveryReason, DeliveryState, ReplayState
from services.events.statements import NO_TICKET
from services.tickets.statements import events, tickets
from services.webhooks.tables import (
    ENDPOINT_ID,
    IS_ON,
    LIMIT,
    ONE,
    OWNER_SEES,
    SEES_ALL,
    ZERO,
    deliveries,
    endpoints,
    log,
    owners,
    publisher,
    replays,
    system,
)

# At most as many deliveries of an endpoint wait, and at most as many events are looked at in one transaction.
MAX_PENDING: Final = 1_000
# The deliveries of replays leave room for those of new events.
MAX_PENDING_FOR_REPLAY: Final = 500
BATCH_SIZE: Final = 500

_IS_PENDING: Final = deliveries.c.state == constant(DeliveryState.PENDING)
_IS_BEHIND: Final = and_(IS_ON, endpoints.c.cursor < publisher.c.last_position)
_IS_RUNNING: Final = and_(
    replays.c.state == constant(ReplayState.RUNNING), replays.c.endpoint_id == endpoints.c.id, IS_ON
)

_RUNNING_REPLAYS: Final = select(replays.c.id).where(_IS_RUNNING).order_by(replays.c.id).correlate(endpoints, owners)
ACTIVE: Final = Statement(
    select(
        endpoints.c.id,
        (endpoints.c.cursor < publisher.c.last_position).label("is_behind"),
        func.array(_RUNNING_REPLAYS.scalar_subquery(), type_=ARRAY(BigInteger)).label("replays"),
    )
    .where(IS_ON)
    .order_by(endpoints.c.id)
)
LOCK_ENDPOINT: Final = Statement(
    select(endpoints.c.id, endpoints.c.cursor, endpoints.c.types, publisher.c.first_position)
    .where(endpoints.c.id == ENDPOINT_ID, _IS_BEHIND)
    .with_for_update(key_share=True, skip_locked=True, of=endpoints)
)
LOCK_REPLAY: Final = Statement(
    select(*replays.c, endpoints.c.types)
    .where(replays.c.id == bindparam("replay_id", type_=BigInteger), _IS_RUNNING)
    .with_for_update(key_share=True, skip_locked=True, of=[replays, endpoints])
)


def _count_pending() -> Statement:
    pending = select(ONE).where(deliveries.c.endpoint_id == ENDPOINT_ID, _IS_PENDING)
    return Statement(
        select(func.count()).select_from(pending.limit(literal_column(str(MAX_PENDING))).subquery("pending"))
    )


COUNT_PENDING: Final = _count_pending()


def _keys_of(document: ColumnElement[Any]) -> ColumnElement[Any]:
    keys = func.jsonb_object_keys(document, type_=Text).table_valued("key").render_derived(name="keys")
    return func.array(select(keys.c.key).scalar_subquery(), type_=ARRAY(Text))


def _batch() -> Statement:
    """Return the statement. Filters apply to the ticket as it is now; it reads no text of an event."""
    after, to = bindparam("after", type_=BigInteger), bindparam("to", type_=BigInteger)
    in_group = or_(
        func.cardinality(endpoints.c.group_ids) == ZERO, tickets.c.group_id == func.any(endpoints.c.group_ids)
    )
    has_tag = or_(func.cardinality(endpoints.c.tags) == ZERO, tickets.c.tags.op("&&")(endpoints.c.tags))
    is_wanted = func.coalesce(and_(OWNER_SEES, in_group, has_tag), false(), type_=Boolean)
    window = (
        select(log.c.position, log.c.ticket_id, log.c.version)
        .where(log.c.position > after, log.c.position <= to)
        .order_by(log.c.position)
        .limit(LIMIT)
    )
    window_rows = window.cte("batch").prefix_with("MATERIALIZED")
    source = (
        window_rows.join(
            events,
            and_(events.c.ticket_id == window_rows.c.ticket_id, events.c.version == window_rows.c.version),
        )
        .join(tickets, tickets.c.id == window_rows.c.ticket_id)
        .join(endpoints, endpoints.c.id == ENDPOINT_ID)
        .join(owners, owners.c.id == endpoints.c.principal_id)
    )
    of_all = _keys_of(events.c.data)
    of_staff = _keys_of(func.coalesce(events.c.internal, literal_column("'{}'")))
    members = case((SEES_ALL, of_all.op("||")(of_staff)), else_=of_all)
    of_tickets = select(
        *window_rows.c, events.c.type, members.label("members"), is_wanted.label("is_wanted")
    ).select_from(source)
    # A filter by group or tag excludes what concerns no ticket.
    has_no_filter = func.cardinality(endpoints.c.group_ids) + func.cardinality(endpoints.c.tags) == ZERO
    of_system = (
        select(*window_rows.c, system.c.type, _keys_of(system.c.data), and_(SEES_ALL, has_no_filter))
        .select_from(
            window_rows.join(system, system.c.id == window_rows.c.version)
            .join(endpoints, endpoints.c.id == ENDPOINT_ID)
            .join(owners, owners.c.id == endpoints.c.principal_id)
        )
        .where(window_rows.c.ticket_id == NO_TICKET)
    )
    rows = union_all(of_tickets, of_system)
    return Statement(rows.order_by("position"))


BATCH: Final = _batch()


def _batch_of_dead() -> Statement:
    later = deliveries.alias("later")
    sent_again = (
        select(later.c.id)
        .where(
            later.c.endpoint_id == deliveries.c.endpoint_id,
            later.c.position == deliveries.c.position,
            later.c.reason == constant(DeliveryReason.REPLAY),
            later.c.id > deliveries.c.id,
        )
        .limit(ONE)
        .correlate(deliveries)
        .scalar_subquery()
    )
    after, to = bindparam("after", type_=BigInteger), bindparam("to", type_=BigInteger)
    dead: Select[Any] = (
        select(deliveries.c.position, deliveries.c.ticket_id, deliveries.c.version)
        .where(
            deliveries.c.endpoint_id == ENDPOINT_ID,
            deliveries.c.state == constant(DeliveryState.DEAD),
            deliveries.c.position > after,
            deliveries.c.position <= to,
            sent_again.is_(None),
        )
        .order_by(deliveries.c.position)
        .limit(LIMIT)
    )
    return Statement(dead)


BATCH_OF_DEAD: Final = _batch_of_dead()


def _create() -> Statement:
    arrays = {
        name: func.unnest(bindparam(f"{name}s", type_=ARRAY(type_)), type_=type_)
        for name, type_ in (("position", BigInteger), ("ticket_id", BigInteger), ("version", Integer))
    }
    replay_id = bindparam("replay_id", type_=BigInteger)
    reason = case((replay_id.is_(None), constant(DeliveryReason.EVENT)), else_=constant(DeliveryReason.REPLAY))
    columns = ["endpoint_id", "replay_id", "reason", *arrays]
    return Statement(
        insert_or_ignore(deliveries)
        .from_select(columns, select(ENDPOINT_ID, replay_id, reason, *arrays.values()))
        .on_conflict_do_nothing()
    )


CREATE: Final = _create()

_CURSOR: Final = bindparam("reached", type_=BigInteger)
MOVE: Final = Statement(
    update(endpoints)
    .values(cursor=_CURSOR, missed=endpoints.c.missed + bindparam("lost", type_=BigInteger))
    .where(endpoints.c.id == ENDPOINT_ID)
)
_IS_COMPLETE: Final = replays.c.to_position <= _CURSOR
MOVE_REPLAY: Final = Statement(
    update(replays)
    .values(
        cursor=_CURSOR,
        state=case((_IS_COMPLETE, constant(ReplayState.DONE)), else_=replays.c.state),
        finished_at=case((_IS_COMPLETE, func.now()), else_=null()),
    )
    .where(replays.c.id == bindparam("replay_id", type_=BigInteger))
)
