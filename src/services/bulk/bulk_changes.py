"""Bulk changes, as agents request them: a dry run, the change, and its progress.

A bulk change is a row that the background work carries out (`services.bulk.runner`), not the request itself: it ends
although the client or a process goes away, and its progress can be read. The row has the ids of the tickets, so that a
query which the change itself empties is read once.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from core.desk_errors import BulkRunNotFound
from core.errors import ServiceError, TicketNotFound
from db.postgres.database import Database
from db.postgres.statements import Row
from models import Scope
from schemas.bulk import (
    MAX_DRY_RUN,
    MAX_TICKETS,
    BulkDryRun,
    BulkRefusals,
    BulkResult,
    BulkRun,
    BulkTarget,
)
from schemas.ticket_queries import parsed_query
from services.access.principal import Principal
from services.bulk import statements as sql
from services.bulk.action import CheckedAction, checked_action
from services.idempotency import IdempotentRequest, Replayed, RetryKey
from services.tickets import permissions
from services.tickets.counts import TicketCounter
from services.tickets.edited_ticket import EditedTicket
from services.tickets.working_fields import WorkingFields
from services.write_result import WriteResult

PROBLEMS: Final = "/problems/"
_BATCH: Final = 500
_SHOWN_IDS: Final = 10


class BulkChanges:
    """Tries, creates and reads bulk changes of agents and admins.

    Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and DeadlineExceeded.
    """

    def __init__(self, database: Database, counter: TicketCounter, working_fields: WorkingFields) -> None:
        self._database = database
        self._counter = counter
        self._working_fields = working_fields

    async def dry_run(self, target: BulkTarget, principal: Principal) -> BulkDryRun:
        """Return what the action would do to the tickets as they are now; nothing is written.

        Raises InvalidReference, InvalidFields, SearchTimeout.
        """
        permissions.ensure_may_work(principal)
        action = await checked_action(self._working_fields, target.action, principal)
        ids, has_more = await self._ids(target, principal, most=MAX_DRY_RUN)
        changed, refused = 0, defaultdict[str, list[int]](list)
        for start in range(0, len(ids), _BATCH):
            for ticket_id, outcome in await self._tried(ids[start : start + _BATCH], action):
                if isinstance(outcome, str):
                    refused[outcome].append(ticket_id)
                else:
                    changed += outcome
        return BulkDryRun(
            matched=len(ids),
            would_change=changed,
            unchanged=len(ids) - changed - sum(map(len, refused.values())),
            refused=[
                BulkRefusals(problem=f"{PROBLEMS}{code}", count=len(found), ticket_ids=found[:_SHOWN_IDS])
                for code, found in sorted(refused.items(), key=lambda item: -len(item[1]))
            ],
            truncated=has_more,
        )

    async def start(
        self, target: BulkTarget, principal: Principal, *, key: RetryKey | None = None
    ) -> tuple[WriteResult, bool]:
        """Create a bulk change, with `key` once; return it as a BulkRun, and whether an earlier request did.

        Raises InvalidReference, InvalidFields, SearchTimeout, RequestInProgress, IdempotencyKeyReused, OutcomeUnknown.
        """
        permissions.ensure_may_work(principal)
        await checked_action(self._working_fields, target.action, principal)
        ids, has_more = await self._ids(target, principal, most=MAX_TICKETS)
        request = IdempotentRequest.under(key, principal.id, "bulk", target, _result_of)
        try:
            async with self._database.transaction() as connection:
                if request is not None:
                    await request.begin(connection)
                await connection.run(sql.PURGE)
                row = await connection.one(
                    sql.CREATE,
                    principal_id=principal.id,
                    action_json=target.action.model_dump_json(exclude_unset=True),
                    ticket_ids=ids,
                    last_ticket_id=ids[-1] if has_more else None,
                )
                if request is not None:
                    await request.end(connection, row)
        except Replayed as earlier:
            return earlier.result, True
        return _result_of(row), False

    async def find(self, run_id: int, principal: Principal) -> BulkRun:
        """Return a bulk change, as far as it is done. Raises BulkRunNotFound."""
        principal.require_staff()
        principal.require(Scope.READ)
        async with self._database.reading() as connection:
            row = await connection.one_or_none(sql.FIND, id=run_id)
        if row is None:
            raise BulkRunNotFound
        return run_of(row)

    async def _ids(self, target: BulkTarget, principal: Principal, *, most: int) -> tuple[list[int], bool]:
        """Return the ids of the tickets in ascending order, at most `most`, and whether there are more."""
        if target.ids is not None:
            return sorted(set(target.ids)), False
        query = parsed_query(target.query or "")
        ids = await self._counter.ids(query, principal, after=target.after_ticket_id, limit=most + 1)
        return ids[:most], len(ids) > most

    async def _tried(self, ids: Sequence[int], action: CheckedAction) -> list[tuple[int, bool | str]]:
        """Return for each ticket whether it would change, or the code of the error for which it would be refused."""
        async with self._database.reading() as connection:
            rows = {row.id: row for row in await connection.rows(sql.READ, ticket_ids=ids, requester=None)}
        return [(ticket_id, _outcome(rows.get(ticket_id), action)) for ticket_id in ids]


def run_of(row: Row) -> BulkRun:
    """Return a bulk change as its response shows it."""
    results = [BulkResult.model_validate(each) for each in json.loads(row.results)]
    refused = sum(each.problem is not None for each in results)
    changed = sum(each.changed is True for each in results)
    return BulkRun(
        id=row.id,
        state="running" if row.finished_at is None else "finished",
        total=len(row.ticket_ids),
        changed=changed,
        unchanged=len(results) - changed - refused,
        refused=refused,
        last_ticket_id=row.last_ticket_id,
        results=results,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def _outcome(row: Row | None, action: CheckedAction) -> bool | str:
    if row is None:
        return TicketNotFound.code()
    ticket = EditedTicket(row)
    try:
        action.apply(ticket)
    except ServiceError as error:
        return error.code()
    return ticket.is_changed


def _result_of(row: Row) -> WriteResult:
    return WriteResult(run_of(row).model_dump_json().encode(), row.id, 1)
