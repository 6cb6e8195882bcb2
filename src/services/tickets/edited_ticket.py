"""A ticket that is being changed: what was read of it, and the change that is to be saved."""

import json
from collections.abc import Iterable, Mapping, Set
from datetime import datetime
from typing import Any, Final, Self

from pydantic_core import to_json

from core.errors import TicketClosed
from db.postgres.session import Session
from db.postgres.statements import Row
from models import Audience, EventType, TicketStatus
from schemas.tickets import Comment, CommentCreate
from services.tickets.change_purpose import PERMITTED, ChangePurpose
from services.tickets.new_ticket import NewTicket
from services.tickets.rule_steps import NO_STEPS, RuleSteps
from services.tickets.save_statement import field_parameter
from services.tickets.statements import tickets
from services.tickets.ticket_status import ensure_allowed, is_final

# The fields that `edit` may change. A status changes by `move_to`, custom fields by `edit_custom`, and all others with
# the change itself.
EDITABLE: Final = frozenset({"subject", "text", "priority", "assignee_id", "group_id", "tags", "participants"})
# Only agents see these fields, and their changes.
INTERNAL_FIELDS: Final = frozenset({"assignee_id", "group_id", "tags", "source", "external_id"})
# The clocks and timers, which `services.automation` computes: no member of an event names them.
AUTOMATIC: Final = frozenset(
    {"sla", "sla_terms", "sla_state", "due_at", "auto_close_at", "close_warned_at", "timer_at"}
)
if not set(tickets.c.keys()) >= EDITABLE | INTERNAL_FIELDS | AUTOMATIC:  # pragma: no cover - fails at import
    raise LookupError(f"not columns of tickets: {(EDITABLE | INTERNAL_FIELDS) - set(tickets.c.keys())}")


