"""The ticket service: the operations on one ticket. It writes through `services.tickets.changes` alone."""

import json
from collections.abc import Sequence, Set
from functools import partial
from hashlib import sha1

from core.errors import Fault, InvalidReference, TicketNotFound
from core.ticket_errors import ExternalIdTaken
from db.cache.stored import CacheOutcome, Stored
from db.cache.ticket_cache import TicketCache
from db.postgres.database import Database
from db.postgres.statements import Row
from models import Audience, Scope
from schemas.tickets import CommentCreate, TicketCreate, TicketDetails, TicketPatch
from services.access.email_addresses import ensure_may_write_as
from services.access.principal import Principal
from services.idempotency import IdempotentRequest, Replayed, RetryKey
from services.tickets import permissions
from services.tickets import statements as sql
from services.tickets.changes import TicketChanges, Within
from services.tickets.details_statement import SELECT_DETAILS
from services.tickets.edited_ticket import EditedTicket
from services.tickets.locked_tickets import expected_versions
from services.tickets.shown_ticket import shown_ticket
from services.tickets.working_fields import WorkingFields, ensure_complete_if_closed
from services.write_result import WriteResult


class TicketService:
    """Creates, looks up, changes and comments tickets.

    Lookups come from the cache if possible. Decisions are taken on the locked row in PostgreSQL, never on a cached
    copy. Every method also raises DatabaseUnavailable and DeadlineExceeded; those that write also raise Overloaded and
    OutcomeUnknown.
    """

    def __init__(
        self, database: Database, cache: TicketCache, changes: TicketChanges, working_fields: WorkingFields
    ) -> None:
        self._database = database
        self._cache = cache
        self._changes = changes
        self._working_fields = working_fields

    async def create(
        self, new: TicketCreate, principal: Principal, *, key: RetryKey | None = None
    ) -> tuple[WriteResult, bool]:
        """Create a ticket; with `key`, once. Return it as a Ticket, and whether an earlier request had created it.

        Raises InsufficientScope, Forbidden, InvalidFields, FieldsRequired, ExternalIdTaken, RequestInProgress,
        IdempotencyKeyReused.
        """
        principal.require(Scope.WRITE)
        await ensure_may_write_as(self._database, principal, new.email)
        shown = partial(shown_ticket, principal=principal, visible=await self._visible_keys())
        request = IdempotentRequest.under(key, principal.id, "create", new, shown)
        try:
            async with self._changes.replayed_if_refused(request):
                checked = await self._working_fields.new(new, principal)
            return shown(await self._changes.create(checked, principal, request=request)), False
        except Replayed as earlier:
            return earlier.result, True

    async def upsert(
        self, source: str, external_id: str, new: TicketCreate, principal: Principal
    ) -> tuple[WriteResult, bool]:
        """Return the ticket with this external id, and whether it existed; create it if there is none.

        Raises InsufficientScope, Forbidden, InvalidReference, InvalidFields, FieldsRequired.
        """
        permissions.ensure_may_work(principal)
        named = _named(new, source, external_id)
        shown = partial(shown_ticket, principal=principal, visible=await self._visible_keys())
        existing = await self._by_external_id(source, external_id)
        if existing is None:
            checked = await self._working_fields.new(named, principal)
            try:
                return shown(await self._changes.create(checked, principal)), False
            except ExternalIdTaken:  # by another request in this moment
                existing = await self._by_external_id(source, external_id)
        assert existing is not None  # noqa: S101 - external ids are never removed
        # The process that committed this version may not have invalidated older bodies yet.
        await self._changes.invalidation({existing.id: existing.version}).after_commit()
        return shown(existing), True

    async def look_up(
        self, ticket_id: int, principal: Principal, *, bypass_cache: bool = False
    ) -> tuple[Stored, CacheOutcome]:
        """Return a ticket with its latest comments, serialized as TicketDetails, and how the cache was used.

        Raises InsufficientScope, TicketNotFound.
        """
        principal.require(Scope.READ)
        audience = Audience.INTERNAL
        if principal.requester_email is not None:
            # Before the cache is read: a ticket of another requester then takes the same time as a missing one.
            await self._ensure_visible(ticket_id, principal)
            audience = Audience.PUBLIC
        if bypass_cache:
            stored, outcome = await self._cache.read_uncached(lambda: self._load(ticket_id))
        else:
            stored, outcome = await self._cache.read_through(ticket_id, lambda: self._load(ticket_id), audience)
        return (stored if audience is Audience.INTERNAL else stored.for_requesters), outcome

    async def change(
        self, ticket_id: int, patch: TicketPatch, principal: Principal, *, expected: Set[int] | None = None
    ) -> WriteResult:
        """Edit a ticket, move it to another status, or both; return it as a Ticket.

        Raises InsufficientScope, Forbidden, TicketNotFound, VersionMismatch, TicketClosed, IllegalTransition,
        InvalidFields, FieldsRequired.
        """
        principal.require(Scope.WRITE)
        if "status" in patch.model_fields_set:
            principal.ensure_may_set_status(patch.status)
        checked = await self._working_fields.checked(patch, principal)

        def edit(ticket: EditedTicket) -> None:
            permissions.ensure_may_edit(ticket, principal)
            checked.apply(ticket)

        changed = await self._changes.change(ticket_id, principal, edit, expected_versions(ticket_id, expected))
        return shown_ticket(changed.saved, principal, checked.fields.visible_keys)

    async def comment(
        self,
        ticket_id: int,
        new: CommentCreate,
        principal: Principal,
        *,
        expected: Set[int] | None = None,
        key: RetryKey | None = None,
        within: Within | None = None,
    ) -> tuple[WriteResult, bool]:
        """Add a comment, with the transition to the status that it names; with `key`, once.

        `within` is a step in the same transaction: that of a draft deletes it (`services.drafts.sending`). Return the
        comment as a Comment, and whether an earlier request had added it. Raises what `within` raises, and
        InsufficientScope, Forbidden, TicketNotFound, VersionMismatch, TicketClosed, IllegalTransition, FieldsRequired,
        RequestInProgress, IdempotencyKeyReused.
        """
        principal.require(Scope.COMMENT)
        if new.visibility is Audience.INTERNAL:
            permissions.ensure_is_agent(principal)
        await ensure_may_write_as(self._database, principal, new.email)
        if new.status is not None:
            principal.ensure_may_set_status(new.status)
        fields = await self._working_fields.definitions.current()
        request = IdempotentRequest.under(key, principal.id, f"comment {ticket_id}", new, _commented)

        def add(ticket: EditedTicket) -> None:
            if new.status is not None:
                ticket.move_to(new.status)
                ensure_complete_if_closed(ticket, fields, principal)
            ticket.add_comment(new)

        versions = expected_versions(ticket_id, expected)
        try:
            ticket = await self._changes.change(ticket_id, principal, add, versions, request=request, within=within)
        except Replayed as earlier:
            if principal.requester_email is not None:  # the principal may see less than when it sent the first request
                await self._ensure_visible(ticket_id, principal)
            # The process that added it may have died before it invalidated the cache; this response acknowledges it.
            await self._changes.invalidation({ticket_id: earlier.result.version}).after_commit()
            return earlier.result, True
        return _commented((ticket,)), False

    async def _by_external_id(self, source: str, external_id: str) -> Row | None:
        async with self._database.reading() as connection:
            return await connection.one_or_none(sql.BY_EXTERNAL_ID, source=source, external_id=external_id)

    async def _visible_keys(self) -> Set[str]:
        return (await self._working_fields.definitions.current()).visible_keys

    async def _ensure_visible(self, ticket_id: int, principal: Principal) -> None:
        async with self._database.reading() as connection:
            visible = await connection.one_or_none(
                sql.IS_VISIBLE, ticket_id=ticket_id, requester=principal.requester_email
            )
        if visible is None:
            raise TicketNotFound(ticket_id)

    async def _load(self, ticket_id: int) -> Stored:
        async with self._database.reading() as connection:
            row = await connection.one_or_none(SELECT_DETAILS, ticket_id=ticket_id)
        if row is None:
            raise TicketNotFound(ticket_id)
        return Stored(row.version, row.body, row.public_body)


def lookup_schema() -> str:
    """Return a name for the form of the bodies that `look_up` returns; another form has another name."""
    form = json.dumps(TicketDetails.model_json_schema()) + SELECT_DETAILS.sql
    return sha1(form.encode(), usedforsecurity=False).hexdigest()[:8]


def _commented(tickets: Sequence[EditedTicket]) -> WriteResult:
    (ticket,) = tickets
    return WriteResult(ticket.comment_added.model_dump_json().encode(), ticket.id, ticket.saved.version)


def _named(new: TicketCreate, source: str, external_id: str) -> TicketCreate:
    """Return a new ticket with the external id of the path. Raises InvalidReference if its body has another one."""
    names = {"source": source, "external_id": external_id}
    for name, value in names.items():
        if getattr(new, name) not in {None, value}:
            raise InvalidReference(Fault("must be absent, or the same as in the path", "body", name))
    return new.model_copy(update=names)
