"""The lists: pages of tickets, of a ticket's comments, and of its history, each as dear as the first one."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, TextClause

from core.errors import InvalidCursor, TicketNotFound
from db.postgres import Database
from schemas.lists import Paging, TicketQuery
from schemas.tickets import Comment, CommentPage, Event, EventPage, TicketPage
from services import cursors
from services import ticket_statements as sql
from services.principal import Principal
from services.ticket_pages import PageShape, page_of_tickets
from services.tickets import ticket_of


class TicketLists:
    """Reads pages from PostgreSQL; a cursor is good for the list, the filters and the order it was given for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tickets(self, query: TicketQuery, who: Principal) -> TicketPage:
        """Return the tickets that `who` sees and for which every filter holds, in the order that is wanted.

        Raises InvalidCursor, SearchTimeout.
        """
        filters = query.model_dump(exclude={"limit", "cursor", "sort", "status"}, exclude_none=True)
        if who.requester is not None:
            filters["requester"] = who.requester
        column = query.sort.removeprefix("-")
        this_list = f"tickets {query.model_dump_json(exclude={'limit', 'cursor'})}"
        after_id, after_value = (None, None) if query.cursor is None else cursors.decode(this_list, query.cursor)
        if query.cursor is not None and (after_value is None) != (column == "id"):
            raise InvalidCursor
        shape = PageShape(
            column=column,
            is_descending=query.sort.startswith("-"),
            is_first=query.cursor is None,
            by_status=bool(query.status),
            filters=frozenset(filters) - {"q"},
            is_search=query.q is not None,
        )
        wanted = filters | {"status": sorted(set(query.status)), "after_id": after_id, "after_value": after_value}
        wanted |= {"limit": query.limit + 1}
        borrowed = self._database.reading() if query.q is None else self._database.searching()
        async with borrowed as connection:
            rows = (await connection.execute(page_of_tickets(shape), wanted)).all()
        page = rows[: query.limit]
        last = (page[-1].id, None if column == "id" else getattr(page[-1], column)) if page else (0, None)
        return TicketPage(
            items=[ticket_of(row) for row in page],
            next_cursor=cursors.encode(this_list, last) if len(rows) > len(page) else None,
        )

    async def comments(self, ticket_id: int, paging: Paging, who: Principal) -> CommentPage:
        """Return comments of a ticket, the oldest first. Raises TicketNotFound, InvalidCursor."""
        this_list = f"comments {ticket_id}"
        page, is_last = await self._part(sql.PAGE_OF_COMMENTS, ticket_id, this_list, paging, who)
        items = [Comment.model_validate(dict(row._mapping)) for row in page]
        return CommentPage(
            items=items, next_cursor=None if is_last else cursors.encode(this_list, (items[-1].id, None))
        )

    async def history(self, ticket_id: int, paging: Paging, who: Principal) -> EventPage:
        """Return the events of a ticket, one a version, from the first on. Raises TicketNotFound, InvalidCursor."""
        this_list = f"history {ticket_id}"
        page, is_last = await self._part(sql.PAGE_OF_EVENTS, ticket_id, this_list, paging, who)
        items = [Event.model_validate(dict(row._mapping) | {"data": json.loads(row.data)}) for row in page]
        return EventPage(
            items=items, next_cursor=None if is_last else cursors.encode(this_list, (items[-1].version, None))
        )

    async def _part(
        self, statement: TextClause, ticket_id: int, this_list: str, paging: Paging, who: Principal
    ) -> tuple[Sequence[Row[Any]], bool]:
        """Return a page of what belongs to one ticket, and whether it is the last one."""
        after, _ = (0, None) if paging.cursor is None else cursors.decode(this_list, paging.cursor)
        ticket = {"ticket_id": ticket_id, "requester": who.requester}
        wanted = ticket | {"after": after, "limit": paging.limit + 1}
        async with self._database.reading() as connection:
            rows = (await connection.execute(statement, wanted)).all()
            if not rows and (await connection.execute(sql.SEEN, ticket)).first() is None:
                raise TicketNotFound(ticket_id)
        return rows[: paging.limit], len(rows) <= paging.limit
