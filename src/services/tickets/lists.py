"""The lists: pages of tickets, of a ticket's comments, and of its history. Each page costs the same."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from core.errors import TicketNotFound
from db.postgres.database import Database
from db.postgres.statements import Row, Statement, constant
from models import Scope, ServiceSecret, table_of
from schemas.events import Event, EventPage
from schemas.lists import Paging, TicketQuery
from schemas.tickets import Comment, CommentPage
from services.access.principal import Principal
from services.cursors import Cursors
from services.tickets import statements as sql
from services.tickets.page_shape import PageShape
from services.tickets.pages import page_of_tickets

_secrets: Final = table_of(ServiceSecret)
_SECRET: Final = Statement(select(_secrets.c.secret).where(_secrets.c.name == constant("cursors")))


class TicketLists:
    """Reads pages from PostgreSQL; a cursor is valid for the list, filters and order that it was issued for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known_cursors: Cursors | None = None

    async def tickets(self, query: TicketQuery, principal: Principal) -> "SerializedPage":
        """Return the tickets that are visible to `principal` and match every filter, in the requested order.

        Raises InsufficientScope, InvalidCursor, SearchTimeout.
        """
        principal.require(Scope.READ)
        filters = _filters(query, principal)
        list_key = f"tickets {query.sort} {json.dumps(_for_cursor(filters), default=str)}"
        cursors = await self._cursors()
        after = None if query.cursor is None else cursors.decode(list_key, query.cursor)
        after_id, after_value = after or (None, None)
        shape = PageShape(
            column=query.sort.removeprefix("-"),
            is_descending=query.sort.startswith("-"),
            is_first=after is None,
            filters=frozenset(filters),
        )
        parameters = filters | {"after_id": after_id, "after_value": after_value, "limit": query.limit + 1}
        acquired = self._database.searching() if shape.is_search else self._database.reading()
        async with acquired as connection:
            page = await connection.one(page_of_tickets(shape), **parameters)
        next_cursor = None
        if page.has_more:
            next_cursor = cursors.encode(list_key, (page.last_id, None if shape.column == "id" else page.last_value))
        body = b'{"items":[%b],"next_cursor":%b}' % (page.members or b"", json.dumps(next_cursor).encode())
        return SerializedPage(body, next_cursor)

    async def comments(self, ticket_id: int, paging: Paging, principal: Principal) -> CommentPage:
        """Return comments of a ticket, the oldest first. Raises InsufficientScope, TicketNotFound, InvalidCursor."""
        principal.require(Scope.READ)
        page = await self._page(sql.PAGE_OF_COMMENTS, f"comments {ticket_id}", ticket_id, paging, principal)
        items = [Comment.model_validate(dict(row)) for row in page.rows]
        return CommentPage(items=items, next_cursor=page.next_cursor)

    async def history(self, ticket_id: int, paging: Paging, principal: Principal) -> EventPage:
        """Return the visible events of a ticket, the oldest first.

        Raises InsufficientScope, TicketNotFound, InvalidCursor.
        """
        principal.require(Scope.READ)
        page = await self._page(sql.PAGE_OF_EVENTS, f"history {ticket_id}", ticket_id, paging, principal)
        items = [Event.model_validate(dict(row) | {"data": json.loads(row.data)}) for row in page.rows]
        return EventPage(items=items, next_cursor=page.next_cursor)

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


def _filters(query: TicketQuery, principal: Principal) -> dict[str, Any]:
    """Return the filters of the query, and for a requester the one that restricts the list to their own tickets."""
    filters = query.model_dump(exclude={"limit", "cursor", "sort"}, exclude_none=True)
    filters["status"] = sorted(set(query.status))
    if principal.requester_email is not None:
        filters["requester"] = principal.requester_email
    return {name: value for name, value in filters.items() if value != []}


def _for_cursor(filters: dict[str, Any]) -> dict[str, Any]:
    """Return the filters with one spelling of each email address, so that a cursor is valid for every spelling.

    PostgreSQL compares the email addresses of the tickets themselves (`services.access.email_addresses`).
    """
    return filters | {name: filters[name].casefold() for name in ("email", "requester") if name in filters}
