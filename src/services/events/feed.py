"""The feed: pages of the event log, from a cursor on, for what a principal may see.

A cursor is a position and the epoch of the log. A position that is below the retention, or of another epoch, cannot be
continued: the reader gets an error that has the first cursor of the log.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.errors import EventLogNotReady, EventsGone, TicketNotFound
from db.postgres.database import Database
from db.postgres.statements import Row
from models import Audience, EventKind, Scope
from schemas.cloud_events import EventKindList, StreamQuery
from services.access.principal import Principal
from services.cursors import Cursors, StoredCursors
from services.events import feed_statements as sql
from services.events.cloud_event import as_json, event_for
from services.events.event_types import EVENT_TYPES
from services.tickets.statements import IS_VISIBLE

START: Final = "start"
NOW: Final = "now"
_LIST_KEY: Final = "events"
# How many positions one statement reads if filters may hide events, and how many such statements one page takes.
WINDOW: Final = sql.MAX_WINDOW
MAX_WINDOWS: Final = 10
# A page ends after so many bytes, also if it has fewer events than its limit.
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
# The pages that streams and long polls read at once: other requests need connections, too.
MAX_READS_AT_ONCE: Final = 4

_NOT_NUMBERED: Final = "the earlier events are not numbered yet"


@dataclass(frozen=True, slots=True)
class Filters:
    """The events that a reader wants: of these types (without any: of all), and of one ticket or of all."""

    kinds: frozenset[EventKind] = frozenset()
    ticket_id: int | None = None

    def include(self, kind: EventKind) -> bool:
        """Return whether a type is among them."""
        return not self.kinds or kind in self.kinds


@dataclass(frozen=True, slots=True)
class Found:
    """An event that a reader may see."""

    position: int
    kind: EventKind
    body: bytes


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Events, the position up to which the log was read, and the state of the log."""

    items: Sequence[Found]
    position: int
    last_position: int
    epoch: str

    @property
    def has_more(self) -> bool:
        """Whether the log has later positions."""
        return self.position < self.last_position


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: a position of an epoch, or one end of the log."""

    position: int | None
    epoch: str | None
    from_start: bool = False


class EventFeed:
    """Reads the log. Every method raises InsufficientScope, EventLogNotReady and what the database raises."""

    def __init__(self, database: Database, cursors: StoredCursors) -> None:
        self._database = database
        self._cursors = cursors
        self._reads = asyncio.Semaphore(MAX_READS_AT_ONCE)

    async def page(self, query: StreamQuery, ticket_id: int | None, principal: Principal) -> bytes:
        """Return a page as JSON, of the form of EventFeedPage. Raises InvalidCursor, EventsGone, TicketNotFound."""
        return await self.as_json(await self.find(query, ticket_id, principal))

    async def find(self, query: StreamQuery, ticket_id: int | None, principal: Principal) -> FoundPage:
        """Return the page of a query. Raises InvalidCursor, EventsGone, TicketNotFound."""
        principal.require(Scope.READ)
        await self.ensure_visible(ticket_id, principal)
        start = start_of(await self._cursors.get(), query.after)
        return await self.read(start, Filters(frozenset(query.types), ticket_id), principal, query.limit)

    async def as_json(self, found: FoundPage) -> bytes:
        """Return a page as JSON, of the form of EventFeedPage."""
        return _page_of(found, await self._cursors.get())

    async def read(self, start: Start, filters: Filters, principal: Principal, limit: int) -> FoundPage:
        """Return the next events: at most `limit`, and fewer if they have many bytes. Raises EventsGone."""
        items: list[Found] = []
        size_bytes = 0
        for _ in range(MAX_WINDOWS):
            rows, end = await self._rows(start, filters, principal, limit)
            state = rows[0]
            epoch = state.epoch.hex
            self._ensure_continuous(start, state, state.start, await self._cursors.get())
            for item in _found(rows, principal.audience):
                if len(items) == limit or size_bytes >= MAX_PAGE_BYTES:
                    return FoundPage(items, items[-1].position, state.last_position, epoch)
                if filters.include(item.kind):
                    items.append(item)
                    size_bytes += len(item.body)
            start = Start(end, epoch)
            if end >= state.last_position or len(items) == limit or size_bytes >= MAX_PAGE_BYTES:
                break
        return FoundPage(items, end, state.last_position, epoch)

    async def read_in_turn(self, start: Start, filters: Filters, principal: Principal, limit: int) -> FoundPage:
        """Return the same as `read`, once fewer than MAX_READS_AT_ONCE others read so. Raises EventsGone."""
        async with self._reads:
            return await self.read(start, filters, principal, limit)

    async def locate(self, start: Start) -> FoundPage:
        """Return an empty page that ends where a reader begins. Raises EventsGone."""
        async with self._database.reading() as connection:
            state = await connection.one_or_none(sql.STATE)
        if state is None:
            raise EventLogNotReady(_NOT_NUMBERED)
        end = state.first_position - 1 if start.from_start else state.last_position
        position = end if start.position is None else start.position
        self._ensure_continuous(start, state, position, await self._cursors.get())
        return FoundPage((), position, state.last_position, state.epoch.hex)

    def types(self, principal: Principal) -> EventKindList:
        """Return the catalogue of the types."""
        principal.require(Scope.READ)
        return EVENT_TYPES

    async def ensure_visible(self, ticket_id: int | None, principal: Principal) -> None:
        """Raise TicketNotFound if there is no such ticket, or the principal may not see it."""
        if ticket_id is None:
            return
        async with self._database.reading() as connection:
            requester = principal.requester_email
            if await connection.one_or_none(IS_VISIBLE, ticket_id=ticket_id, requester=requester) is None:
                raise TicketNotFound(ticket_id)

    async def viewer_of(self, principal: Principal) -> str | None:
        """Return the key by which a requester is found among the viewers of a ticket; None for agents."""
        if principal.requester_email is None:
            return None
        async with self._database.reading() as connection:
            key: str = await connection.value(sql.KEY_OF, requester=principal.requester_email)
        return key

    async def _rows(
        self, start: Start, filters: Filters, principal: Principal, limit: int
    ) -> tuple[Sequence[Row], int]:
        """Return the next rows, and the position up to which these are all. Raises EventLogNotReady."""
        values = {"after": start.position, "from_start": start.from_start, "requester": principal.requester_email}
        is_filtered = filters.kinds or principal.requester_email is not None
        async with self._database.reading() as connection:
            if filters.ticket_id is not None:
                rows = _ready(
                    await connection.rows(sql.OF_TICKET, ticket_id=filters.ticket_id, limit=limit + 1, **values)
                )
                return rows[:limit], _end_of(rows, limit)
            size = WINDOW if is_filtered else limit
            rows = _ready(await connection.rows(sql.WINDOW, limit=size, **values))
            end = min(rows[0].start + size, rows[0].last_position)
            if principal.requester_email is not None and rows[0].last_position - end > MAX_WINDOWS * WINDOW:
                rows = _ready(await connection.rows(sql.OF_REQUESTER, limit=limit + 1, **values))
                return rows[:limit], _end_of(rows, limit)
        return rows, end

    def _ensure_continuous(self, start: Start, state: Row, position: int, cursors: Cursors) -> None:
        is_other_epoch = start.epoch is not None and start.epoch != state.epoch.hex
        is_known = state.first_position - 1 <= position <= state.last_position
        if is_other_epoch or not is_known:
            raise EventsGone(seal(cursors, state.first_position - 1, state.epoch.hex))


def start_of(cursors: Cursors, after: str) -> Start:
    """Return where a reader begins. Raises InvalidCursor."""
    if after in {START, NOW}:
        return Start(None, None, from_start=after == START)
    epoch, position = cursors.unseal(_LIST_KEY, after)
    return Start(position, epoch)


def seal(cursors: Cursors, position: int, epoch: str) -> str:
    """Return the cursor of a position."""
    return cursors.seal(_LIST_KEY, [epoch, position])


def _ready(rows: Sequence[Row]) -> Sequence[Row]:
    if not rows:
        raise EventLogNotReady(_NOT_NUMBERED)
    return rows


def _end_of(rows: Sequence[Row], limit: int) -> int:
    """Return the position up to which rows are complete that were limited to one more than `limit`."""
    last: int = rows[limit - 1].position if len(rows) > limit else rows[0].last_position
    return last


def _found(rows: Sequence[Row], audience: Audience) -> Iterator[Found]:
    for row in rows:
        if row.position is not None:
            kind, event = event_for(row, audience)
            yield Found(row.position, kind, as_json(event))


def _page_of(found: FoundPage, cursors: Cursors) -> bytes:
    next_cursor = seal(cursors, found.position, found.epoch)
    items = b",".join(item.body for item in found.items)
    has_more: Any = b"true" if found.has_more else b"false"
    return b'{"items":[%s],"next_cursor":"%s","has_more":%s}' % (items, next_cursor.encode(), has_more)
