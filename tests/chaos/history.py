"""What happened in a run: what the clients asked and were told, what is in the database at the end, what Redis took.

All times are `time.monotonic()` of the one process that runs the clients and both instances of the service.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final as Constant

_READS_MATTER_S: Constant = 0.5


class Kind(StrEnum):
    """What a client asked for."""

    CREATE = "create"
    COMMENT = "comment"
    REPLY = "comment with transition"
    MOVE = "transition"
    EDIT = "edit"
    READ = "read"


class Outcome(StrEnum):
    """What the client knows of it. Unknown: it may or may not be done. Failed: answered as never should be."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class State:
    """What is different about each version of a ticket. `last_comment` is the text of the latest comment."""

    status: str
    subject: str
    comments: int = 0
    last_comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request. `token` is the text that a write leaves in the database, and no other write does."""

    kind: Kind
    began_at: float
    ended_at: float
    outcome: Outcome
    instance: int = 0
    ticket_id: int | None = None
    token: str = ""
    version: int | None = None
    target: str | None = None
    """The status that the ticket should move to."""
    expected: int | None = None
    """The version that `If-Match` named."""
    seen: State | None = None
    """What a read saw, None if it was told that nothing had changed."""
    how: str = ""
    """How a read was answered, as in `Cache-Status`; what was answered when the outcome is FAILED."""

    def __str__(self) -> str:
        parts = [f"{self.began_at:.4f}–{self.ended_at:.4f} instance {self.instance}: {self.kind} {self.token}"]
        parts += [f"→ {self.target}"] if self.target else []
        parts += [f"if version {self.expected}"] if self.expected else []
        parts += [self.outcome, f"version {self.version}" if self.version else "", self.how]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `ticket_events`; `moved` is the status before and after, if it changed."""

    version: int
    token: str | None
    is_comment: bool = False
    moved: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Final:
    """What the database holds of a ticket at the end: its row, its events by version, the texts of its comments."""

    ticket_id: int
    version: int
    state: State
    events: list[Event]
    comments: list[str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An attempt to tell Redis that everything below a version of a ticket is overwritten."""

    ticket_id: int
    version: int
    instance: int
    began_at: float
    ended_at: float
    is_delivered: bool
    was_cancelled: bool = False
    """Whether the writer's request was cancelled meanwhile: then nobody knows, and the writer was told nothing."""

    def __str__(self) -> str:
        what = "invalidated below" if self.is_delivered else "failed to invalidate below"
        what += " (cancelled)" if self.was_cancelled else ""
        return f"{self.began_at:.4f}–{self.ended_at:.4f} instance {self.instance}: {what} version {self.version}"


@dataclass(slots=True)
class CacheRecord:
    """What is known of the cache's side of each ticket."""

    deliveries: dict[int, list[Delivery]] = field(default_factory=dict)
    committed_by: dict[tuple[int, int], float] = field(default_factory=dict)
    """When the commit of a ticket's version was surely over."""
    losses: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    """From when to when what Redis had of a ticket was taken from it, by us or with its node."""

    def add(self, delivery: Delivery) -> None:
        """Record an attempt."""
        self.deliveries.setdefault(delivery.ticket_id, []).append(delivery)


@dataclass(slots=True)
class History:
    """Everything that the checker judges."""

    operations: list[Operation] = field(default_factory=list)
    finals: dict[int, Final] = field(default_factory=dict)
    cache: CacheRecord = field(default_factory=CacheRecord)

    def lines(self, ticket_id: int, *, at: float, most: int) -> list[str]:
        """Tell what led to what happened to a ticket at a time: everything but the reads long before it."""
        happened = [
            (each.began_at, str(each))
            for each in self.operations
            if each.ticket_id == ticket_id and (each.kind is not Kind.READ or each.began_at > at - _READS_MATTER_S)
        ]
        happened += [(each.began_at, str(each)) for each in self.cache.deliveries.get(ticket_id, ())]
        happened += [
            (began_at, f"{began_at:.4f}–{ended_at:.4f} the cache lost its key")
            for began_at, ended_at in self.cache.losses.get(ticket_id, ())
        ]
        happened += [
            (over_at, f"{over_at:.4f} version {version} was surely committed or given up")
            for (ticket, version), over_at in self.cache.committed_by.items()
            if ticket == ticket_id
        ]
        return [line for began_at, line in sorted(happened) if began_at <= at][-most:]
