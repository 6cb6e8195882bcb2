"""The rows of a list of tickets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from desk import words
from desk.languages import Language
from desk.times import Clock, ShownTime
from models import Priority
from services.directory.staff import Staff

SHOWN_TAGS: Final = 4


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket in a list, in the language and the zone of the reader. `priority` is empty for the normal one."""

    id: int
    version: int
    subject: str
    email: str
    status: str
    status_word: str
    priority: str
    priority_word: str
    assignee: str
    group: str
    tags: Sequence[str]
    more_tags: int
    comment_count: int
    updated: ShownTime
    due: ShownTime | None
    due_class: str


class RowMaker:
    """Makes rows of tickets as the services return them."""

    def __init__(self, language: Language, clock: Clock, staff: Staff) -> None:
        self._statuses = {status: language.gettext(word) for status, word in words.STATUSES.items()}
        self._priorities = {priority: language.gettext(word) for priority, word in words.PRIORITIES.items()}
        self._clock = clock
        self._staff = staff

    def row(self, ticket: Mapping[str, Any]) -> TicketRow:
        """Return the row of a ticket with the members of `schemas.tickets.Ticket`."""
        priority = "" if ticket["priority"] == Priority.NORMAL else ticket["priority"]
        assignee, group, tags = ticket["assignee_id"], ticket["group_id"], ticket["tags"]
        return TicketRow(
            ticket["id"],
            ticket["version"],
            ticket["subject"],
            ticket["email"],
            ticket["status"],
            self._statuses[ticket["status"]],
            priority,
            self._priorities[priority] if priority else "",
            "" if assignee is None else self._staff.name_of(assignee),
            "" if group is None else self._staff.group_name(group),
            tags[:SHOWN_TAGS],
            max(len(tags) - SHOWN_TAGS, 0),
            ticket["comment_count"],
            self._clock.show(ticket["updated_at"]),
            self._clock.show_or_none(ticket["due_at"]),
            _due_class(ticket["sla"]),
        )


def _due_class(clocks: Sequence[Mapping[str, Any]]) -> str:
    """Return how urgent the clocks are: `breached`, `risk` after a warning, or nothing."""
    if any(clock["state"] == "breached" or clock["breached_at"] for clock in clocks if clock["met_at"] is None):
        return "breached"
    return "risk" if any(clock["warned_at"] and clock["met_at"] is None for clock in clocks) else ""
