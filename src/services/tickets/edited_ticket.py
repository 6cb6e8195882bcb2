"""A ticket that is being changed: what was read of it, and the change that is to be saved."""

from typing import Any, Final

from pydantic_core import to_json

from core.errors import TicketClosed
from db.postgres.statements import Row
from models import Audience, EventType, TicketStatus
from schemas.tickets import Comment, CommentCreate
from services.tickets.change_purpose import PERMITTED, ChangePurpose
from services.tickets.statements import field_parameter, tickets
from services.tickets.ticket_status import ensure_allowed, is_final

# The fields that `edit` may change. A status changes by `move_to`, and all others with the change itself.
EDITABLE: Final = frozenset({"subject", "text"})
if not set(tickets.c.keys()) >= EDITABLE:  # pragma: no cover - fails at import
    raise LookupError(f"not columns of tickets: {EDITABLE - set(tickets.c.keys())}")


class EditedTicket:
    """Collects the one change that is made to a ticket, and checks the rules.

    `id` and `version` are those of the row that was read; the change is saved only while the row still has this
    version. `saved` is the new row once `TicketChanges` has saved the change.
    With a `purpose`, exactly the fields that it permits can be set, of a closed ticket too.
    """

    def __init__(self, row: Row, purpose: ChangePurpose | None = None) -> None:
        self._before = row
        self._purpose = purpose
        self._editable = EDITABLE if purpose is None else PERMITTED[purpose]
        self.id: int = row.id
        self.version: int = row.version
        self._changes: dict[str, dict[str, Any]] = {}
        self._comment: CommentCreate | None = None
        self.saved: Row = row

    @property
    def comment_added(self) -> Comment:
        """The comment that the change added, once it is saved. Raises ValueError if the change added none."""
        if self._comment is None:
            raise ValueError("this change added no comment")
        return Comment(
            id=self.saved.comment_id,
            ticket_id=self.id,
            email=self._comment.email,
            text=self._comment.text,
            created_at=self.saved.commented_at,
        )

    @property
    def status(self) -> TicketStatus:
        """The status of the ticket, with the change collected so far."""
        return TicketStatus(self._value("status"))

    @property
    def transition(self) -> tuple[str, str] | None:
        """The old and the new status, if the change contains a transition."""
        change = self._changes.get("status")
        return None if change is None else (change["from"], change["to"])

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to save. Setting a field to the value it has is no change."""
        return bool(self._changes) or self._comment is not None

    @property
    def changed_fields(self) -> frozenset[str]:
        """The fields of the row that the change sets."""
        return frozenset(self._changes)

    @property
    def adds_comment(self) -> bool:
        """Whether the change adds a comment."""
        return self._comment is not None

    def edit(self, field: str, value: object) -> None:
        """Set an editable field; None sets it to NULL. Raises TicketClosed, and ValueError for another field."""
        if field not in self._editable:
            raise ValueError(f"{field} is not editable{f' for {self._purpose}' if self._purpose else ''}")
        if self._purpose is None:
            self._refuse_if_closed()
        self._record(field, value)

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
        self._refuse_if_closed()
        self._comment = comment

    def save_parameters(self, actor: str, audience: Audience) -> dict[str, Any]:
        """Return the parameters of the statement that saves the change: see `save_statement`."""
        parameters: dict[str, Any] = {field_parameter(field): change["to"] for field, change in self._changes.items()}
        parameters |= {
            "ticket_id": self.id,
            "version": self.version,
            "type": EventType.COMMENTED if self._comment else EventType.CHANGED,
            "changes": to_json(self._changes).decode(),
            "actor": actor,
            "audience": audience,
        }
        if self._comment is not None:
            parameters |= {"comment_email": self._comment.email, "comment_text": self._comment.text}
        return parameters

    def _value(self, field: str) -> Any:  # noqa: ANN401 - what the column holds
        change = self._changes.get(field)
        return self._before[field] if change is None else change["to"]

    def _record(self, field: str, after: object) -> None:
        """Collect a change of a field. A change back to the stored value is none."""
        before = self._before[field]
        if before == after:
            self._changes.pop(field, None)
        else:
            # The event of an erasure must not keep what was erased.
            shown = None if self._purpose is ChangePurpose.ERASURE else before
            self._changes[field] = {"from": shown, "to": after}

    def _refuse_if_closed(self) -> None:
        if is_final(TicketStatus(self._before.status)):
            raise TicketClosed(self.id)
