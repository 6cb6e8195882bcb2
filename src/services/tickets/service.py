"""The ticket service: the operations on one ticket. It writes through `services.tickets.changes` alone."""

import json
from collections.abc import Sequence, Set
from functools import partial
from hashlib import sha1

from core.errors import TicketNotFound
from db.cache.ticket_cache import CacheOutcome, Stored, TicketCache
from db.postgres.database import Database
from db.postgres.statements import Row
from models import Scope
from schemas.tickets import CommentCreate, Ticket, TicketCreate, TicketDetails, TicketPatch
from services.access.email_addresses import ensure_may_write_as
from services.access.principal import Principal
from services.idempotency import IdempotentRequest, Replayed, RetryKey
from services.tickets import statements as sql
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import EDITABLE, EditedTicket
from services.tickets.ticket_status import allowed_from
from services.write_result import WriteResult


class TicketService:
    """Creates, looks up, changes and comments tickets.

    Lookups come from the cache if possible. Decisions are taken on the locked row in PostgreSQL, never on a cached
    copy. Every method also raises DatabaseUnavailable and DeadlineExceeded; those that write also raise Overloaded and
    OutcomeUnknown.
    """

    def __init__(self, database: Database, cache: TicketCache, changes: TicketChanges) -> None:
        self._database = database
        self._cache = cache
        self._changes = changes

    async def create(
        self, new: TicketCreate, principal: Principal, *, key: RetryKey | None = None
    ) -> tuple[WriteResult, bool]:
        """Create a ticket; with `key`, once. Return it as a Ticket, and whether an earlier request had created it.

        Raises InsufficientScope, Forbidden, RequestInProgress, IdempotencyKeyReused.
        """
        principal.require(Scope.WRITE)
        await ensure_may_write_as(self._database, principal, new.email)
        request = IdempotentRequest.under(key, principal.id, "create", new, _created)
        try:
            return _created(await self._changes.create(new, principal, request=request)), False
        except Replayed as earlier:
            return earlier.result, True

    async def look_up(
        self, ticket_id: int, principal: Principal, *, bypass_cache: bool = False
    ) -> tuple[Stored, CacheOutcome]:
        """Return a ticket with its latest comments, serialized as TicketDetails, and how the cache was used.

        Raises InsufficientScope, TicketNotFound.
        """
        principal.require(Scope.READ)
        if principal.requester_email is not None:
            # Before the cache is read: a ticket of another requester then takes the same time as a missing one.
            await self._ensure_visible(ticket_id, principal)
        read = self._cache.read_uncached if bypass_cache else partial(self._cache.read_through, ticket_id)
        return await read(lambda: self._load(ticket_id))

    async def change(
        self, ticket_id: int, patch: TicketPatch, principal: Principal, *, expected: Set[int] | None = None
    ) -> Ticket:
        """Edit a ticket, move it to another status, or both.

        Raises InsufficientScope, Forbidden, TicketNotFound, VersionMismatch, TicketClosed, IllegalTransition.
        """
        principal.require(Scope.WRITE)
        fields = patch.model_fields_set
        if "status" in fields:
            principal.ensure_may_set_status(patch.status)

        def edit(ticket: EditedTicket) -> None:
            if "status" in fields:
                ticket.move_to(patch.status)
            for field in fields & EDITABLE:
                ticket.edit(field, getattr(patch, field))

        changed = await self._changes.change(ticket_id, principal, edit, _expected(ticket_id, expected))
        return ticket_of(changed.saved)

    async def comment(
        self,
        ticket_id: int,
        new: CommentCreate,
        principal: Principal,
        *,
        expected: Set[int] | None = None,
        key: RetryKey | None = None,
    ) -> tuple[WriteResult, bool]:
        """Add a comment, with the transition to the status that it names; with `key`, once.

        Return it as a Comment, and whether an earlier request had added it. Raises InsufficientScope,
        Forbidden, TicketNotFound, VersionMismatch, TicketClosed, IllegalTransition, RequestInProgress,
        IdempotencyKeyReused.
        """
        principal.require(Scope.COMMENT)
        await ensure_may_write_as(self._database, principal, new.email)
        if new.status is not None:
            principal.ensure_may_set_status(new.status)
        request = IdempotentRequest.under(key, principal.id, f"comment {ticket_id}", new, _commented)

        def add(ticket: EditedTicket) -> None:
            if new.status is not None:
                ticket.move_to(new.status)
            ticket.add_comment(new)

        expected_versions = _expected(ticket_id, expected)
        try:
            ticket = await self._changes.change(ticket_id, principal, add, expected_versions, request=request)
        except Replayed as earlier:
            if principal.requester_email is not None:  # the principal may see less than when it sent the first request
                await self._ensure_visible(ticket_id, principal)
            # The process that added it may have died before it invalidated the cache; this response acknowledges it.
            await self._changes.invalidation({ticket_id: earlier.result.version}).after_commit()
            return earlier.result, True
        return _commented((ticket,)), False

    async def _ensure_visible(self, ticket_id: int, principal: Principal) -> None:
        async with self._database.reading() as connection:
            visible = await connection.one_or_none(
                sql.IS_VISIBLE, ticket_id=ticket_id, requester=principal.requester_email
            )
        if visible is None:
            raise TicketNotFound(ticket_id)

    async def _load(self, ticket_id: int) -> Stored:
        async with self._database.reading() as connection:
            row = await connection.one_or_none(sql.SELECT_DETAILS, ticket_id=ticket_id)
        if row is None:
            raise TicketNotFound(ticket_id)
        return Stored(row.version, row.body)


def lookup_schema() -> str:
    """Return a name for the form of the bodies that `look_up` returns; another form has another name."""
    form = json.dumps(TicketDetails.model_json_schema()) + sql.SELECT_DETAILS.sql
    return sha1(form.encode(), usedforsecurity=False).hexdigest()[:8]


def ticket_of(row: Row) -> Ticket:
    """Return a ticket as responses show it, made from its row."""
    return Ticket.model_validate(dict(row) | {"allowed_transitions": allowed_from(row.status)})


def _expected(ticket_id: int, versions: Set[int] | None) -> dict[int, Set[int]]:
    return {} if versions is None else {ticket_id: versions}


def _created(row: Row) -> WriteResult:
    return WriteResult(ticket_of(row).model_dump_json().encode(), row.id, row.version)


def _commented(tickets: Sequence[EditedTicket]) -> WriteResult:
    (ticket,) = tickets
    return WriteResult(ticket.comment_added.model_dump_json().encode(), ticket.id, ticket.saved.version)
