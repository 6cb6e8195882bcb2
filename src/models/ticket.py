"""Tickets: the request of a requester, and its status."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, DateTime, Identity, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between, one_of
from models.clock_kind import SlaState

SUBJECT_MAX_LENGTH = 255
TEXT_MAX_LENGTH = 65_536
EMAIL_MAX_LENGTH = 254
SOURCE_MAX_LENGTH = 100
EXTERNAL_ID_MAX_LENGTH = 255
MAX_TAGS = 50
MAX_PARTICIPANTS = 20


class TicketStatus(StrEnum):
    """The status of a ticket. The allowed transitions are in `services.tickets.ticket_status`."""

    OPEN = "open"
    ANSWERED = "answered"
    AWAITING_REPLY = "awaiting_reply"
    CLOSED = "closed"


class Priority(StrEnum):
    """The priority of a ticket, the most urgent first."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Ticket(Base):
    """One row per ticket. `version` starts at 1 and grows by 1 with each change, comments included.

    `comment_count` counts public comments and internal notes, `note_count` the notes alone. `participants` are email
    addresses. A trigger copies what lists filter by to `ticket_facets`.

    `sla` holds the clocks as responses show them, and `sla_terms` the budgets of the policy that were promised. From
    these come `due_at`, the earliest time at which a running clock is due, and `sla_state`. `timer_at` is the time at
    which something happens to the ticket by itself: a warning, a breach, or the automatic close at `auto_close_at`.
    """

    __tablename__ = "tickets"
    __table_args__ = (
        length_between("subject", 1, SUBJECT_MAX_LENGTH),
        length_between("text", 1, TEXT_MAX_LENGTH),
        length_between("email", 3, EMAIL_MAX_LENGTH),
        one_of("status", TicketStatus),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("comment_count >= 0", name="comment_count"),
        # One index per sort order of the lists, with and without status, and one for the requester's address.
        Index("ix_tickets_created_at_id", "created_at", "id"),
        Index("ix_tickets_updated_at_id", "updated_at", "id"),
        Index("ix_tickets_status_id", "status", "id"),
        Index("ix_tickets_status_created_at_id", "status", "created_at", "id"),
        Index("ix_tickets_status_updated_at_id", "status", "updated_at", "id"),
        Index("ix_tickets_email_key_id", sql("email_key(email)"), "id"),
        # The queue of tickets that wait for an assignee.
        Index(
            "ix_tickets_unassigned_status_id",
            "status",
            "id",
            postgresql_where=sql("assignee_id IS NULL AND status <> 'closed'"),
        ),
        Index(
            "uq_tickets_external_id_source",
            "external_id",
            "source",
            unique=True,
            postgresql_where=sql("external_id IS NOT NULL"),
        ),
        Index("ix_tickets_merged_into", "merged_into", postgresql_where=sql("merged_into IS NOT NULL")),
        Index("ix_tickets_follow_up_of", "follow_up_of", postgresql_where=sql("follow_up_of IS NOT NULL")),
        CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name="closed_at"),
        one_of("priority", Priority),
        # For lists sorted by `due_at`, and for the timers that are due.
        Index("ix_tickets_due_at_id", "due_at", "id", postgresql_where=sql("due_at IS NOT NULL")),
        Index("ix_tickets_status_due_at_id", "status", "due_at", "id", postgresql_where=sql("due_at IS NOT NULL")),
        Index("ix_tickets_timer_at", "timer_at", postgresql_where=sql("timer_at IS NOT NULL AND status <> 'closed'")),
        one_of("sla_state", SlaState),
        CheckConstraint("(source IS NULL) = (external_id IS NULL)", name="external_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    status: Mapped[TicketStatus] = mapped_column(Text, server_default=sql("'open'"))
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    comment_count: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    closed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    assignee_id: Mapped[str | None] = mapped_column(Text(collation="C"))
    group_id: Mapped[int | None] = mapped_column(BigInteger)
    priority: Mapped[Priority] = mapped_column(Text, server_default=sql("'normal'"))
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=sql("'{}'"))
    custom: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))
    source: Mapped[str | None] = mapped_column(Text)
    external_id: Mapped[str | None] = mapped_column(Text)
    participants: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=sql("'{}'"))
    note_count: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    follow_up_of: Mapped[int | None] = mapped_column(BigInteger)
    merged_into: Mapped[int | None] = mapped_column(BigInteger)
    merged_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sla: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    sla_terms: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    sla_state: Mapped[SlaState | None] = mapped_column(Text)
    due_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    auto_close_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    close_warned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    timer_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
