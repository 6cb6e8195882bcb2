"""Merges: a ticket is closed as merged, and the other one shows its comments too."""

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Interval,
    Text,
    all_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    true,
)

from core.errors import InvalidReference, MergeNotPossible, MergeTooOld, NotMerged, TicketNotFound
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Statement, constant
from models import Audience, EventType, TicketStatus
from schemas.tickets import TicketCreate
from services.access.email_addresses import email_key
from services.access.principal import Principal
from services.links.follow_ups import opened
from services.tickets import permissions
from services.tickets.change_purpose import ChangePurpose
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.new_ticket import NewTicket
from services.tickets.shown_ticket import shown_ticket
from services.tickets.statements import events, ticket_id, tickets
from services.write_result import WriteResult

UNDO_WITHIN_HOURS: Final = 24
# How often the tickets are read again when their merges change between the read and the lock.
_ATTEMPTS: Final = 3

_TARGETS: Final = Statement(
    select(tickets.c.id, tickets.c.merged_into).where(
        tickets.c.id.in_(select(func.with_merge_targets(ticket_id, type_=BigInteger).column_valued("id")))
    )
)
_UNDONE_AFTER: Final = func.clock_timestamp() - cast(constant(f"{UNDO_WITHIN_HOURS} hours"), Interval)
_IS_RECENT: Final = Statement(select(tickets.c.merged_at > _UNDONE_AFTER).where(tickets.c.id == ticket_id))


def _joining() -> Statement:
    """Return the statement that finds who sees the source and not the target: its requester and participants."""
    source, target = tickets.alias("source"), tickets.alias("target")
    seeing = func.array_prepend(source.c.email, source.c.participants, type_=ARRAY(Text))
    joining = func.unnest(seeing).table_valued("address").render_derived(name="joining")
    of_target = func.array_prepend(target.c.email, target.c.participants, type_=ARRAY(Text))
    return Statement(
        select(joining.c.address)
        .distinct()
        .select_from(source.join(target, true()).join(joining, true()))
        .where(
            source.c.id == bindparam("source_id", type_=BigInteger),
            target.c.id == bindparam("target_id", type_=BigInteger),
            email_key(joining.c.address) != all_(func.email_keys(of_target, type_=ARRAY(Text))),
        )
    )


_JOINING: Final = _joining()
_ADDED_BY_MERGE: Final = Statement(
    select(cast(events.c.internal.op("->")(constant("participants_added")), Text))
    .where(events.c.ticket_id == ticket_id, events.c.type == constant(EventType.MERGED))
    .order_by(events.c.version.desc())
    .limit(literal_column("1"))
)


class Merges:
    """Merges tickets, and undoes it for a day. Every method raises what `TicketChanges.changing` raises, and Forbidden.

    Closed stays final: a merged ticket is not opened again. Undoing its merge opens a follow-up of it.
    """

    def __init__(self, database: Database, changes: TicketChanges) -> None:
        self._database = database
        self._changes = changes

    async def merge(self, source_id: int, into: int, principal: Principal) -> WriteResult:
        """Merge a ticket into another one, or into what that was merged into; return the target.

        The requester and the participants of the source participate in the target from then on. Raises
        MergeNotPossible: the ticket is merged already, the target is closed, or both are the same.
        """
        permissions.ensure_may_work(principal)
        for _ in range(_ATTEMPTS):
            target_id = await self._final_target(source_id, into)
            async with self._changes.changing([source_id, target_id], principal, purpose=ChangePurpose.MERGE) as locked:
                source, target = _in_order(locked, source_id)
                if target["merged_into"] is None:
                    await _merge(locked.connection, source, target)
                    break
        else:
            raise MergeNotPossible("the target is being merged at this moment")
        return shown_ticket(target.saved, principal, frozenset())

    async def undo(self, source_id: int, principal: Principal) -> WriteResult:
        """Take a ticket out of the one that it was merged into, and return the follow-up that is opened of it.

        Raises NotMerged, MergeTooOld.
        """
        permissions.ensure_may_work(principal)
        for _ in range(_ATTEMPTS):
            target_id = await self._direct_target(source_id)
            if target_id is None:
                raise NotMerged(source_id)
            async with self._changes.changing([source_id, target_id], principal, purpose=ChangePurpose.MERGE) as locked:
                source, target = _in_order(locked, source_id)
                if source["merged_into"] == target_id:
                    await _undo(locked.connection, source, target)
                    break
        else:
            raise NotMerged(source_id)
        return opened([source], principal=principal, visible=frozenset())

    async def _final_target(self, source_id: int, into: int) -> int:
        """Return the ticket at the end of the chain of merges. Raises TicketNotFound, MergeNotPossible for a cycle."""
        merged_into = await self._chain(into)
        if into not in merged_into:
            raise InvalidReference("no ticket has this id", "body", "into")
        target = into
        while True:
            if target == source_id:
                raise MergeNotPossible("a ticket cannot be merged into itself, nor over other tickets")
            following = merged_into[target]
            if following is None:
                return target
            target = following

    async def _direct_target(self, source_id: int) -> int | None:
        chain = await self._chain(source_id)
        if source_id not in chain:
            raise TicketNotFound(source_id)
        return chain[source_id]

    async def _chain(self, of_ticket: int) -> dict[int, int | None]:
        """Return a ticket and those that it was merged into, each with the next one."""
        async with self._database.reading() as connection:
            return {row.id: row.merged_into for row in await connection.rows(_TARGETS, ticket_id=of_ticket)}


def _in_order(locked: Sequence[EditedTicket], source_id: int) -> tuple[EditedTicket, EditedTicket]:
    """Return the source and the target."""
    first, second = locked
    return (first, second) if first.id == source_id else (second, first)


async def _merge(connection: Session, source: EditedTicket, target: EditedTicket) -> None:
    if source["merged_into"] == target.id:
        return  # merged by an earlier request
    if source["merged_into"] is not None:
        raise MergeNotPossible(f"ticket {source.id} is merged already")
    if target.status is TicketStatus.CLOSED:
        raise MergeNotPossible(f"ticket {target.id} is closed")
    if source.status is not TicketStatus.CLOSED:
        source.move_to(TicketStatus.CLOSED)
    source.edit("merged_into", target.id)
    joining = await connection.rows(_JOINING, source_id=source.id, target_id=target.id)
    added = [row.address for row in joining]
    source.add_fact(EventType.MERGED, "participants_added", added, Audience.INTERNAL)
    target.add_fact(EventType.MERGED, "merged_from", source.id, Audience.PUBLIC)
    target.edit("participants", [*target["participants"], *added])


async def _undo(connection: Session, source: EditedTicket, target: EditedTicket) -> None:
    if not await connection.value(_IS_RECENT, ticket_id=source.id):
        raise MergeTooOld(source.id)
    added = set(json.loads(await connection.value(_ADDED_BY_MERGE, ticket_id=source.id) or "[]"))
    follow_up = NewTicket(
        TicketCreate.model_construct(subject=source["subject"], text=source["text"], email=source["email"]),
        {},
        follow_up_of=source.id,
    )
    source.edit("merged_into", None)
    source.open_follow_up(follow_up)
    target.edit("participants", [each for each in target["participants"] if each not in added])
    target.add_fact(EventType.MERGED, "unmerged_from", source.id, Audience.PUBLIC)
