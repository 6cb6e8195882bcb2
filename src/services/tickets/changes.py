"""The one write path: every change of tickets goes through `TicketChanges`, which holds the promises of the service.

One transaction adds exactly 1 to the version of each changed ticket and appends exactly one event for it. The cache's
floor is raised before the commit and again after it, so that no read that begins after the response is older than it. A
change whose invalidation did not arrive is acknowledged after the fence of its tickets has expired (see
`db.cache.invalidation`).

A change of one ticket is decided on a row that was read without a lock, and is saved only if the ticket still has that
version. This takes one statement instead of a transaction of four. If the version has changed, or the cache's floor
could not be raised, the change is decided again on the locked row. So is one in which a rule assigns the ticket or adds
an internal note, which is a version of its own in the same transaction.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager, suppress

from core import metrics
from core.errors import ServiceError, Unavailable
from core.ticket_errors import ExternalIdTaken
from db.cache.fence_groups import FenceGroups
from db.cache.invalidation import Invalidation
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database, Decision
from db.postgres.failures import raised_for_duplicates
from db.postgres.session import Session
from db.postgres.statements import Row
from services.access.principal import Principal
from services.automation.assigning import insert
from services.automation.completion import complete, completed, has_calendars
from services.automation.rule_actions import apply_rules, with_rules
from services.automation.settings import AutomationDefinitions, AutomationSettings
from services.idempotency import IdempotentRequest, RequestsInProgress
from services.tickets import statements as sql
from services.tickets.change_purpose import ChangePurpose
from services.tickets.commit_signal import CommitSignal
from services.tickets.edited_ticket import EditedTicket, LockedTickets
from services.tickets.locked_tickets import EXTERNAL_IDS, NONE_EXPECTED, found, lock, save, saving
from services.tickets.new_ticket import NewTicket
from services.tickets.writer_queue import WriterQueue

Decide = Callable[[EditedTicket], None]
Within = Callable[[Session, EditedTicket], Awaitable[None]]
"""A step in the transaction of a change, on its connection, after the change was decided; it may refuse the change."""


class _NeedsLock(Exception):
    """The change was not saved, and must be decided on the locked row."""


class TicketChanges:
    """Creates and changes tickets; features that write to tickets call it, and nothing else writes to them.

    `committed` wakes the tasks of this process that wait for changes.
    """

    def __init__(
        self, database: Database, cache: TicketCache, groups: FenceGroups, automation: AutomationDefinitions
    ) -> None:
        self._database = database
        self._cache = cache
        self._groups = groups
        self._automation = automation
        self._queue = WriterQueue()
        self._in_progress = RequestsInProgress()
        self.committed = CommitSignal()

    async def create(
        self,
        new: NewTicket,
        principal: Principal,
        *,
        request: IdempotentRequest | None = None,
    ) -> Row:
        """Insert a ticket and its first event, and return its row; with `request`, once.

        Raises ExternalIdTaken, DatabaseUnavailable, OutcomeUnknown, and for `request` Replayed, RequestInProgress,
        IdempotencyKeyReused.
        """
        settings = await self._automation.current()
        new = with_rules(new, settings.rules)
        with raised_for_duplicates(EXTERNAL_IDS, ExternalIdTaken), self._in_progress.only(request):
            if request is None and not new.steps.need_transaction:
                async with self._database.deciding() as decision:
                    statement, values = (await completed(new, settings, decision.read)).saving(principal.id)
                    row = await decision.create(statement, **values)
            else:
                async with self._database.transaction() as connection:
                    if request is not None:
                        await request.begin(connection)
                    row = await insert(connection, await completed(new, settings, connection.one), principal.id)
                    if request is not None:
                        await request.end(connection, row)
        metrics.tickets_created.inc()
        self.committed.notify()
        return row

    async def change(
        self,
        ticket_id: int,
        principal: Principal,
        decide: Decide,
        expected: Mapping[int, Set[int]] = NONE_EXPECTED,
        *,
        request: IdempotentRequest | None = None,
        within: Within | None = None,
    ) -> EditedTicket:
        """Change one ticket as `decide` decides, which is called again if the ticket changes meanwhile; return it.

        Raises what `decide` and `within` raise, and what `changing` raises.
        """
        if request is None and within is None:
            with suppress(_NeedsLock):
                return await self._change_unlocked(ticket_id, principal, decide, expected)
        changing = self.changing([ticket_id], principal, expected, request=request, has_rules=True)
        async with changing as tickets:
            (ticket,) = tickets
            decide(ticket)
            if within is not None:
                await within(tickets.connection, ticket)
        return ticket

    @asynccontextmanager
    async def replayed_if_refused(self, request: IdempotentRequest | None) -> AsyncIterator[None]:
        """Check a request in the block. If it is refused, but was carried out before, its result counts.

        A rule may have changed since. Raises what the block raises, and Replayed, RequestInProgress,
        IdempotencyKeyReused.
        """
        try:
            yield
        except Unavailable:
            raise
        except ServiceError:
            if request is not None:
                with self._in_progress.only(request):
                    async with self._database.transaction() as connection:
                        await request.begin(connection)
            raise

    @asynccontextmanager
    async def changing(
        self,
        ticket_ids: Iterable[int],
        principal: Principal,
        expected: Mapping[int, Set[int]] = NONE_EXPECTED,
        *,
        purpose: ChangePurpose | None = None,
        request: IdempotentRequest | None = None,
        has_rules: bool = False,
    ) -> AsyncIterator[LockedTickets]:
        """Yield tickets, locked, in ascending id; save and commit their changes when the block ends without an error.

        `expected` maps ids to the versions that the caller accepts. Each changed ticket gets one version and one event.
        `purpose` permits what is otherwise final. `request` is carried out once: its result, made from the saved
        tickets, is stored in the same transaction. With `has_rules`, rules apply to the changes; to follow-ups always.

        Raises TicketNotFound, also for a ticket that the principal may not see, VersionMismatch, Overloaded,
        DeadlineExceeded, DatabaseUnavailable, OutcomeUnknown, and for `request` Replayed, RequestInProgress,
        IdempotencyKeyReused; for a follow-up ExternalIdTaken.
        """
        ids = sorted(set(ticket_ids))
        settings = await self._automation.current()
        invalidation: Invalidation | None = None
        with self._in_progress.only(request):
            try:
                async with self._queue.turn(ids), self._database.transaction() as connection:
                    if request is not None:
                        await request.begin(connection)
                    tickets = await lock(connection, ids, principal, expected, purpose)
                    yield LockedTickets(tickets, connection)
                    settings = await self._with_calendars(settings, tickets)
                    for ticket in tickets:
                        if has_rules:
                            apply_rules(ticket, settings.rules, principal)
                        complete(ticket, settings, principal)
                    changed = [ticket for ticket in tickets if ticket.is_changed]
                    if changed:
                        invalidation = self.invalidation({ticket.id: ticket.next_version for ticket in changed})
                        await save(connection, changed, principal, invalidation, settings)
                    if request is not None:
                        await request.end(connection, tickets)
            except BaseException:
                # Also when the outcome of the commit is unknown. If nothing was committed, the floor does no harm.
                if invalidation is not None:
                    await invalidation.after_failure()
                raise
            await self._complete(tickets, invalidation)

    async def acknowledge(self, ticket_id: int) -> None:
        """Invalidate bodies of a ticket that are older than it is now: a replay acknowledges its last change.

        The process that made the change may have died before it invalidated the cache.
        """
        async with self._database.reading() as connection:
            row = await connection.one_or_none(sql.READ, ticket_id=ticket_id, requester=None)
        if row is not None:
            await self.invalidation({ticket_id: row.version}).after_commit()

    def invalidation(self, floors: Mapping[int, int]) -> Invalidation:
        """Return the invalidation of a change that commits these versions, by ticket id."""
        return Invalidation(self._cache, self._groups, floors)

    async def _change_unlocked(
        self, ticket_id: int, principal: Principal, decide: Decide, expected: Mapping[int, Set[int]]
    ) -> EditedTicket:
        """Change one ticket without a lock. Raises _NeedsLock if it was not saved."""
        settings = await self._automation.current()
        invalidation: Invalidation | None = None
        try:
            async with self._queue.turn([ticket_id]), self._database.deciding() as decision:
                row = await decision.read(sql.READ, ticket_id=ticket_id, requester=principal.requester_email)
                (ticket,) = found([ticket_id], [] if row is None else [row], expected)
                decide(ticket)
                settings = await self._with_calendars(settings, [ticket])
                apply_rules(ticket, settings.rules, principal)
                complete(ticket, settings, principal)
                if ticket.is_changed:
                    invalidation = self.invalidation({ticket_id: ticket.version + 1})
                    await self._save_unlocked(decision, ticket, principal, invalidation)
        except _NeedsLock:
            raise
        except BaseException:
            if invalidation is not None:
                await invalidation.after_failure()
            raise
        await self._complete([ticket], invalidation)
        return ticket

    async def _with_calendars(
        self, settings: AutomationSettings, tickets: Iterable[EditedTicket]
    ) -> AutomationSettings:
        """Return settings with the calendars of the clocks of tickets: another process may have made one just now."""
        if all(ticket["sla"] is None or has_calendars(ticket, settings) for ticket in tickets):
            return settings
        self._automation.forget()
        return await self._automation.current()

    async def _save_unlocked(
        self, decision: Decision, ticket: EditedTicket, principal: Principal, invalidation: Invalidation
    ) -> None:
        # A transaction has to take the steps of rules, or to mark the group of the ticket.
        if ticket.steps.need_transaction or not await invalidation.raise_floors():
            raise _NeedsLock
        statement, parameters = saving(ticket, principal)
        saved = await decision.commit(statement, **parameters)
        if saved is None:
            raise _NeedsLock
        ticket.keep(saved, saved)

    async def _complete(self, tickets: Sequence[EditedTicket], invalidation: Invalidation | None) -> None:
        """Invalidate what was committed, so that the response may acknowledge it, and count it."""
        if invalidation is not None:
            await invalidation.after_commit()
        # The response acknowledges these versions too. The process that committed one may not have invalidated yet,
        # and may have died before it did. This drops a body of the same version, which may be one of a lost commit.
        if unchanged := {ticket.id: ticket.version for ticket in tickets if not ticket.is_changed}:
            await self.invalidation(unchanged).after_commit()
        self._count([ticket for ticket in tickets if ticket.is_changed])

    def _count(self, changed: Sequence[EditedTicket]) -> None:
        if not changed:
            return
        for ticket in changed:
            if ticket.transition is not None:
                metrics.transitions.labels(*ticket.transition).inc()
        self.committed.notify()
