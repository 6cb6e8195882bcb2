"""The one write path: every change of tickets goes through `TicketChanges`, which holds the promises of the service.

One transaction locks the rows in ascending id, adds exactly 1 to the version of each changed ticket and appends exactly
one event for it. The cache's floor is raised before the commit and again after it, so that no read that begins after
the response is older than it. A change whose invalidation did not arrive is acknowledged after the fence of its tickets
has expired (see `db.cache.invalidation`).
"""

import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Final

from core import metrics
from core.errors import DatabaseUnavailable, TicketNotFound, VersionMismatch
from db.cache.fence_groups import FenceGroups
from db.cache.invalidation import Invalidation
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row
from models import Audience
from schemas.tickets import TicketCreate
from services.access.principal import Principal
from services.idempotency import IdempotentRequest, RequestsInProgress
from services.tickets import statements as sql
from services.tickets.change_purpose import SET_PURPOSE, ChangePurpose
from services.tickets.commit_signal import CommitSignal
from services.tickets.locked_ticket import LockedTicket
from services.tickets.writer_queue import WriterQueue

# The cache's floor lives 30 s. A commit that comes later than this after the floor was raised might outlive it.
COMMIT_WITHIN_S: Final = 10

_NONE_EXPECTED: Final[Mapping[int, Set[int]]] = MappingProxyType({})


class TicketChanges:
    """Creates and changes tickets; features that write to tickets call it, and nothing else writes to them.

    `committed` wakes the tasks of this process that wait for changes.
    """

    def __init__(self, database: Database, cache: TicketCache, groups: FenceGroups) -> None:
        self._database = database
        self._cache = cache
        self._groups = groups
        self._queue = WriterQueue()
        self._in_progress = RequestsInProgress()
        self.committed = CommitSignal()

    async def create(
        self,
        new: TicketCreate,
        principal: Principal,
        *,
        request: IdempotentRequest | None = None,
    ) -> Row:
        """Insert a ticket and its first event, and return its row; with `request`, once.

        Raises DatabaseUnavailable, OutcomeUnknown, and for `request` Replayed, RequestInProgress, IdempotencyKeyReused.
        """
        values = {sql.field_parameter(name): value for name, value in new.model_dump().items()}
        values |= {"actor": principal.id}
        if request is None:
            row = await self._database.write(sql.CREATE, **values)
        else:
            with self._in_progress.only(request):
                async with self._database.transaction() as connection:
                    await request.begin(connection)
                    row = await connection.one(sql.CREATE, **values)
                    await request.end(connection, row)
        metrics.tickets_created.inc()
        self.committed.notify()
        return row

    @asynccontextmanager
    async def changing(
        self,
        ticket_ids: Iterable[int],
        principal: Principal,
        expected: Mapping[int, Set[int]] = _NONE_EXPECTED,
        *,
        audience: Audience = Audience.PUBLIC,
        purpose: ChangePurpose | None = None,
        request: IdempotentRequest | None = None,
    ) -> AsyncIterator[tuple[LockedTicket, ...]]:
        """Yield tickets, locked, in ascending id; save and commit their changes when the block ends without an error.

        `expected` maps ids to the versions that the caller accepts. Each changed ticket gets one version and one event
        for `audience`. `purpose` permits what is otherwise final. `request` is carried out once: its result, made from
        the saved tickets, is stored in the same transaction.

        Raises TicketNotFound, also for a ticket that the principal may not see, VersionMismatch, Overloaded,
        DeadlineExceeded, DatabaseUnavailable, OutcomeUnknown, and for `request` Replayed, RequestInProgress,
        IdempotencyKeyReused.
        """
        ids = sorted(set(ticket_ids))
        invalidation: Invalidation | None = None
        with self._in_progress.only(request):
            try:
                async with self._queue.turn(ids), self._database.transaction() as connection:
                    if request is not None:
                        await request.begin(connection)
                    tickets = await self._lock(connection, ids, principal, expected, purpose)
                    yield tickets
                    changed = [ticket for ticket in tickets if ticket.is_changed]
                    if changed:
                        invalidation = self.invalidation({ticket.id: ticket.version + 1 for ticket in changed})
                        await self._save(connection, changed, principal, audience, invalidation)
                    if request is not None:
                        await request.end(connection, tickets)
            except BaseException:
                # Also when the outcome of the commit is unknown. If nothing was committed, the floor does no harm.
                if invalidation is not None:
                    await invalidation.after_failure()
                raise
            if invalidation is not None:
                await invalidation.after_commit()
            # The response acknowledges these versions too. The process that committed one may not have invalidated yet,
            # and may have died before it did. This drops a body of the same version, which may be one of a lost commit.
            if unchanged := {ticket.id: ticket.version for ticket in tickets if not ticket.is_changed}:
                await self.invalidation(unchanged).after_commit()
        self._count(changed)

    def invalidation(self, floors: Mapping[int, int]) -> Invalidation:
        """Return the invalidation of a change that commits these versions, by ticket id."""
        return Invalidation(self._cache, self._groups, floors)

    async def _lock(
        self,
        connection: Session,
        ids: Sequence[int],
        principal: Principal,
        expected: Mapping[int, Set[int]],
        purpose: ChangePurpose | None,
    ) -> tuple[LockedTicket, ...]:
        if purpose is not None:
            await connection.run(SET_PURPOSE, purpose=purpose)
        rows = await connection.rows(sql.LOCK, ticket_ids=ids, requester=principal.requester_email)
        found = {row.id for row in rows}
        for ticket_id in ids:
            if ticket_id not in found:
                raise TicketNotFound(ticket_id)
        for row in rows:
            if row.id in expected and row.version not in expected[row.id]:
                raise VersionMismatch(row.version)
        return tuple(LockedTicket(row, purpose) for row in rows)

    async def _save(
        self,
        connection: Session,
        changed: Sequence[LockedTicket],
        principal: Principal,
        audience: Audience,
        invalidation: Invalidation,
    ) -> None:
        await invalidation.before_commit(connection)
        floors_raised_at = time.monotonic()
        for ticket in changed:
            statement = sql.save_statement(ticket.changed_fields, adds_comment=ticket.adds_comment)
            ticket.saved = await connection.one(statement, **ticket.save_parameters(principal.id, audience))
        if time.monotonic() - floors_raised_at > COMMIT_WITHIN_S:
            raise DatabaseUnavailable("the change took too long to be committed safely")

    def _count(self, changed: Sequence[LockedTicket]) -> None:
        if not changed:
            return
        for ticket in changed:
            if ticket.transition is not None:
                metrics.transitions.labels(*ticket.transition).inc()
        self.committed.notify()
