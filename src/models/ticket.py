"""Tickets: the request of a requester, and its status."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between, one_of

SUBJECT_MAX_LENGTH = 255
TEXT_MAX_LENGTH = 65_536
EMAIL_MAX_LENGTH = 254


class TicketStatus(StrEnum):
    """The status of a ticket. The allowed transitions are in `services.tickets.ticket_status`."""

    OPEN = "open"
    ANSWERED = "answered"
    AWAITING_REPLY = "awaiting_reply"
    CLOSED = "closed"


class Ticket(Base):
    """One row per ticket. `version` starts at 1 and grows by 1 with each change, comments included."""

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
        CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name="closed_at"),
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
