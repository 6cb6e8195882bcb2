"""The drafts of agents and admins: each principal has at most one reply and one note on a ticket, and sees no others.

A draft is no change of its ticket. It is sent by `services.drafts.due_drafts`, or at once by a comment with the step
`services.drafts.sending.forgetting`.
"""

from typing import Any, Final

from core.desk_errors import CommentedMeanwhile, DraftBeingSent, DraftChanged, DraftNotFound
from core.errors import TicketClosed, TicketNotFound
from db.postgres.database import Database, Decision
from db.postgres.statements import Row
from models import DraftKind, Scope, TicketStatus
from schemas.drafts import Draft, DraftSave, DraftSend, ListedDraft
from services.access.principal import Principal
from services.drafts import statements as sql
from services.tickets.statements import IS_VISIBLE
from services.tickets.ticket_status import ensure_allowed

MAX_LISTED: Final = 100


class Drafts:
    """Reads and writes the drafts of the caller, an agent or admin.

    Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and DeadlineExceeded; those that write also
    raise OutcomeUnknown.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, ticket_id: int, typed: DraftSave, principal: Principal) -> Draft:
        """Store what the caller has typed, and return the stored draft: a newer one, if `typed` is older.

        Raises TicketNotFound, DraftNotFound (it was sent or discarded), DraftBeingSent.
        """
        _require_author(principal)
        async with self._database.deciding() as decision:
            row = await _write(decision, ticket_id, typed, principal)
        if row is not None:
            return _draft_of(row)
        return await self._stored(ticket_id, typed, principal)

    async def send(self, ticket_id: int, final: DraftSend, principal: Principal) -> Draft:
        """Store the final text, to be sent after its delay; the draft has `send_at` then.

        If the ticket has a public comment that is newer than the base version, a reply is stored with a refusal
        instead. Raises TicketNotFound, TicketClosed, IllegalTransition, DraftNotFound, DraftBeingSent, DraftChanged.
        """
        _require_author(principal)
        refusal = None
        async with self._database.deciding() as decision:
            await _ensure_takes_comments(decision, ticket_id, final)
            if final.kind is DraftKind.REPLY:
                found = await decision.read(sql.COMMENTED_SINCE, ticket_id=ticket_id, base_version=final.base_version)
                refusal = CommentedMeanwhile.code() if found is not None and found[0] else None
            delay_s = None if refusal else final.delay_s
            row = await _write(decision, ticket_id, final, principal, delay_s=delay_s, refusal=refusal)
        if row is None:
            await self._stored(ticket_id, final, principal)
            raise DraftChanged
        return _draft_of(row)

    async def recall(self, ticket_id: int, kind: DraftKind, principal: Principal) -> Draft:
        """Call a draft back before it is sent, and return it. Raises DraftNotFound once it was sent."""
        _require_author(principal)
        key = _key(ticket_id, kind, principal)
        async with self._database.deciding() as decision:
            row = await decision.commit(sql.RECALL, **key)
            row = row or await decision.read(sql.FIND, **key)
        if row is None:
            raise DraftNotFound
        return _draft_of(row)

    async def discard(self, ticket_id: int, kind: DraftKind, principal: Principal) -> Draft | None:
        """Delete a draft, and return it; None if there was none. Raises DraftBeingSent."""
        _require_author(principal)
        async with self._database.deciding() as decision:
            row = await decision.commit(sql.DISCARD, **_key(ticket_id, kind, principal))
            if row is None and await decision.read(sql.FIND, **_key(ticket_id, kind, principal)) is not None:
                raise DraftBeingSent
        return None if row is None else _draft_of(row)

    async def of_ticket(self, ticket_id: int, principal: Principal) -> dict[DraftKind, Draft]:
        """Return the drafts of the caller on a ticket by kind."""
        _require_reader(principal)
        async with self._database.reading() as connection:
            rows = await connection.rows(sql.OF_TICKET, ticket_id=ticket_id, principal_id=principal.id)
        return {DraftKind(row.kind): _draft_of(row) for row in rows}

    async def mine(self, principal: Principal) -> list[ListedDraft]:
        """Return the drafts of the caller, the latest first, at most 100."""
        _require_reader(principal)
        async with self._database.reading() as connection:
            rows = await connection.rows(sql.OF_PRINCIPAL, principal_id=principal.id, limit=MAX_LISTED)
        return [ListedDraft.model_validate(dict(row)) for row in rows]

    async def _stored(self, ticket_id: int, typed: DraftSave, principal: Principal) -> Draft:
        """Return the newer draft that was not replaced. Raises TicketNotFound, DraftNotFound, DraftBeingSent."""
        async with self._database.reading() as connection:
            row = await connection.one_or_none(sql.FIND, **_key(ticket_id, typed.kind, principal))
            if row is None and await connection.one_or_none(IS_VISIBLE, ticket_id=ticket_id, requester=None) is None:
                raise TicketNotFound(ticket_id)
        if row is None or typed.draft_id not in {None, row.id}:
            raise DraftNotFound
        if row.send_at is not None:
            raise DraftBeingSent
        return _draft_of(row)


async def _ensure_takes_comments(decision: Decision, ticket_id: int, final: DraftSend) -> None:
    """Refuse at once what would be refused after the delay. Raises TicketClosed, IllegalTransition."""
    ticket = await decision.read(sql.STATUS_OF, ticket_id=ticket_id)
    if ticket is not None and ticket.status == TicketStatus.CLOSED:
        raise TicketClosed(ticket_id)
    if ticket is not None and final.status is not None:
        ensure_allowed(TicketStatus(ticket.status), final.status)


async def _write(
    decision: Decision,
    ticket_id: int,
    typed: DraftSave,
    principal: Principal,
    *,
    delay_s: int | None = None,
    refusal: str | None = None,
) -> Row | None:
    """Store a draft; return None if a newer one is stored, or it is sent already."""
    values: dict[str, Any] = {"send_key": None} | typed.model_dump(exclude={"delay_s"})
    statement = sql.SAVE if typed.draft_id is None else sql.CONTINUE
    return await decision.commit(
        statement,
        **values,
        ticket_id=ticket_id,
        principal_id=principal.id,
        delay_s=None if delay_s is None else float(delay_s),
        refusal=refusal,
    )


def _key(ticket_id: int, kind: DraftKind, principal: Principal) -> dict[str, Any]:
    return {"ticket_id": ticket_id, "kind": kind, "principal_id": principal.id}


def _draft_of(row: Row) -> Draft:
    return Draft.model_validate(dict(row))


def _require_reader(principal: Principal) -> None:
    principal.require_staff()
    principal.require(Scope.READ)


def _require_author(principal: Principal) -> None:
    principal.require_staff()
    principal.require(Scope.COMMENT)
