"""The lists: pages of tickets, of a ticket's comments, and of its history. Each page costs the same."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from core.errors import TicketNotFound
from db.postgres.database import Database
from db.postgres.statements import Row, Statement, constant
from models import Scope, ServiceSecret, table_of
from schemas.events import Event, EventPage
from schemas.lists import CommentPaging, Paging, TicketQuery
from schemas.tickets import Comment, CommentPage
from services.access.principal import Principal
from services.cursors import Cursors
from services.fields.definitions import FieldDefinitions
from services.tickets import statements as sql
from services.tickets.list_filters import ensure_may_sort_by_due, list_filters
from services.tickets.page_shape import PageShape
from services.tickets.pages import page_of_tickets

_secrets: Final = table_of(ServiceSecret)
_SECRET: Final = Statement(select(_secrets.c.secret).where(_secrets.c.name == constant("cursors")))


_TIMES: Final = frozenset({"created_at", "updated_at", "due_at"})
COLUMNS: Final = {"due": "due_at"}
"""The columns of orders that have another name."""


MAX_EVENTS_AFTER: Final = 1_000


class TicketLists:
    """Reads pages from PostgreSQL; a cursor is valid for the list, filters and order that it was issued for."""

    def __init__(self, database: Database, definitions: FieldDefinitions) -> None:
        self._database = database
        self._definitions = definitions
        self._known_cursors: Cursors | None = None

    async def tickets(self, query: TicketQuery, principal: Principal) -> "SerializedPage":
        """Return the tickets that are visible to `principal` and match every filter, in the requested order.

        Raises InsufficientScope, InvalidCursor, SearchTimeout.
        """
        principal.require(Scope.READ)
        fields = await self._definitions.current() if query.custom else None
        filters = list_filters(query, principal, fields)
        if query.sort == "due":
            ensure_may_sort_by_due(principal)
        list_key = f"tickets {query.sort} {filters.list_key}"
        cursors = await self._cursors()
        after_id, after_value = (None, None) if query.cursor is None else cursors.unseal(list_key, query.cursor)
        shape = PageShape(
            column=COLUMNS.get(query.sort, query.sort.removeprefix("-")),
            is_descending=query.sort.startswith("-"),
            is_first=query.cursor is None,
            filters=frozenset(filters.values),
            driving=filters.driving,
        )
        if shape.column in _TIMES and after_value is not None:
            after_value = datetime.fromisoformat(after_value)
        parameters = filters.parameters | {"after_id": after_id, "after_value": after_value, "limit": query.limit + 1}
        acquired = self._database.searching() if shape.is_search else self._database.reading()
        async with acquired as connection:
            page = await connection.one(page_of_tickets(shape), **parameters)
        next_cursor = None
        if page.has_more:
            next_cursor = cursors.seal(list_key, [page.last_id, _sealed(shape, page.last_value)])
        body = b'{"items":[%b],"next_cursor":%b}' % (page.members or b"", json.dumps(next_cursor).encode())
        return SerializedPage(body, next_cursor)

    async def comments(self, ticket_id: int, paging: CommentPaging, principal: Principal) -> CommentPage:
        """Return comments of a ticket, the oldest first; with those of the tickets that were merged into it.

        Raises InsufficientScope, TicketNotFound, InvalidCursor.
        """
        principal.require(Scope.READ)
        with_merged = paging.include == "merged"
        statement = sql.PAGE_OF_COMMENTS_WITH_MERGED if with_merged else sql.PAGE_OF_COMMENTS
        list_key = f"comments {ticket_id}{' merged' if with_merged else ''}"
        page = await self._page(statement, list_key, ticket_id, paging, principal)
        items = [Comment.model_validate(dict(row)) for row in page.rows]
        return CommentPage(items=items, next_cursor=page.next_cursor)

    async def history(self, ticket_id: int, paging: Paging, principal: Principal) -> EventPage:
        """Return the visible events of a ticket, the oldest first.

        Raises InsufficientScope, TicketNotFound, InvalidCursor.
        """
        principal.require(Scope.READ)
        page = await self._page(sql.PAGE_OF_EVENTS, f"history {ticket_id}", ticket_id, paging, principal)
        return EventPage(items=[_event_of(row) for row in page.rows], next_cursor=page.next_cursor)

    async def events_after(self, ticket_id: int, version: int, principal: Principal) -> list[Event]:
        """Return the visible events after a version, the oldest first; of very many, the first MAX_EVENTS_AFTER.

        Raises InsufficientScope.
        """
        principal.require(Scope.READ)
        found = {"ticket_id": ticket_id, "requester": principal.requester_email, "after": version}
        async with self._database.reading() as connection:
            rows = await connection.rows(sql.PAGE_OF_EVENTS, limit=MAX_EVENTS_AFTER, **found)
        return [_event_of(row) for row in rows]

    async def _page(
        self, statement: Statement, list_key: str, ticket_id: int, paging: Paging, principal: Principal
    ) -> "_Page":
        """Return a page of a ticket's comments or events; the first column of the statement is the sort key."""
        cursors = await self._cursors()
        after, _ = (0, None) if paging.cursor is None else cursors.decode(list_key, paging.cursor)
        ticket = {"ticket_id": ticket_id, "requester": principal.requester_email}
        async with self._database.reading() as connection:
            rows = await connection.rows(statement, after=after, limit=paging.limit + 1, **ticket)
            if not rows and await connection.one_or_none(sql.IS_VISIBLE, **ticket) is None:
                raise TicketNotFound(ticket_id)
        page = rows[: paging.limit]
        is_last = len(rows) == len(page)
        return _Page(page, None if is_last else cursors.encode(list_key, (page[-1][0], None)))

    async def _cursors(self) -> Cursors:
        if self._known_cursors is None:
            async with self._database.reading() as connection:
                self._known_cursors = Cursors((await connection.one(_SECRET)).secret)
        return self._known_cursors


@dataclass(frozen=True)
class SerializedPage:
    """A page, serialized as TicketPage, and the cursor of the next page."""

    body: bytes
    next_cursor: str | None


@dataclass(frozen=True)
class _Page:
    """The rows of a page and the cursor of the next page."""

    rows: Sequence[Row]
    next_cursor: str | None


def _sealed(shape: PageShape, value: Any) -> object:  # noqa: ANN401 - of the sort column
    """Return the sort value of the last row as a cursor holds it."""
    if shape.column == "id":
        return None
    return value.isoformat() if shape.column in _TIMES else value


def _event_of(row: Row) -> Event:
    return Event.model_validate(dict(row) | {"data": _members(row)})


def _members(row: Row) -> dict[str, Any]:
    """Return the members of an event, for agents together with those that only they see."""
    members: dict[str, Any] = json.loads(row.data)
    internal: dict[str, Any] = json.loads(row.internal or "{}")
    if "custom" in members and "custom" in internal:
        internal["custom"] |= members["custom"]
    return members | internal
