"""A ticket in the hands of the one transaction that may change it."""

import json
from typing import Any

from core.errors import TicketClosed
from db.postgres.statements import Row
from models import EventType, TicketStatus
from schemas.tickets import Comment, CommentAdded, CommentCreate
from services.tickets.ticket_status import ensure_allowed, is_final


class LockedTicket:
    """Takes the one change that a transaction makes to a ticket, by the rules; saving it is not its business.

    `id` and `version` are those of the row that was locked; `saved` is the row once the change was committed.
    """

    def __init__(self, row: Row) -> None:
        self._before = row
        self.id: int = row.id
        self.version: int = row.version
        self._changes: dict[str, dict[str, str]] = {}
        self._comment: CommentCreate | None = None
        self.saved: Row = row

    @property
    def comment_added(self) -> CommentAdded:
        """The comment that the change added, once it is saved. Raises ValueError if the change added none."""
        if self._comment is None:
            raise ValueError("this change added no comment")
        comment = Comment(
            id=self.saved.comment_id,
            ticket_id=self.id,
            email=self._comment.email,
            text=self._comment.text,
            created_at=self.saved.commented_at,
        )
        return CommentAdded(comment=comment, version=self.saved.version)

    @property
    def status(self) -> TicketStatus:
        """How the ticket stands with the change that was taken so far."""
        return TicketStatus(self._new("status") or self._before.status)

    @property
    def transition(self) -> tuple[str, str] | None:
        """From which status the change leads to which, if it leads to another."""
        change = self._changes.get("status")
        return None if change is None else (change["from"], change["to"])

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to save: giving a field the value it has is no change."""
        return bool(self._changes) or self._comment is not None

    def edit(self, field: str, value: str) -> None:
        """Give `subject` or `text` a new value. Raises TicketClosed."""
        self._refuse_if_closed()
        self._record(field, getattr(self._before, field), value)

    def move_to(self, status: TicketStatus) -> None:
        """Make a transition. Raises IllegalTransition."""
        ensure_allowed(self.status, status)
        self._record("status", self.status, status)

    def add_comment(self, comment: CommentCreate) -> None:
        """Add to the discussion. Raises TicketClosed."""
        self._refuse_if_closed()
        self._comment = comment

    def to_save(self, actor: str) -> dict[str, Any]:
        """Return the parameters of the statement that saves the change; a field left as it was is None."""
        return {
            "ticket_id": self.id,
            "subject": self._new("subject"),
            "text": self._new("text"),
            "status": self._new("status"),
            "comment_email": self._comment.email if self._comment else None,
            "comment_text": self._comment.text if self._comment else None,
            "type": EventType.COMMENTED if self._comment else EventType.CHANGED,
            "changes": json.dumps(self._changes, ensure_ascii=False),
            "actor": actor,
        }

    def _record(self, field: str, before: str, after: str) -> None:
        if before != after:
            self._changes[field] = {"from": before, "to": after}

    def _new(self, field: str) -> str | None:
        change = self._changes.get(field)
        return change["to"] if change else None

    def _refuse_if_closed(self) -> None:
        if is_final(TicketStatus(self._before.status)):
            raise TicketClosed(self.id)
