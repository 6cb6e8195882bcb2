"""The lists: pages of tickets, of a ticket's comments, and of its history, each as dear as the first one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from core.errors import TicketNotFound
from db.postgres.database import Database
from db.postgres.statements import Row, Statement, constant
from models import ServiceSecret, table_of
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
    """Reads pages from PostgreSQL; a cursor is good for the list, the filters and the order it was given for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known_cursors: Cursors | None = None

    async def tickets(self, query: TicketQuery, who: Principal) -> "Listed":
        """Return the tickets that `who` sees and for which every filter holds, in the order that is wanted.

        Raises InvalidCursor, SearchTimeout.
        """
        filters = _filters(query, who)
        this_list = f"tickets {query.sort} {json.dumps(_for_cursor(filters), default=str)}"
        cursors = await self._cursors()
        after = None if query.cursor is None else cursors.decode(this_list, query.cursor)
        after_id, after_value = after or (None, None)
        shape = PageShape(
            column=query.sort.removeprefix("-"),
            is_descending=query.sort.startswith("-"),
            is_first=after is None,
            filters=frozenset(filters),
        )
        wanted = filters | {"after_id": after_id, "after_value": after_value, "limit": query.limit + 1}
        borrowed = self._database.searching() if shape.is_search else self._database.reading()
        async with borrowed as connection:
            page = await connection.one(page_of_tickets(shape), **wanted)
        next_cursor = None
        if page.has_more:
            next_cursor = cursors.encode(this_list, (page.last_id, None if shape.column == "id" else page.last_value))
        body = b'{"items":[%b],"next_cursor":%b}' % (page.members or b"", json.dumps(next_cursor).encode())
        return Listed(body, next_cursor)

    async def comments(self, ticket_id: int, paging: Paging, who: Principal) -> CommentPage:
        """Return comments of a ticket, the oldest first. Raises TicketNotFound, InvalidCursor."""
        part = await self._part(sql.PAGE_OF_COMMENTS, f"comments {ticket_id}", ticket_id, paging, who)
        items = [Comment.model_validate(dict(row)) for row in part.rows]
        return CommentPage(items=items, next_cursor=part.next_cursor)

    async def history(self, ticket_id: int, paging: Paging, who: Principal) -> EventPage:
        """Return the events of a ticket, one a version, from the first on. Raises TicketNotFound, InvalidCursor."""
        part = await self._part(sql.PAGE_OF_EVENTS, f"history {ticket_id}", ticket_id, paging, who)
        items = [Event.model_validate(dict(row) | {"data": json.loads(row.data)}) for row in part.rows]
        return EventPage(items=items, next_cursor=part.next_cursor)

    async def _part(
        self, statement: Statement, this_list: str, ticket_id: int, paging: Paging, who: Principal
    ) -> "_Part":
        """Return a page of what belongs to one ticket; the first column of its rows is what they are ordered by."""
        cursors = await self._cursors()
        after, _ = (0, None) if paging.cursor is None else cursors.decode(this_list, paging.cursor)
        ticket = {"ticket_id": ticket_id, "requester": who.requester_email}
        async with self._database.reading() as connection:
            rows = await connection.rows(statement, after=after, limit=paging.limit + 1, **ticket)
            if not rows and await connection.one_or_none(sql.IS_VISIBLE, **ticket) is None:
                raise TicketNotFound(ticket_id)
        page = rows[: paging.limit]
        is_last = len(rows) == len(page)
        return _Part(page, None if is_last else cursors.encode(this_list, (page[-1][0], None)))

    async def _cursors(self) -> Cursors:
        if self._known_cursors is None:
            async with self._database.reading() as connection:
                self._known_cursors = Cursors((await connection.one(_SECRET)).secret)
        return self._known_cursors


@dataclass(frozen=True)
class Listed:
    """A page, serialized as TicketPage, and the cursor in it."""

    body: bytes
    next_cursor: str | None


@dataclass(frozen=True)
class _Part:
    """Some rows, and where the next ones are."""

    rows: Sequence[Row]
    next_cursor: str | None


def _filters(query: TicketQuery, who: Principal) -> dict[str, Any]:
    """Return the filters of a query and, for a requester, the one that restricts the list to their tickets."""
    filters = query.model_dump(exclude={"limit", "cursor", "sort"}, exclude_none=True)
    filters["status"] = sorted(set(query.status))
    if who.requester_email is not None:
        filters["requester"] = who.requester_email
    return {name: value for name, value in filters.items() if value != []}


def _for_cursor(filters: dict[str, Any]) -> dict[str, Any]:
    """Return the filters with one spelling of each address, so that a cursor stays valid for another spelling.

    This decides on no ticket: PostgreSQL compares the addresses of tickets (`services.access.email_addresses`).
    """
    return filters | {name: filters[name].casefold() for name in ("email", "requester") if name in filters}
