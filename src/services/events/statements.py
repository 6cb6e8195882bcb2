"""The statements of the event log.

A round of the publisher is one READ COMMITTED transaction of the first three, in this order: each has a newer snapshot
than the one before. A state that was read before the lock was held would be that of an earlier round.

TRY_LOCK       takes the lock of the log until the end of the transaction, if no other transaction has it
STATE          the state that the last round left
PUBLISH        gives positions to all events that were committed between the snapshot of that state and its own snapshot

LAG            how many events wait for the publisher, up to LAG_LIMIT, and for how many seconds the first of them
POSITIONS      the positions that a reader may ask for, and their epoch; whether the database is a restored copy
NEW_EPOCH      makes every cursor of before invalid
PURGE          deletes the oldest entries of the log, at most PURGE_BATCH

After a restore, while no transaction writes events:

PUBLISH_MISSING gives positions to the events that are not in the log, but for those that the retention deleted
RENEW          adopts the log: it has a new epoch, and has seen all transactions so far
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Double,
    FromClause,
    Insert,
    Integer,
    Subquery,
    Text,
    any_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import OID, REGCLASS

from db.postgres.statements import Statement, constant
from models import SYSTEM_TICKET_ID, EventLogEntry, EventPublisher, SystemEvent, TicketEvent, table_of
from models.transaction_types import PgSnapshot, Xid8

# Beyond this many the measured lag grows no further, so that a measurement stays cheap while the publisher is stuck.
LAG_LIMIT: Final = 10_000
PURGE_BATCH: Final = 2_000

events: Final = table_of(TicketEvent)
system: Final = table_of(SystemEvent)
log: Final = table_of(EventLogEntry)
publisher: Final = table_of(EventPublisher)

# An arbitrary constant that must be the same in every release.
_LOCK: Final = literal_column("7415530153", BigInteger)
_ZERO: Final = literal_column("0", Integer)
_ONE: Final = literal_column("1", Integer)
NO_TICKET: Final = literal_column(str(SYSTEM_TICKET_ID), BigInteger)

TRY_LOCK: Final = Statement(select(func.pg_try_advisory_xact_lock(_LOCK)))
WAIT_FOR_LOCK: Final = Statement(select(func.pg_advisory_xact_lock(_LOCK)))

_SYSTEM: Final = select(literal_column("system_identifier", BigInteger)).select_from(func.pg_control_system())
# Until the end of the transaction, in place of the timeout of the connection.
WAIT_LONG: Final = Statement(select(func.set_config(constant("statement_timeout"), constant("1h"), true())))

system_identifier: Final = _SYSTEM.scalar_subquery()
table_oid: Final = cast(cast(constant(publisher.name), REGCLASS), OID)
_IS_RESTORED: Final = or_(publisher.c.system_identifier != system_identifier, publisher.c.table_oid != table_oid)

seen_xmax: Final = func.pg_snapshot_xmax(publisher.c.seen, type_=Xid8)
_seen_xip: Final = select(func.pg_snapshot_xip(publisher.c.seen, type_=Xid8)).correlate(publisher).scalar_subquery()

STATE: Final = Statement(
    select(
        cast(seen_xmax, Text).label("seen_xmax"),
        cast(func.array(_seen_xip), ARRAY(Text)).label("seen_xip"),
        publisher.c.last_position,
        publisher.c.first_position,
        _IS_RESTORED.label("is_restored"),
    )
)


# The snapshot of STATE. asyncpg has no array of xid8.
_XMAX: Final = cast(bindparam("seen_xmax", type_=Text), Xid8)
_XIP: Final = cast(bindparam("seen_xip", type_=ARRAY(Text)), ARRAY(Xid8))


def _unpublished(system_events: FromClause) -> Subquery:
    """Return the events of the transactions that a snapshot did not see as committed, and this statement does.

    Those are the transactions from `seen_xmax` on, and those of `seen_xip`, which were under way. They are followed by
    `system_events`, with `id` and `created_at`.
    """
    columns = (events.c.ticket_id, events.c.version, events.c.created_at)
    has_xid = events.c.xid.is_not(None)  # repeated for the planner: the index has only these
    later = select(*columns).where(has_xid, events.c.xid >= _XMAX)
    were_under_way = select(*columns).where(has_xid, events.c.xid == any_(_XIP))
    of_system = select(NO_TICKET.label("ticket_id"), system_events.c.id, system_events.c.created_at)
    return union_all(later, were_under_way, of_system).subquery("unpublished")


def _logged(fresh: Subquery) -> Insert:
    """Return the insertion of events after `last_position`, in the order of their times.

    The versions of a ticket ascend also if their times do not.
    """
    at = func.max(fresh.c.created_at).over(partition_by=fresh.c.ticket_id, order_by=fresh.c.version).label("at")
    timed = select(*fresh.c, at).subquery("timed")
    number = func.row_number().over(order_by=(timed.c.at, timed.c.ticket_id, timed.c.version))
    position = bindparam("last_position", type_=BigInteger) + number
    numbered = select(position, timed.c.ticket_id, timed.c.version)
    return insert(log).from_select(["position", "ticket_id", "version"], numbered, include_defaults=False)


def _publish() -> Statement:
    snapshot = select(func.pg_current_snapshot(type_=PgSnapshot).label("seen")).cte("snapshot")
    snapshot = snapshot.prefix_with("MATERIALIZED")
    taken = (
        update(system)
        .values(is_published=true())
        .where(~system.c.is_published)
        .returning(system.c.id, system.c.created_at)
        .cte("taken")
    )
    logged = _logged(_unpublished(taken)).returning(_ONE).cte("logged")
    counted = select(func.count().label("events")).select_from(logged).cte("counted")
    return Statement(
        update(publisher)
        .values(
            seen=select(snapshot.c.seen).scalar_subquery(), last_position=publisher.c.last_position + counted.c.events
        )
        .where(counted.c.events > _ZERO)
        .returning(publisher.c.last_position)
    )


PUBLISH: Final = _publish()


def _lag() -> Statement:
    """Return the statement of LAG, with the snapshot of STATE as its parameters."""
    of_system = select(system.c.id, system.c.created_at).where(~system.c.is_published).subquery("of_system")
    waiting = select(_unpublished(of_system).c.created_at).limit(literal_column(str(LAG_LIMIT))).subquery("waiting")
    age = func.extract("epoch", func.clock_timestamp() - func.min(waiting.c.created_at))
    return Statement(select(func.count().label("events"), cast(age, Double).label("seconds")).select_from(waiting))


LAG: Final = _lag()

POSITIONS: Final = Statement(
    select(publisher.c.first_position, publisher.c.last_position, publisher.c.epoch, _IS_RESTORED.label("is_restored"))
)

NEW_EPOCH: Final = Statement(update(publisher).values(epoch=func.gen_random_uuid()).returning(publisher.c.epoch))


def _purge() -> Statement:
    """Return the statement of PURGE, with the parameter `days`.

    It deletes the lowest positions only, up to the first that is younger, and leaves the last one.
    """
    state = select(publisher.c.first_position.label("first"), publisher.c.last_position.label("last")).cte("state")
    end = state.c.first + literal_column(str(PURGE_BATCH))
    cutoff = func.now() - func.make_interval(_ZERO, _ZERO, _ZERO, bindparam("days", type_=Integer))
    kept = select(func.min(log.c.position)).where(
        log.c.position >= state.c.first, log.c.position < end, log.c.published_at >= cutoff
    )
    until = func.least(func.coalesce(kept.scalar_subquery(), end), state.c.last).label("until")
    bounds = select(state.c.first, until).cte("bounds").prefix_with("MATERIALIZED")
    gone = delete(log).where(log.c.position >= bounds.c.first, log.c.position < bounds.c.until).returning(_ONE)
    return Statement(
        update(publisher)
        .values(first_position=bounds.c.until)
        .where(bounds.c.until > bounds.c.first)
        .returning(bounds.c.until - bounds.c.first)
        .add_cte(gone.cte("gone"))
    )


PURGE: Final = _purge()


def _publish_missing() -> Statement:
    """Return the statement of PUBLISH_MISSING.

    What the retention deleted is missing too. It is older than the oldest entry that is left, which the retention
    leaves on purpose. An event that waited for the publisher when the dump was made may be as old. Its transaction id
    shows it: the ids and the snapshot of a dump are of the same server.
    """
    oldest = select(log.c.published_at).order_by(log.c.position).limit(_ONE).scalar_subquery()
    is_logged = exists().where(log.c.ticket_id == events.c.ticket_id, log.c.version == events.c.version)
    waited = or_(events.c.xid >= _XMAX, events.c.xid == any_(_XIP))
    missing = select(events.c.ticket_id, events.c.version, events.c.created_at).where(
        ~is_logged,
        or_(bindparam("first_position", type_=BigInteger) == _ONE, events.c.created_at > oldest, waited),
    )
    logged = _logged(missing.subquery("missing")).returning(_ONE).cte("logged")
    return Statement(select(func.count()).select_from(logged))


PUBLISH_MISSING: Final = _publish_missing()
RENEW: Final = Statement(
    update(publisher)
    .values(
        seen=func.pg_current_snapshot(type_=PgSnapshot),
        last_position=publisher.c.last_position + bindparam("published", type_=BigInteger),
        epoch=func.gen_random_uuid(),
        system_identifier=system_identifier,
        table_oid=table_oid,
    )
    .returning(publisher.c.epoch)
)
