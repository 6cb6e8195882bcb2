"""What the numbers count, found in the history of a ticket: opened, first answered, closed.

A milestone depends on the events up to its own alone, never on the present row of the ticket. So what is computed event
by event, and what is computed of the whole history at once, is the same. The functions are pure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from models import EventType, TicketStatus
from models.ticket_numbers import NumberKind, NumberMetric
from services.numbers.buckets import bucket_of

NONE: Final = "none"
"""The value of a group or person in the numbers of tickets that have none."""
MEMBERS: Final = ("status", "group_id", "assignee_id", "tags", "sla_terms")
"""The members of events that the milestones depend on."""

Key = tuple[NumberKind, datetime, str, NumberMetric, int]


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event of a ticket: its members for all audiences together."""

    version: int
    type: str
    at: datetime
    members: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Milestone:
    """A version of a ticket that is counted, with what the ticket had then."""

    version: int
    metric: NumberMetric
    at: datetime
    seconds: float
    group: str
    person: str
    tags: Sequence[str]

    def rows(self) -> Iterator[Key]:
        """Yield the rows of the numbers in which the milestone is counted."""
        hour = self.at.replace(minute=0, second=0, microsecond=0)
        bucket = bucket_of(self.seconds)
        values = [(NumberKind.ALL, ""), (NumberKind.GROUP, self.group), (NumberKind.PERSON, self.person)]
        for kind, value in [*values, *((NumberKind.TAG, tag) for tag in self.tags)]:
            yield kind, hour, value, self.metric, bucket


@dataclass(slots=True)
class _Ticket:
    """A ticket as the events so far have made it."""

    opened_at: datetime
    values: dict[str, Any] = field(default_factory=dict)
    is_answered: bool = False
    is_promised: bool = False
    is_breached: bool = False

    def milestone(self, event: PastEvent, metric: NumberMetric) -> Milestone:
        group, person = self.values.get("group_id"), self.values.get("assignee_id")
        return Milestone(
            version=event.version,
            metric=metric,
            at=event.at,
            seconds=max((event.at - self.opened_at).total_seconds(), 0),
            group=NONE if group is None else str(group),
            person=NONE if person is None else person,
            tags=tuple(self.values.get("tags") or ()),
        )


def milestones(history: Iterable[PastEvent]) -> Iterator[Milestone]:
    """Yield the milestones of one ticket, whose events come in the order of their versions."""
    ticket: _Ticket | None = None
    for event in history:
        if ticket is None:
            ticket = _Ticket(event.at)
        for name in MEMBERS:
            if name in event.members:
                ticket.values[name] = event.members[name]["to"]
        ticket.is_promised |= ticket.values.get("sla_terms") is not None
        ticket.is_breached |= event.type == EventType.SLA_BREACHED
        if event.type == EventType.CREATED:
            yield ticket.milestone(event, NumberMetric.OPENED)
        if "status" in event.members:
            yield from _of_transition(ticket, event)


def counted(milestones_found: Iterable[Milestone]) -> Counter[Key]:
    """Return the numbers that milestones add."""
    return Counter(key for milestone in milestones_found for key in milestone.rows())


def _of_transition(ticket: _Ticket, event: PastEvent) -> Iterator[Milestone]:
    status = ticket.values["status"]
    if status == TicketStatus.ANSWERED and not ticket.is_answered:
        ticket.is_answered = True
        yield ticket.milestone(event, NumberMetric.ANSWERED)
    elif status == TicketStatus.CLOSED:
        yield ticket.milestone(event, NumberMetric.CLOSED)
        if ticket.is_breached:
            yield ticket.milestone(event, NumberMetric.MISSED)
        elif ticket.is_promised:
            yield ticket.milestone(event, NumberMetric.MET)
