"""The ticket service: everything that can be done with a ticket, and the one way it is written."""

import json
import time
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha1
from typing import Any, Final

from core import metrics
from core.errors import DatabaseUnavailable, TicketNotFound, VersionMismatch
from db.cache.ticket_cache import CacheOutcome, Stored, TicketCache
from db.postgres.database import Database
from db.postgres.statements import Row
from schemas.tickets import (
    CommentAdded,
    CommentCreate,
    Ticket,
    TicketCreate,
    TicketDetails,
    TicketPatch,
)
from services.access.principal import Principal
from services.idempotency import IdempotentRequest, Replayed
from services.tickets import statements as sql
from services.tickets.locked_ticket import LockedTicket
from services.tickets.ticket_status import allowed_from

# The cache's floor lives 30 s. A commit that comes later than this after the floor was put might outlive it.
COMMIT_WITHIN_S: Final = 10


class TicketService:
    """Reads come from the cache where they can; decisions are only taken on the locked row in PostgreSQL."""

    def __init__(self, database: Database, cache: TicketCache) -> None:
        self._database = database
        self._cache = cache

    async def create(self, new: TicketCreate, who: Principal, *, key: str | None = None) -> tuple[Ticket, bool]:
        """Open a ticket; with `key`, once. Return it, and whether that was done before.

        Raises Forbidden, RequestInProgress, IdempotencyKeyReused.
        """
        who.write_as(new.email)
        once = IdempotentRequest.under(key, who.id, "create", new)
        wanted = new.model_dump() | {"actor": who.id}
        if once is None:
            ticket = ticket_of(await self._database.write(sql.CREATE, **wanted))
        else:
            try:
                async with self._database.transaction() as connection:
                    await once.begin(connection)
                    ticket = ticket_of(await connection.one(sql.CREATE, **wanted))
                    await once.end(connection, ticket)
            except Replayed as done:
                return Ticket.model_validate_json(done.result), True
        metrics.tickets_created.inc()
        return ticket, False

    async def look_up(self, ticket_id: int, who: Principal, *, past_cache: bool = False) -> tuple[Stored, CacheOutcome]:
        """Return a ticket with its latest comments, serialized as TicketDetails, and how it was found.

        Raises TicketNotFound.
        """
        if who.requester is not None:
            # Before the cache is asked: what is foreign takes as long as what is missing, warm or not.
            await self._require_seen(ticket_id, who)
        read = self._cache.read_uncached if past_cache else partial(self._cache.read_through, ticket_id)
        return await read(lambda: self._load(ticket_id))

    async def change(
        self, ticket_id: int, patch: TicketPatch, who: Principal, *, expected: Set[int] | None = None
    ) -> Ticket:
        """Edit a ticket, move it to another status, or both.

        Raises Forbidden, TicketNotFound, VersionMismatch, TicketClosed, IllegalTransition.
        """
        if "status" in patch.model_fields_set:
            who.set_status(patch.status)
        async with self._changing(ticket_id, who, expected) as ticket:
            if "status" in patch.model_fields_set:
                ticket.move_to(patch.status)
            for field in patch.model_fields_set & {"subject", "text"}:
                ticket.edit(field, getattr(patch, field))
        return ticket_of(ticket.saved)

    async def comment(
        self,
        ticket_id: int,
        new: CommentCreate,
        who: Principal,
        *,
        expected: Set[int] | None = None,
        key: str | None = None,
    ) -> tuple[CommentAdded, bool]:
        """Add a comment, with the transition to the status it names; with `key`, once.

        Return it with the version it made, and whether that was done before. Raises Forbidden, TicketNotFound,
        VersionMismatch, TicketClosed, IllegalTransition, RequestInProgress, IdempotencyKeyReused.
        """
        who.write_as(new.email)
        if new.status is not None:
            who.set_status(new.status)
        once = IdempotentRequest.under(key, who.id, f"comment {ticket_id}", new)
        try:
            async with self._changing(ticket_id, who, expected, once) as ticket:
                if new.status is not None:
                    ticket.move_to(new.status)
                ticket.add_comment(new)
        except Replayed as done:
            added = CommentAdded.model_validate_json(done.result)
            if who.requester is not None:  # whose key it is may see less than it did
                await self._require_seen(ticket_id, who)
            # Whoever did it may have died before Redis was told, and this acknowledges it.
            await self._cache.invalidate(ticket_id, added.version)
            return added, True
        return ticket.comment_added, False

    @asynccontextmanager
    async def _changing(
        self, ticket_id: int, who: Principal, expected: Set[int] | None, once: IdempotentRequest | None = None
    ) -> AsyncIterator[LockedTicket]:
        """Lend a ticket, locked, for one change; at the end of the block the change is committed as one version.

        Every write to an existing ticket goes through here. Raises TicketNotFound, VersionMismatch, and for `once`
        Replayed, RequestInProgress, IdempotencyKeyReused.
        """
        version = None
        try:
            async with self._database.transaction() as connection:
                if once is not None:
                    await once.begin(connection)
                row = await connection.one_or_none(sql.LOCK, **_named(ticket_id, who))
                if row is None:
                    raise TicketNotFound(ticket_id)
                if expected is not None and row.version not in expected:
                    raise VersionMismatch(row.version)
                ticket = LockedTicket(row)
                yield ticket
                if not ticket.is_changed:
                    return
                version = ticket.version + 1
                await self._cache.invalidate(ticket_id, version)
                floor_put_at = time.monotonic()
                ticket.saved = await connection.one(sql.SAVE, **ticket.to_save(who.id))
                if once is not None:
                    await once.end(connection, ticket.comment_added)
                if time.monotonic() - floor_put_at > COMMIT_WITHIN_S:
                    raise DatabaseUnavailable("the change took too long to be committed safely")
            if ticket.transition is not None:
                metrics.transitions.labels(*ticket.transition).inc()
        finally:
            # Also when the commit's outcome is unknown; if nothing was committed, the floor does no harm.
            if version is not None:
                await self._cache.invalidate(ticket_id, version)

    async def _require_seen(self, ticket_id: int, who: Principal) -> None:
        async with self._database.reading() as connection:
            if await connection.one_or_none(sql.IS_VISIBLE, **_named(ticket_id, who)) is None:
                raise TicketNotFound(ticket_id)

    async def _load(self, ticket_id: int) -> Stored:
        async with self._database.reading() as connection:
            row = await connection.one_or_none(sql.SELECT_DETAILS, ticket_id=ticket_id)
        if row is None:
            raise TicketNotFound(ticket_id)
        return Stored(row.version, row.body)


def _named(ticket_id: int, who: Principal) -> dict[str, Any]:
    return {"ticket_id": ticket_id, "requester": who.requester}


def lookup_schema() -> str:
    """Return a name of the form of the bodies that `look_up` returns; another form has another name."""
    form = json.dumps(TicketDetails.model_json_schema()) + sql.SELECT_DETAILS.sql
    return sha1(form.encode(), usedforsecurity=False).hexdigest()[:8]


def ticket_of(row: Row) -> Ticket:
    """Return a ticket as the answers show it."""
    return Ticket.model_validate(dict(row) | {"allowed_transitions": allowed_from(row.status)})