class EditedTicket:
    """Collects the one change that is made to a ticket, and checks the rules.

    `id` and `version` are those of the row that was read; the change is saved only while the row still has this
    version. `saved` is the new row once `TicketChanges` has saved the change, and `opened` that of the follow-up.
    With a `purpose`, exactly the fields that it permits can be set, of a closed ticket too.
    """

    def __init__(self, row: Row, purpose: ChangePurpose | None = None) -> None:
        self._before = row
        self._purpose = purpose
        self._editable = EDITABLE if purpose is None else PERMITTED[purpose]
        self.id: int = row.id
        self.version: int = row.version
        self._values: dict[str, Any] = {}
        # The members of the event, by the audience that may see them.
        self._members: dict[Audience, dict[str, Any]] = {Audience.PUBLIC: {}, Audience.INTERNAL: {}}
        self._comment: CommentCreate | None = None
        self._type = EventType.CHANGED
        self.follow_up: NewTicket | None = None
        self.opened: Row | None = None
        self.saved: Row = row
        self._commented: Row | None = None
        self.steps: RuleSteps = NO_STEPS
        # The actor of the event; None: the principal that makes the change.
        self.actor: str | None = None

    def __getitem__(self, field: str) -> Any:  # noqa: ANN401 - what the column holds
        """Return the value of a column, with the change collected so far."""
        return self._values[field] if field in self._values else self._before[field]

    @property
    def at(self) -> datetime:
        """The time of the change: the database's when it read the row, and at least that of the version before."""
        at: datetime = max(self._before.read_at, self._before.updated_at)
        return at

    @property
    def was_closed(self) -> bool:
        """Whether the ticket was closed before this change."""
        return is_final(TicketStatus(self._before.status))

    @property
    def new_comment(self) -> CommentCreate | None:
        """The comment that the change adds."""
        return self._comment

    @property
    def comment_added(self) -> Comment:
        """The comment that the change added, once it is saved. Raises ValueError if the change added none."""
        if self._comment is None or self._commented is None:
            raise ValueError("this change added no comment")
        return Comment(
            id=self._commented.comment_id,
            ticket_id=self.id,
            email=self._comment.email,
            text=self._comment.text,
            created_at=self._commented.commented_at,
            visibility=self._comment.visibility,
        )

    @property
    def status(self) -> TicketStatus:
        """The status of the ticket, with the change collected so far."""
        return TicketStatus(self["status"])

    @property
    def custom(self) -> dict[str, Any]:
        """The values of the custom fields, with the change collected so far."""
        values: dict[str, Any] = json.loads(self["custom"])
        return values

    @property
    def transition(self) -> tuple[str, str] | None:
        """The old and the new status, if the change contains a transition."""
        return (self._before["status"], self._values["status"]) if "status" in self._values else None

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to save. Setting a field to the value it has is no change."""
        has_members = any(self._members.values())
        return bool(self._values) or self._comment is not None or has_members or self.follow_up is not None

    @property
    def next_version(self) -> int:
        """The version of the ticket once the change and the notes of rules are saved."""
        return self.version + 1 + len(self.steps.notes)

    @property
    def changed_fields(self) -> frozenset[str]:
        """The fields of the row that the change sets."""
        return frozenset(self._values)

    @property
    def audience(self) -> Audience:
        """The audience of the event: internal if there is nothing in it that a requester may see."""
        is_public = self._members[Audience.PUBLIC] or (self._comment and self._comment.visibility is Audience.PUBLIC)
        return Audience.PUBLIC if is_public else Audience.INTERNAL

    @property
    def comment_in(self) -> str | None:
        """The column of the event that names the new comment, `data` or `internal`; None without a comment."""
        if self._comment is None:
            return None
        return "data" if self._comment.visibility is self.audience else "internal"

    def edit(self, field: str, value: object) -> None:
        """Set an editable field; None sets it to NULL. Raises TicketClosed, and ValueError for another field."""
        if field not in self._editable:
            raise ValueError(f"{field} is not editable{f' for {self._purpose}' if self._purpose else ''}")
        self._refuse_if_closed()
        self._record(field, value)

    def put(self, values: Mapping[str, object]) -> None:
        """Set clocks and timers. Raises ValueError for other columns."""
        if not values.keys() <= AUTOMATIC:
            raise ValueError(f"{sorted(values.keys() - AUTOMATIC)} are not automatic")
        for column, value in values.items():
            if self._before[column] == value:
                self._values.pop(column, None)
            else:
                self._values[column] = value

    def edit_custom(self, values: Mapping[str, object], visible: Set[str]) -> None:
        """Set custom fields, whose values are validated already; None removes a value. Raises TicketClosed.

        A change back to the stored value is none.
        `visible` holds the keys of the fields that requesters see.
        """
        self._refuse_if_closed()
        before: dict[str, Any] = json.loads(self._before["custom"])
        after = {key: value for key, value in (self.custom | dict(values)).items() if value is not None}
        for key in values:
            change = {"from": before.get(key), "to": after.get(key)}
            is_changed = before.get(key) != after.get(key)
            for audience, members in self._members.items():
                is_seen = (key in visible) == (audience is Audience.PUBLIC)
                _put(members, key, change if is_changed and is_seen else None)
        if before == after:
            self._values.pop("custom", None)
        else:
            self._values["custom"] = json.dumps(after, ensure_ascii=False)

    def move_to(self, status: TicketStatus) -> None:
        """Make a transition. Raises IllegalTransition, and ValueError if the change has a transition already."""
        if self.transition is not None:
            raise ValueError("one change makes one transition")
        ensure_allowed(self.status, status)
        self._record("status", status)

    def add_comment(self, comment: CommentCreate) -> None:
        """Add a comment. Raises TicketClosed, and ValueError if the change has a comment already."""
        if self._comment is not None:
            raise ValueError("one change adds one comment")
        if is_final(TicketStatus(self._before.status)):
            raise TicketClosed(self.id)
        self._comment = comment

    def open_follow_up(self, new: NewTicket) -> None:
        """Insert a ticket in the same transaction, which the event of this one names."""
        self.follow_up = new

    def add_fact(self, event_type: EventType, name: str, value: object, audience: Audience) -> None:
        """Add a member to the event that is no field of the ticket, and set the event's type."""
        self._type = event_type
        self.add_member(name, value, audience)

    def add_member(self, name: str, value: object, audience: Audience) -> None:
        """Add a member to the event that is no field of the ticket."""
        self._members[audience][name] = value

    def record(self, name: str, before: object, after: object, audience: Audience) -> None:
        """Add a member to the event that shows a value before and after the change."""
        self._members[audience][name] = {"from": before, "to": after}

    def keep(self, row: Row, last: Row) -> None:
        """Keep the row that the change was saved as, and the last one, which may have notes of rules too."""
        self.saved = last
        if self._comment is not None:
            self._commented = row

    def save_parameters(self, actor: str) -> dict[str, Any]:
        """Return the parameters of the statement that saves the change: see `save_statement`."""
        parameters: dict[str, Any] = {field_parameter(field): value for field, value in self._values.items()}
        audience = self.audience
        internal = self._members[Audience.INTERNAL]
        is_mixed = audience is Audience.PUBLIC and (internal or self.comment_in == "internal")
        parameters |= {
            "ticket_id": self.id,
            "version": self.version,
            "at": self.at,
            "type": self.event_type,
            "changes": to_json(self._members[audience]).decode(),
            "internal": to_json(internal).decode() if is_mixed else None,
            "actor": self.actor or actor,
            "audience": audience,
        }
        if self._comment is not None:
            parameters |= {
                "comment_email": self._comment.email,
                "comment_text": self._comment.text,
                "visibility": self._comment.visibility,
            }
        return parameters

    @property
    def event_type(self) -> EventType:
        """The type of the event of the change."""
        if "merged_into" in self._values:
            return EventType.MERGED
        if self._comment is not None and self._type is EventType.CHANGED:
            return EventType.COMMENTED if self._comment.visibility is Audience.PUBLIC else EventType.NOTED
        return self._type

    def _record(self, field: str, after: object) -> None:
        """Collect a change of a field. A change back to the stored value is none."""
        before = self._before[field]
        members = self._members[Audience.INTERNAL if field in INTERNAL_FIELDS else Audience.PUBLIC]
        if before == after:
            self._values.pop(field, None)
            members.pop(field, None)
        else:
            # The event of an erasure must not keep what was erased.
            shown = None if self._purpose is ChangePurpose.ERASURE else before
            self._values[field] = after
            members[field] = {"from": shown, "to": after}

    def _refuse_if_closed(self) -> None:
        if self._purpose is None and is_final(TicketStatus(self._before.status)):
            raise TicketClosed(self.id)


def _put(members: dict[str, Any], key: str, change: Mapping[str, Any] | None) -> None:
    """Set the change of a custom field in the members of an event, or remove it."""
    custom = {name: each for name, each in members.pop("custom", {}).items() if name != key}
    if change is not None:
        custom[key] = change
    if custom:
        members["custom"] = custom


class LockedTickets(tuple[EditedTicket, ...]):  # noqa: SLOT001 - it has an attribute
    """The tickets of a change, in ascending id, and the transaction: what is executed on it is saved with them."""

    connection: Session

    def __new__(cls, tickets: Iterable[EditedTicket], connection: Session) -> Self:
        """Return the tickets with the connection of their transaction."""
        locked = super().__new__(cls, tickets)
        locked.connection = connection
        return locked
