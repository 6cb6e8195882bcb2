"""The latest events of the log in memory, as streams send them."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from db.postgres.statements import Row
from models import Audience, EventKind
from services.cursors import Cursors
from services.events.cloud_event import as_json, event_for
from services.events.feed import seal

MAX_ENTRIES: Final = 8_192
MAX_BYTES: Final = 64 * 1024 * 1024
# The facts of an event after which other requesters may see the ticket than before.
_OF_VIEWERS: Final = frozenset({"participants", "email"})


@dataclass(frozen=True, slots=True)
class Frame:
    """An event as a stream sends it, and its type, for one audience."""

    kind: EventKind
    text: bytes


@dataclass(slots=True)
class Entry:
    """An event of the log, for agents and, if it is public, for the requesters whose keys are in `viewers`.

    The two frames are the same object if agents and requesters get the same facts. `changes_viewers` tells that other
    requesters may see the ticket since this event.
    """

    position: int
    ticket_id: int
    viewers: frozenset[str]
    internal: Frame
    public: Frame | None
    changes_viewers: bool = False

    @property
    def size_bytes(self) -> int:
        """The size of the frames."""
        if self.public is None or self.public is self.internal:
            return len(self.internal.text)
        return len(self.internal.text) + len(self.public.text)


class EventRing:
    """The latest entries of one epoch of the log, without gaps; `position` is the last one, None before it begins.

    It holds at most so many entries, of at most so many bytes in total, and drops the oldest ones beyond that.
    """

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self.position: int | None = None
        self.epoch = ""
        self.size_bytes = 0
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: deque[Entry] = deque()
        self._complete_after = 0

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.size_bytes = 0
        self.position = None

    def begin(self, position: int, epoch: str) -> None:
        """Begin at a position of an epoch, without entries."""
        self.clear()
        self.position = self._complete_after = position
        self.epoch = epoch

    def extend(self, entries: Sequence[Entry]) -> None:
        """Append the entries that follow the position of the ring.

        If viewers of a ticket changed, its earlier entries get those of now: the same as a page, which PostgreSQL
        compares with the ticket.
        """
        changed = {entry.ticket_id: entry.viewers for entry in entries if entry.changes_viewers}
        if changed:
            for entry in self._entries:
                entry.viewers = changed.get(entry.ticket_id, entry.viewers)
        for entry in entries:
            self._entries.append(entry)
            self.size_bytes += entry.size_bytes
            self.position = entry.position
        while len(self._entries) > self._max_entries or self.size_bytes > self._max_bytes:
            dropped = self._entries.popleft()
            self.size_bytes -= dropped.size_bytes
            self._complete_after = dropped.position

    def after(self, position: int, epoch: str) -> list[Entry] | None:
        """Return the entries after a position; None if the ring does not have all of them."""
        if self.position is None or epoch != self.epoch or position < self._complete_after:
            return None
        entries = list(takewhile(lambda entry: entry.position > position, reversed(self._entries)))
        entries.reverse()
        return entries


def entries_of(rows: Iterable[Row], cursors: Cursors, epoch: str) -> list[Entry]:
    """Return the entries of rows of the statement ENTRIES."""
    return [_entry(row, cursors, epoch) for row in rows if row.position is not None]


def _entry(row: Row, cursors: Cursors, epoch: str) -> Entry:
    cursor = seal(cursors, row.position, epoch).encode()
    kind, event = event_for(row, Audience.INTERNAL)
    internal = public = Frame(kind, frame_text(kind, as_json(event), cursor))
    if row.internal is not None and row.audience == Audience.PUBLIC:
        kind, shown = event_for(row, Audience.PUBLIC)
        public = Frame(kind, frame_text(kind, as_json(shown), cursor))
    return Entry(
        row.position,
        row.ticket_id,
        frozenset(row.viewers),
        internal,
        public if row.audience == Audience.PUBLIC else None,
        not _OF_VIEWERS.isdisjoint(event["data"]),
    )


def frame_text(kind: EventKind, body: bytes, cursor: bytes) -> bytes:
    """Return an event as Server-Sent Events write it; JSON has no line breaks."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (cursor, kind.encode(), body)
