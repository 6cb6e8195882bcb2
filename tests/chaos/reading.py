"""What the readers of events got, and what the database has in the end."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from support.factories import JSON

Id = tuple[int, int]
"""A ticket and its version: one event."""

# What people write. A thin webhook names such fields, and does not contain them.
TEXTS = frozenset({"subject", "text", "custom", "email", "participants"})


class Detail(StrEnum):
    """How much an event contains: pages and streams have the facts, webhooks less or, with the new comment, more."""

    FACTS = "facts"
    THIN = "thin"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Logged:
    """An event in the database: its position in the log, the requester of its ticket, and its facts by audience.

    `public` is None if the event is for agents only; `internal` is what agents see.
    """

    position: int
    ticket_id: int
    version: int
    requester: str
    public: JSON | None
    internal: JSON

    @property
    def id(self) -> Id:
        """The ticket and the version."""
        return self.ticket_id, self.version


@dataclass(frozen=True, slots=True)
class Seen:
    """An event that arrived, over a connection whose events are in order.

    `accepted_at` is the time of the response with which a receiver accepted it: infinite if it did not.
    """

    event: JSON
    connection: int = 0
    at: float = 0
    accepted_at: float = 0

    @property
    def id(self) -> Id:
        """The ticket and the version that the event's `id` names."""
        ticket_id, _, version = str(self.event["id"]).partition(".")
        return int(ticket_id), int(version)

    @property
    def position(self) -> int:
        """The position that the event's `sequence` names."""
        return int(self.event["sequence"])

    @property
    def is_accepted(self) -> bool:
        """Whether its receiver accepted it."""
        return self.accepted_at < math.inf


@dataclass(slots=True)
class Reading:
    """A reader, what it may see, and what it got. `viewer` is a requester's address; None sees everything.

    `is_in_log_order` is False for webhooks, which keep the order within each ticket. `refusals` has what must not
    happen to a reader, `counts` what did. It had everything `complete_s` after the storm.
    """

    name: str
    viewer: str | None = None
    ticket_id: int | None = None
    detail: Detail = Detail.FACTS
    is_in_log_order: bool = True
    seen: list[Seen] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    complete_s: float | None = None

    def may_see(self, event: Logged) -> bool:
        """Return whether the event is one of this reader."""
        if self.ticket_id is not None and event.ticket_id != self.ticket_id:
            return False
        return self.viewer is None or (event.public is not None and event.requester == self.viewer)

    def accepted(self) -> set[Id]:
        """Return the events that arrived and were accepted."""
        return {each.id for each in self.seen if each.is_accepted}

    def data_of(self, event: Logged) -> Mapping[str, object]:
        """Return the `data` of an event that this reader must get, without the comment of a full webhook."""
        facts = event.internal if self.viewer is None else event.public or {}
        if self.detail is not Detail.THIN:
            return facts
        changed = sorted(name for name in facts if name in TEXTS)
        shown = {name: value for name, value in facts.items() if name not in TEXTS}
        return shown | ({"changed": changed} if changed else {})
