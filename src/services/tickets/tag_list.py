"""The tags of all tickets: agents list them, admins rename and merge them."""

from typing import Final

from sqlalchemy import BigInteger, ColumnElement, Integer, Text, bindparam, func, literal_column, select, true

from core.ticket_errors import TooManyTickets
from db.postgres.database import Database
from db.postgres.statements import Statement, constant
from models import Scope
from schemas.tags import MAX_TAG_COUNT, TagCount, TagPage, TagRename, TagRenamed, TagsQuery
from services.access.principal import Principal
from services.cursors import StoredCursors
from services.tickets.batches import has_little_time
from services.tickets.change_purpose import ChangePurpose
from services.tickets.changes import TicketChanges
from services.tickets.facet_values import LAST_CHARACTER, facet_values, facets

# Renaming a tag of more tickets is the work of a job.
MAX_RENAMED: Final = 10_000
BATCH: Final = 50

_PREFIX: Final = "tag:"
_ONE: Final[ColumnElement[int]] = literal_column("1")


def _page_of_tags() -> Statement:
    """Return the statement of a page: each tag with the number of its tickets, which is at most one more than shown."""
    tags = facet_values(bindparam("limit", type_=Integer))
    of_tag = select(_ONE.label("one")).where(facets.c.facet == tags.c.facet)
    counted = of_tag.limit(literal_column(str(MAX_TAG_COUNT + 1))).correlate(tags).lateral("counted")
    count = select(func.count().label("tickets")).select_from(counted).correlate(tags).lateral("of_tag")
    return Statement(select(tags.c.facet, count.c.tickets).select_from(tags.join(count, true())).order_by(tags.c.facet))


_PAGE_OF_TAGS: Final = _page_of_tags()
_OF_TAG: Final = facets.c.facet == constant(_PREFIX).op("||")(bindparam("tag", type_=Text))
_counted: Final = (
    select(_ONE.label("one")).where(_OF_TAG).limit(literal_column(str(MAX_RENAMED + 1))).subquery("counted")
)
_COUNT: Final = Statement(select(func.count()).select_from(_counted))
_NEXT: Final = Statement(
    select(facets.c.ticket_id)
    .where(_OF_TAG, facets.c.ticket_id > bindparam("after", type_=BigInteger))
    .order_by(facets.c.ticket_id)
    .limit(literal_column(str(BATCH)))
)


class TagList:
    """Lists and renames tags. Every method raises InsufficientScope, Forbidden and what the database raises."""

    def __init__(self, database: Database, changes: TicketChanges, cursors: StoredCursors) -> None:
        self._database = database
        self._changes = changes
        self._cursors = cursors

    async def page(self, query: TagsQuery, principal: Principal) -> TagPage:
        """Return tags in order, each with the approximate number of its tickets. Raises InvalidCursor."""
        principal.require_staff()
        principal.require(Scope.READ)
        cursors = await self._cursors.get()
        list_key = f"tags {query.prefix}"
        (after,) = ("",) if query.cursor is None else cursors.unseal(list_key, query.cursor)
        first = _PREFIX + query.prefix
        async with self._database.reading() as connection:
            rows = await connection.rows(
                _PAGE_OF_TAGS, first=first, after=after, last=first + LAST_CHARACTER, limit=query.limit + 1
            )
        shown = rows[: query.limit]
        next_cursor = cursors.seal(list_key, [shown[-1].facet]) if len(rows) > query.limit else None
        return TagPage(items=[_count_of(row.facet, row.tickets) for row in shown], next_cursor=next_cursor)

    async def rename(self, rename: TagRename, principal: Principal) -> TagRenamed:
        """Give the tickets of a tag another tag in its place, closed ones too, each as one change.

        Raises TooManyTickets.
        """
        principal.require_admin()
        async with self._database.reading() as connection:
            if await connection.value(_COUNT, tag=rename.old) > MAX_RENAMED:
                raise TooManyTickets
        count, last_id = 0, 0
        while rename.old != rename.new and (ids := await self._next(rename.old, last_id)):
            count += await self._rename(ids, rename, principal)
            last_id = ids[-1]
            if has_little_time():
                break
        is_complete = rename.old == rename.new or not await self._next(rename.old, 0)
        return TagRenamed(renamed=count, is_complete=is_complete)

    async def _next(self, tag: str, after: int) -> list[int]:
        async with self._database.reading() as connection:
            return [row.ticket_id for row in await connection.rows(_NEXT, tag=tag, after=after)]

    async def _rename(self, ids: list[int], rename: TagRename, principal: Principal) -> int:
        count = 0
        async with self._changes.changing(ids, principal, purpose=ChangePurpose.RENAME_TAG) as tickets:
            for ticket in tickets:
                tags = set(ticket["tags"])
                if rename.old in tags:  # another request may have removed it in the meantime
                    ticket.edit("tags", sorted(tags - {rename.old} | {rename.new}))
                    count += 1
        return count


def _count_of(facet: str, tickets: int) -> TagCount:
    tag = facet.removeprefix(_PREFIX)
    if tickets > MAX_TAG_COUNT:
        return TagCount(tag=tag, more_than=MAX_TAG_COUNT)
    return TagCount(tag=tag, count=tickets)
