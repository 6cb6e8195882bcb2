"""The numbers of tickets by the values of a field: each is exact up to a limit, so that its cost is bounded."""

import asyncio
from functools import lru_cache
from typing import Final

from sqlalchemy import ColumnElement, func, literal_column, select

from core.errors import Forbidden, SearchTimeout
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Statement
from models import Priority, Scope, TicketStatus
from schemas.counts import MAX_COUNT, MAX_VALUES, CountsQuery, TicketCount, TicketCounts
from schemas.lists import TicketFilters
from services.access.principal import Principal
from services.fields.definitions import FieldDefinitions, FieldSet
from services.tickets.facet_values import LAST_CHARACTER, facet_values
from services.tickets.list_filters import NONE, ListFilters, list_filters
from services.tickets.page_shape import PageShape
from services.tickets.pages import MAX_PAGE_STATEMENTS, rows_of_tickets

_LIMIT: Final[ColumnElement[int]] = literal_column(str(MAX_VALUES + 1))
_values: Final = facet_values(_LIMIT)
_VALUES: Final = Statement(select(_values.c.facet))
# For all values of a field together.
MAX_TIME_S: Final = 2.0
_OF_REQUESTERS: Final = frozenset({"status", "priority"})


class TicketCounter:
    """Counts tickets. Every method raises DatabaseUnavailable and DeadlineExceeded."""

    def __init__(self, database: Database, definitions: FieldDefinitions) -> None:
        self._database = database
        self._definitions = definitions

    async def count(self, query: CountsQuery, principal: Principal) -> TicketCounts:
        """Return the numbers of tickets that match the filters, by the values of a field.

        Raises InsufficientScope, Forbidden, InvalidFields, SearchTimeout.
        """
        principal.require(Scope.READ)
        if principal.requester_email is not None and query.by not in _OF_REQUESTERS:
            raise Forbidden(f"a requester may not count by {query.by}")
        fields = await self._definitions.current() if query.custom else None
        loop = asyncio.get_running_loop()
        async with self._database.searching() as connection:
            ends_at = loop.time() + MAX_TIME_S
            values = await _values_of(connection, query, principal)
            counted = values[:MAX_VALUES]
            counts = []
            for value in counted:
                if loop.time() > ends_at:  # the timeout of the connection is that of one statement
                    raise SearchTimeout
                counts.append(await _count(connection, query, value, principal, fields))
        shown = [count for count in counts if count.count != 0]
        return TicketCounts(by=query.by, counts=shown, truncated=len(values) > MAX_VALUES)

    async def filters(self, query: TicketFilters, principal: Principal) -> ListFilters:
        """Return the filters of a query. Raises Forbidden, InvalidFields."""
        return list_filters(query, principal, await self._definitions.current() if query.custom else None)

    async def matching(self, query: TicketFilters, principal: Principal, *, most: int = MAX_COUNT) -> int:
        """Return the number of tickets that match the filters, up to `most + 1`.

        Raises InsufficientScope, Forbidden, InvalidFields, SearchTimeout.
        """
        principal.require(Scope.READ)
        filters = await self.filters(query, principal)
        async with self._database.searching() as connection:
            return await _number(connection, filters, most)

    async def ids(self, query: TicketFilters, principal: Principal, *, after: int, limit: int) -> list[int]:
        """Return the ids of tickets that match the filters, after an id, in ascending order.

        Raises InsufficientScope, Forbidden, InvalidFields, SearchTimeout.
        """
        principal.require(Scope.READ)
        filters = await self.filters(query, principal)
        shape = PageShape(
            "id", is_descending=False, is_first=False, filters=frozenset(filters.values), driving=filters.driving
        )
        async with self._database.searching() as connection:
            rows = await connection.rows(_ids_statement(shape), after_id=after, limit=limit, **filters.parameters)
        return [row.id for row in rows]


async def _values_of(connection: Session, query: CountsQuery, principal: Principal) -> list[str]:
    """Return the values to count: those that the query filters by, or all of the field; `none` for none."""
    if query.by == "status":
        return [str(each) for each in query.status or TicketStatus]
    if query.by == "priority":
        return [str(each) for each in query.priority or Priority]
    if query.by != "tag" and (wanted := getattr(query, query.by)):
        return list(dict.fromkeys(principal.id if each == "me" else each for each in wanted))
    prefix = f"{query.by}:"
    rows = await connection.rows(_VALUES, first=prefix, after="", last=prefix + LAST_CHARACTER)
    found = [row.facet.removeprefix(prefix) for row in rows]
    return found if query.by == "tag" else [NONE, *found]


async def _count(
    connection: Session, query: CountsQuery, value: str, principal: Principal, fields: FieldSet | None
) -> TicketCount:
    """Return the number of tickets with a value, which replaces the query's own filter by this field."""
    wanted = [*query.tag, value] if query.by == "tag" else [value]
    filters = list_filters(query.model_copy(update={query.by: wanted}), principal, fields)
    count = await _number(connection, filters, MAX_COUNT)
    shown = _shown(query, value)
    return TicketCount(value=shown, more_than=MAX_COUNT) if count > MAX_COUNT else TicketCount(value=shown, count=count)


async def _number(connection: Session, filters: ListFilters, most: int) -> int:
    """Return the number of tickets, up to `most + 1`."""
    shape = PageShape(
        "id", is_descending=True, is_first=True, filters=frozenset(filters.values), driving=filters.driving
    )
    count: int = await connection.value(_count_statement(shape), limit=most + 1, **filters.parameters)
    return count


def _shown(query: CountsQuery, value: str) -> str | int | None:
    if value == NONE:
        return None
    if query.by == "group":
        return int(value)
    return value


@lru_cache(maxsize=MAX_PAGE_STATEMENTS)
def _count_statement(shape: PageShape) -> Statement:
    rows = rows_of_tickets(shape, with_columns=False).subquery("counted")
    return Statement(select(func.count()).select_from(rows))


@lru_cache(maxsize=MAX_PAGE_STATEMENTS)
def _ids_statement(shape: PageShape) -> Statement:
    rows = rows_of_tickets(shape, with_columns=False).subquery("found")
    return Statement(select(rows.c.id).order_by(rows.c.id))
