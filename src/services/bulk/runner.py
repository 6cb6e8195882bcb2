"""Carries bulk changes out: each ticket is one change by the one write path, in the order of the ids.

Any number of processes may do so at once: each claims one bulk change for some seconds, and renews the claim with the
results. What a process that ended has changed and not recorded is replayed: each change has an idempotency key.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from typing import Any, Final

from core.errors import Forbidden, InvalidReference, RequestInProgress, ServiceError, Unavailable
from db.postgres.database import Database
from db.postgres.statements import Row
from schemas.bulk import BulkAction, BulkResult
from services.access.acting import acting_staff
from services.access.principal import Principal
from services.bulk import statements as sql
from services.bulk.action import CheckedAction, checked_action
from services.bulk.bulk_changes import PROBLEMS
from services.idempotency import IdempotentRequest, Replayed, RetryKey
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.working_fields import WorkingFields
from services.write_result import WriteResult

POLL_EVERY_S: Final = 0.25
RETRY_EVERY_S: Final = 1
# So many results are recorded at once; a client that polls sees the progress in these steps.
BATCH: Final = 20

_FAULT: Final = f"{PROBLEMS}internal-error"

_log = logging.getLogger(__name__)


class BulkRunner:
    """Carries bulk changes out, one ticket after the other, so that requests keep their share of the database."""

    def __init__(self, database: Database, changes: TicketChanges, working_fields: WorkingFields) -> None:
        self._database = database
        self._changes = changes
        self._working_fields = working_fields

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                was_found = await self.run_next()
            except Unavailable as error:
                _log.warning("cannot carry out bulk changes; retrying in %d s: %s", RETRY_EVERY_S, error)
                await asyncio.sleep(RETRY_EVERY_S)
                continue
            if not was_found:
                await asyncio.sleep(POLL_EVERY_S)

    async def run_next(self) -> bool:
        """Carry out the oldest bulk change that no other process has claimed, and return whether there was one.

        Raises DatabaseUnavailable, and gives the claim up then.
        """
        async with self._database.working_singly() as connection:
            run = await connection.one_or_none(sql.CLAIM)
        if run is None:
            return False
        try:
            await self._carry_out(run)
        except Unavailable:
            async with self._database.working_singly() as connection:
                await connection.run(sql.RELEASE, id=run.id)
            raise
        return True

    async def _carry_out(self, run: Row) -> None:
        done = len(json.loads(run.results))
        try:
            async with self._database.working_singly() as connection:
                principal = await acting_staff(connection, run.principal_id)
            parsed = BulkAction.model_validate_json(run.action)
            action = await checked_action(self._working_fields, parsed, principal)
        except (Forbidden, InvalidReference) as error:  # the agent or the assignee was deactivated meanwhile
            await self._save(run, done, [_refused(ticket_id, error) for ticket_id in run.ticket_ids[done:]])
            return
        while done < len(run.ticket_ids):
            ids = run.ticket_ids[done : done + BATCH]
            results = [await self._change(run, ticket_id, action, principal) for ticket_id in ids]
            if not await self._save(run, done, results):
                return  # this process was too slow, and another one has taken over
            done += len(results)

    async def _save(self, run: Row, done: int, results: Sequence[BulkResult]) -> bool:
        body = json.dumps([result.model_dump(exclude_none=True) for result in results])
        async with self._database.working_singly() as connection:
            saved = await connection.one_or_none(sql.SAVE, id=run.id, done=done, results_json=body)
        return saved is not None

    async def _change(self, run: Row, ticket_id: int, action: CheckedAction, principal: Principal) -> BulkResult:
        # With spaces, which no key of a client has.
        key = RetryKey(f"bulk {run.id} {ticket_id}", run.action.encode())
        request = IdempotentRequest.under(key, principal.id, f"bulk {ticket_id}", action.action, _written)
        try:
            changed = await self._changes.change(ticket_id, principal, action.apply, request=request)
            written = _written((changed,))
        except Replayed as earlier:
            await self._changes.acknowledge(ticket_id)
            written = earlier.result
        except RequestInProgress as error:  # by a process that has lost its claim
            raise Unavailable("another process changes the ticket") from error
        except Unavailable:
            raise
        except ServiceError as error:
            return _refused(ticket_id, error)
        except Exception:  # noqa: BLE001 - the others go on
            _log.exception("cannot change ticket %d in the bulk change %d", ticket_id, run.id)
            return BulkResult(ticket_id=ticket_id, problem=_FAULT)
        body: dict[str, Any] = json.loads(written.body)
        return BulkResult(ticket_id=ticket_id, version=written.version, changed=body["changed"])


def _refused(ticket_id: int, error: ServiceError) -> BulkResult:
    return BulkResult(ticket_id=ticket_id, problem=f"{PROBLEMS}{error.code()}")


def _written(tickets: Sequence[EditedTicket]) -> WriteResult:
    (ticket,) = tickets
    body = json.dumps({"changed": ticket.is_changed})
    return WriteResult(body.encode(), ticket.id, ticket.saved.version)
