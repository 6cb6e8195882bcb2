"""Canned replies: agents read and write those for all agents and those of their groups, and admins all."""

from collections.abc import Mapping, Set
from typing import Any, Final

from core.desk_errors import CannedReplyNotFound, TooManyCannedReplies
from core.errors import AlreadyExists, Fault, Forbidden, InvalidReference, TicketNotFound, VersionMismatch
from db.postgres.database import Database
from db.postgres.failures import raised_for_duplicates
from db.postgres.session import Session
from db.postgres.statements import Row, Statement
from models import Scope
from schemas.canned_replies import (
    VARIABLE,
    CannedRepliesQuery,
    CannedReply,
    CannedReplyCreate,
    CannedReplyPage,
    CannedReplyPatch,
    RenderedReply,
)
from services.access.principal import Principal
from services.canned import statements as sql
from services.cursors import StoredCursors

MAX_REPLIES: Final = 1_000


class CannedReplies:
    """Reads, renders and writes canned replies.

    Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and DeadlineExceeded; those that write also
    raise OutcomeUnknown.
    """

    def __init__(self, database: Database, cursors: StoredCursors) -> None:
        self._database = database
        self._cursors = cursors

    async def page(self, query: CannedRepliesQuery, principal: Principal) -> CannedReplyPage:
        """Return replies in the order of their shortcuts. Raises InvalidCursor."""
        _require(principal, Scope.READ)
        cursors = await self._cursors.get()
        list_key = f"canned replies {query.q}"
        after = None if query.cursor is None else cursors.unseal(list_key, query.cursor)[0]
        async with self._database.reading() as connection:
            rows = await connection.rows(
                sql.PAGE, q=query.q or None, after=after, limit=query.limit + 1, **_caller(principal)
            )
        items = [_reply_of(row) for row in rows[: query.limit]]
        next_cursor = cursors.seal(list_key, [items[-1].shortcut]) if len(rows) > query.limit else None
        return CannedReplyPage(items=items, next_cursor=next_cursor)

    async def find(self, reply_id: int, principal: Principal) -> CannedReply:
        """Return a reply. Raises CannedReplyNotFound."""
        _require(principal, Scope.READ)
        async with self._database.reading() as connection:
            return await _found(connection, sql.FIND, reply_id, principal)

    async def rendered(self, reply_id: int, ticket_id: int, principal: Principal) -> RenderedReply:
        """Return the text of a reply for a ticket. Raises CannedReplyNotFound, TicketNotFound."""
        reply = await self.find(reply_id, principal)
        async with self._database.reading() as connection:
            row = await connection.one_or_none(sql.VALUES, ticket_id=ticket_id, caller=principal.id)
        if row is None:
            raise TicketNotFound(ticket_id)
        return rendered(reply.text, dict(row))

    async def create(self, new: CannedReplyCreate, principal: Principal) -> CannedReply:
        """Create a reply. Raises AlreadyExists, InvalidReference, TooManyCannedReplies."""
        _require(principal, Scope.WRITE)
        with raised_for_duplicates(sql.UNIQUE_SHORTCUT, lambda: AlreadyExists("shortcut")):
            async with self._database.transaction() as connection:
                await connection.run(sql.LOCK)
                if await connection.value(sql.COUNT) >= MAX_REPLIES:
                    raise TooManyCannedReplies
                await _ensure_may_use(connection, new.group_id, principal)
                row = await connection.one(sql.CREATE, **new.model_dump())
        return _reply_of(row)

    async def change(
        self, reply_id: int, patch: CannedReplyPatch, principal: Principal, *, expected: Set[int] | None = None
    ) -> CannedReply:
        """Change a reply; without any difference makes no version.

        Raises CannedReplyNotFound, VersionMismatch, AlreadyExists, InvalidReference.
        """
        changes = {name: getattr(patch, name) for name in patch.model_fields_set}
        with raised_for_duplicates(sql.UNIQUE_SHORTCUT, lambda: AlreadyExists("shortcut")):
            async with self._database.transaction() as connection:
                reply = await _locked(connection, reply_id, principal, expected)
                present = {name: getattr(reply, name) for name in sql.SETTINGS}
                if present | changes == present:
                    return reply
                if changes.get("group_id", reply.group_id) != reply.group_id:
                    await _ensure_may_use(connection, changes["group_id"], principal)
                return _reply_of(await connection.one(sql.SAVE, id=reply_id, **(present | changes)))

    async def delete(self, reply_id: int, principal: Principal, *, expected: Set[int] | None = None) -> CannedReply:
        """Delete a reply, and return it as it was. Raises CannedReplyNotFound, VersionMismatch."""
        async with self._database.transaction() as connection:
            reply = await _locked(connection, reply_id, principal, expected)
            await connection.run(sql.DELETE, id=reply_id)
        return reply


def rendered(text: str, values: Mapping[str, Any]) -> RenderedReply:
    """Return a text with the values of its variables, by name; None is no value.

    What a value contains stays as it is.
    """
    missing = {name: None for name in VARIABLE.findall(text) if values[name] is None}
    replaced = VARIABLE.sub(lambda found: "" if values[found[1]] is None else str(values[found[1]]), text)
    return RenderedReply(text=replaced, missing=list(missing))


async def _locked(connection: Session, reply_id: int, principal: Principal, expected: Set[int] | None) -> CannedReply:
    _require(principal, Scope.WRITE)
    reply = await _found(connection, sql.LOCKED, reply_id, principal)
    if expected is not None and reply.version not in expected:
        raise VersionMismatch(reply.version)
    return reply


async def _ensure_may_use(connection: Session, group_id: int | None, principal: Principal) -> None:
    """Raise Forbidden unless the principal is an admin or a member of the group; InvalidReference without the group."""
    if group_id is None:
        return
    group = await connection.one_or_none(sql.MAY_USE_GROUP, id=group_id, **_caller(principal))
    if group is None or not group.active:
        raise InvalidReference(Fault("must be the id of an active group", "body", "group_id"))
    if not group.may_use:
        raise Forbidden("only members of the group write its canned replies")


async def _found(connection: Session, statement: Statement, reply_id: int, principal: Principal) -> CannedReply:
    row = await connection.one_or_none(statement, id=reply_id, **_caller(principal))
    if row is None:
        raise CannedReplyNotFound
    return _reply_of(row)


def _caller(principal: Principal) -> dict[str, Any]:
    return {"caller": principal.id, "is_admin": principal.is_admin}


def _reply_of(row: Row) -> CannedReply:
    return CannedReply.model_validate(dict(row))


def _require(principal: Principal, scope: Scope) -> None:
    principal.require_staff()
    principal.require(scope)
