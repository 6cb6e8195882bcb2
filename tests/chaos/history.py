"""The history of a run: the operations of the clients, the final state of the database, the invalidations in Redis.

All times are `time.monotonic()` of the process that runs the clients and both instances of the service.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final as Constant

_READS_BEFORE_S: Constant = 0.5


@dataclass(frozen=True, slots=True)
class State:
    """The content that differs between versions of a ticket. `last_comment` is the text of the latest comment."""

    status: str
    subject: str
    comments: int = 0
    last_comment: str | None = None


class Kind(StrEnum):
    """The operation that a client requests."""

    CREATE = "create"
    COMMENT = "comment"
    REPLY = "comment with transition"
    MOVE = "transition"
    EDIT = "edit"
    READ = "read"


class Outcome(StrEnum):
    """The outcome that the client knows. UNKNOWN may or may not be done. FAILED got a response that must not occur."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request. `token` is the text that this write, and no other, leaves in the database."""

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
    """The content that a read returned; None for 304."""
    how: str = ""
    """The `Cache-Status` of a read; the response if the outcome is FAILED."""

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
    """A ticket in the database at the end: its row, its events by version, the texts of its comments."""

    ticket_id: int
    version: int
    state: State
    events: list[Event]
    comments: list[str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An attempt to invalidate in Redis everything below a version of a ticket."""

    ticket_id: int
    version: int
    instance: int
    began_at: float
    ended_at: float
    is_delivered: bool
    was_cancelled: bool = False
    """Whether the request was cancelled meanwhile: the result of the attempt is unknown, also to the instance."""

    def __str__(self) -> str:
        result = "invalidated below" if self.is_delivered else "failed to invalidate below"
        result += " (cancelled)" if self.was_cancelled else ""
        return f"{self.began_at:.4f}–{self.ended_at:.4f} instance {self.instance}: {result} version {self.version}"


@dataclass(slots=True)
class CacheRecord:
    """The invalidations and losses of each ticket's cache key."""

    deliveries: dict[int, list[Delivery]] = field(default_factory=dict)
    committed_by: dict[tuple[int, int], float] = field(default_factory=dict)
    """The time at which the commit of a ticket's version had certainly ended."""
    losses: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    """The periods in which Redis lost the key of a ticket, because it was deleted or its node was killed."""

    def add(self, delivery: Delivery) -> None:
        """Record an attempt."""
        self.deliveries.setdefault(delivery.ticket_id, []).append(delivery)


@dataclass(slots=True)
class History:
    """Everything that the checker examines."""

    operations: list[Operation] = field(default_factory=list)
    finals: dict[int, Final] = field(default_factory=dict)
    cache: CacheRecord = field(default_factory=CacheRecord)

    def lines(self, ticket_id: int, *, at: float, most: int) -> list[str]:
        """Return the lines that lead to an event of a ticket at a time, without the reads long before it."""
        happened = [
            (each.began_at, str(each))
            for each in self.operations
            if each.ticket_id == ticket_id and (each.kind is not Kind.READ or each.began_at > at - _READS_BEFORE_S)
        ]
        happened += [(each.began_at, str(each)) for each in self.cache.deliveries.get(ticket_id, ())]
        happened += [
            (began_at, f"{began_at:.4f}–{ended_at:.4f} the cache lost its key")
            for began_at, ended_at in self.cache.losses.get(ticket_id, ())
        ]
        happened += [
            (over_at, f"{over_at:.4f} version {version} was certainly committed or abandoned")
            for (ticket, version), over_at in self.cache.committed_by.items()
            if ticket == ticket_id
        ]
        return [line for began_at, line in sorted(happened) if began_at <= at][-most:]
