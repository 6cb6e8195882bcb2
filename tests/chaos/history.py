"""The history of a run: the operations of the clients, the faults, the final state of the database.

All times are `time.monotonic()` of the process that runs the clients and causes the faults.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final as Constant

_READS_BEFORE_S: Constant = 2
_FAULTS_BEFORE_S: Constant = 10


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
    CONFIRM = "edit without a change"
    """Sets the subject that the ticket has, on the condition that it still has the version that was read."""

    @property
    def is_write(self) -> bool:
        """Whether it leaves a version of its own."""
        return self not in (Kind.READ, Kind.CONFIRM)


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
    attempts: int = 1
    """How often the request was sent, under one idempotency key."""

    def __str__(self) -> str:
        parts = [f"{self.began_at:.4f}–{self.ended_at:.4f} instance {self.instance}: {self.kind} {self.token}"]
        parts += [f"→ {self.target}"] if self.target else []
        parts += [f"if version {self.expected}"] if self.expected else []
        parts += [f"in {self.attempts} attempts"] if self.attempts > 1 else []
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
class Fault:
    """A fault of the servers or of a process, from its beginning to the end of its repair."""

    began_at: float
    ended_at: float
    name: str

    def __str__(self) -> str:
        return f"{self.began_at:.4f}–{self.ended_at:.4f} fault: {self.name}"


@dataclass(slots=True)
class History:
    """Everything that the checker examines."""

    operations: list[Operation] = field(default_factory=list)
    finals: dict[int, Final] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @contextmanager
    def during(self, fault: str) -> Iterator[None]:
        """Record a fault that lasts as long as the block."""
        began_at = time.monotonic()
        try:
            yield
        finally:
            self.faults.append(Fault(began_at, time.monotonic(), fault))

    def lines(self, ticket_id: int, *, at: float, most: int) -> list[str]:
        """Return the lines that lead to an event of a ticket at a time, without the reads and faults long before it."""
        happened = [
            (each.began_at, str(each))
            for each in self.operations
            if each.ticket_id == ticket_id and (each.kind is not Kind.READ or each.began_at > at - _READS_BEFORE_S)
        ]
        happened += [(each.began_at, str(each)) for each in self.faults if each.ended_at > at - _FAULTS_BEFORE_S]
        return [line for began_at, line in sorted(happened) if began_at <= at][-most:]
