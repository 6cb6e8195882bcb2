"""Merges: a ticket is closed as merged, and the other one shows its comments too."""

from collections.abc import Sequence, Set
from itertools import pairwise
from typing import Final

from core.errors import Fault, InvalidReference, Overloaded, TicketNotFound
from core.ticket_errors import MergeNotPossible, MergeTooOld, NotMerged
from db.postgres.database import Database
from db.postgres.session import Session
from models import Audience, EventType, TicketStatus
from services.access.principal import Principal
from services.directory.assignees import Working, still_active
from services.fields.definitions import FieldDefinitions
from services.links import merge_statements as sql
from services.links.follow_ups import continuing, opened
from services.tickets import permissions
from services.tickets.change_purpose import ChangePurpose
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.locked_tickets import expected_versions
from services.tickets.shown_ticket import shown_ticket
from services.write_result import WriteResult

# A merge may take the participants of the target beyond the limit for those that are added by hand, up to this number.
MAX_PARTICIPANTS_AFTER_MERGE: Final = 500
# How often the tickets are read again when their merges change between the read and the lock.
_ATTEMPTS: Final = 3


class Merges:
    """Merges tickets, and undoes it for a day. Every method raises what `TicketChanges.changing` raises, and Forbidden.

    Closed stays final: a merged ticket is not opened again. Undoing its merge opens a follow-up of it.
    """

    def __init__(self, database: Database, changes: TicketChanges, definitions: FieldDefinitions) -> None:
        self._database = database
        self._changes = changes
        self._definitions = definitions

    async def merge(
        self, source_id: int, into: int, principal: Principal, *, expected: Set[int] | None = None
    ) -> WriteResult:
        """Merge a ticket into another one, or into what that was merged into; return the target.

        `expected` holds the versions of the source that the caller accepts. The requester and the participants of the
        source participate in the target from then on. Raises MergeNotPossible: the ticket is merged already, the target
        is closed, both are the same, or the target would have too many participants.
        """
        permissions.ensure_may_work(principal)
        versions = expected_versions(source_id, expected)
        for _ in range(_ATTEMPTS):
            ids = [source_id, await self._final_target(source_id, into)]
            async with self._changes.changing(ids, principal, versions, purpose=ChangePurpose.MERGE) as locked:
                source, target = _in_order(locked, ids)
                if target["merged_into"] is None:
                    await _merge(locked.connection, source, target)
                    break
        else:
            raise Overloaded("other requests merge the target at this moment")
        return shown_ticket(target.saved, principal, frozenset())

    async def undo(self, source_id: int, principal: Principal, *, expected: Set[int] | None = None) -> WriteResult:
        """Take a ticket out of the one that it was merged into, and return the follow-up that is opened of it.

        Raises NotMerged, MergeTooOld.
        """
        permissions.ensure_may_work(principal)
        visible = (await self._definitions.current()).visible_keys
        versions = expected_versions(source_id, expected)
        for _ in range(_ATTEMPTS):
            ids = await self._chain(source_id)
            if source_id not in ids:
                raise TicketNotFound(source_id)
            if len(ids) == 1:
                raise NotMerged(source_id)
            async with self._changes.changing(ids, principal, versions, purpose=ChangePurpose.MERGE) as locked:
                tickets = _in_order(locked, ids)
                if _are_chained(tickets):
                    await _undo(locked.connection, tickets, visible)
                    break
        else:
            raise Overloaded("other requests merge these tickets at this moment")
        return opened([tickets[0]], principal=principal, visible=visible)

    async def _final_target(self, source_id: int, into: int) -> int:
        """Return the ticket at the end of the chain of merges. Raises InvalidReference, and MergeNotPossible."""
        ids = await self._chain(into)
        if not ids:
            raise InvalidReference(Fault("no ticket has this id", "body", "into"))
        if source_id in ids:
            raise MergeNotPossible("leads-back", "a ticket cannot be merged into itself, nor over other tickets")
        return ids[-1]

    async def _chain(self, of_ticket: int) -> list[int]:
        """Return the ids of a ticket and of those that it was merged into, in the order of their merges."""
        async with self._database.reading() as connection:
            rows = await connection.rows(sql.TARGETS, ticket_id=of_ticket)
        merged_into: dict[int, int | None] = {row.id: row.merged_into for row in rows}
        ids: list[int] = []
        following: int | None = of_ticket
        while following in merged_into:
            ids.append(following)
            following = merged_into[following]
        return ids


def _in_order(locked: Sequence[EditedTicket], ids: Sequence[int]) -> list[EditedTicket]:
    by_id = {ticket.id: ticket for ticket in locked}
    return [by_id[ticket_id] for ticket_id in ids]


def _are_chained(tickets: Sequence[EditedTicket]) -> bool:
    """Return whether each ticket is merged into the next one, and the last one into none."""
    targets = [target.id for _, target in pairwise(tickets)]
    return [ticket["merged_into"] for ticket in tickets] == [*targets, None]


async def _merge(connection: Session, source: EditedTicket, target: EditedTicket) -> None:
    if source["merged_into"] == target.id:
        return  # merged by an earlier request
    if source["merged_into"] is not None:
        raise MergeNotPossible("already-merged", f"ticket {source.id} is merged already")
    if target.status is TicketStatus.CLOSED:
        raise MergeNotPossible("target-closed", f"ticket {target.id} is closed")
    joining = await connection.rows(sql.JOINING, source_id=source.id, target_id=target.id)
    participants = [*target["participants"], *(row.address for row in joining)]
    if len(participants) > MAX_PARTICIPANTS_AFTER_MERGE:
        raise MergeNotPossible("too-many-participants", "the target would have too many participants")
    if source.status is not TicketStatus.CLOSED:
        source.move_to(TicketStatus.CLOSED)
    source.edit("merged_into", target.id)
    target.add_fact(EventType.MERGED, sql.MERGED_FROM, source.id, Audience.PUBLIC)
    target.edit("participants", participants)


async def _undo(connection: Session, tickets: Sequence[EditedTicket], visible: Set[str]) -> None:
    """Take the first ticket out of the second one, and out of those that this one was merged into."""
    source, *targets = tickets
    if not await connection.value(sql.IS_RECENT, ticket_id=source.id):
        raise MergeTooOld(source.id)
    source.edit("merged_into", None)
    working = await still_active(connection, Working(source["assignee_id"], source["group_id"]))
    source.open_follow_up(continuing(source, working, visible))
    merged, addresses = source, [source["email"], *source["participants"]]
    for target in targets:
        rows = await connection.rows(sql.LEAVING, addresses=addresses, source_id=merged.id, target_id=target.id)
        leaving = {row.address for row in rows}
        target.edit("participants", [address for address in target["participants"] if address not in leaving])
        target.add_fact(EventType.MERGED, sql.UNMERGED_FROM, source.id, Audience.PUBLIC)
        # An address leaves the next target only if it left this one, which brought it there.
        merged, addresses = target, sorted(leaving)
