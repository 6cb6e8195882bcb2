"""The statements of merges: the chain of targets, and who joins and leaves a target."""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    FromClause,
    Interval,
    Text,
    all_,
    any_,
    bindparam,
    cast,
    exists,
    false,
    func,
    literal_column,
    not_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from db.postgres.statements import Statement, constant
from models import EventType
from services.access.email_addresses import email_key
from services.tickets.statements import events, ticket_id, tickets

UNDO_WITHIN_HOURS: Final = 24

MERGED_FROM: Final = "merged_from"
UNMERGED_FROM: Final = "unmerged_from"
"""Members of the events of the target: the id of the source."""

_UNDONE_AFTER: Final = func.clock_timestamp() - cast(constant(f"{UNDO_WITHIN_HOURS} hours"), Interval)
_source_id: Final = bindparam("source_id", type_=BigInteger)
_target_id: Final = bindparam("target_id", type_=BigInteger)

TARGETS: Final = Statement(
    select(tickets.c.id, tickets.c.merged_into).where(
        tickets.c.id.in_(select(func.with_merge_targets(ticket_id, type_=BigInteger).column_valued("id")))
    )
)
"""A ticket and those that it was merged into, each with the next one."""

IS_RECENT: Final = Statement(select(tickets.c.merged_at > _UNDONE_AFTER).where(tickets.c.id == ticket_id))


def _addresses(of_ticket: FromClause) -> ColumnElement[Any]:
    """Return the requester and the participants of a ticket."""
    return func.array_prepend(of_ticket.c.email, of_ticket.c.participants, type_=ARRAY(Text))


def _keys(of_ticket: FromClause) -> ColumnElement[Any]:
    return func.email_keys(_addresses(of_ticket), type_=ARRAY(Text))


def _joining() -> Statement:
    source, target = tickets.alias("source"), tickets.alias("target")
    joining = func.unnest(_addresses(source)).table_valued("address").render_derived(name="joining")
    return Statement(
        select(joining.c.address)
        .distinct()
        .select_from(source.join(target, true()).join(joining, true()))
        .where(
            source.c.id == _source_id,
            target.c.id == _target_id,
            email_key(joining.c.address) != all_(_keys(target)),
        )
    )


JOINING: Final = _joining()
"""The addresses that see the source and not the target: its requester and its participants."""


_PARTICIPANTS: Final = ("{participants,from}", "{participants,to}")


def _leaving() -> Statement:
    target, other = tickets.alias("target"), tickets.alias("other")
    present = func.unnest(target.c.participants).table_valued("address").render_derived(name="present")
    key = email_key(present.c.address)
    candidates = func.email_keys(bindparam("addresses", type_=ARRAY(Text)), type_=ARRAY(Text))
    leads_here_too = exists().where(
        other.c.merged_into == target.c.id, other.c.id != _source_id, key == any_(_keys(other))
    )
    before, after = (
        cast(events.c.data.op("#>")(cast(constant(path), ARRAY(Text))), JSONB).bool_op("?")(present.c.address)
        for path in _PARTICIPANTS
    )
    added_by = (
        select(events.c.type)
        .where(events.c.ticket_id == target.c.id, after, not_(func.coalesce(before, false())))
        .order_by(events.c.version.desc())
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    return Statement(
        select(present.c.address)
        .select_from(target.join(present, true()))
        .where(
            target.c.id == _target_id,
            key == any_(candidates),
            not_(leads_here_too),
            added_by == constant(EventType.MERGED),
        )
    )


LEAVING: Final = _leaving()
"""Those of the `addresses` that participate in the target because of the merge of the source alone.

An address stays if another ticket that was merged into the target has it, or if it was added otherwise than by a merge.
"""
