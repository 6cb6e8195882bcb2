"""Drafts: what a person has typed on a ticket and not sent yet."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of
from models.ticket import TEXT_MAX_LENGTH, TicketStatus


class DraftKind(StrEnum):
    """What a draft becomes."""

    REPLY = "reply"
    """A public comment."""
    NOTE = "note"
    """An internal note."""


class Draft(Base):
    """At most one row per principal, ticket and kind; nothing but its author and its sending changes a row.

    `counter` orders the saves of the author: an older one never replaces a newer one. `base_version` is the version of
    the ticket that the author has seen. With `send_at`, the draft is sent then. `refusal` is the code of the error for
    which it was not sent. `send_key` is the key of the form that sends the draft: once, however often it is sent.
    """

    __tablename__ = "drafts"
    __table_args__ = (
        one_of("kind", DraftKind),
        one_of("status", TicketStatus),
        CheckConstraint(f"char_length(text) <= {TEXT_MAX_LENGTH}", name="text_length"),
        CheckConstraint("status IS NULL OR kind = 'reply'", name="note_status"),
        CheckConstraint("send_at IS NULL OR refusal IS NULL", name="refusal"),
        UniqueConstraint("id"),
        Index("ix_drafts_send_at", "send_at", postgresql_where=sql("send_at IS NOT NULL")),
        Index("ix_drafts_ticket_id", "ticket_id"),
    )

    principal_id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    ticket_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tickets.id"), primary_key=True)
    kind: Mapped[DraftKind] = mapped_column(Text, primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    email: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    status: Mapped[TicketStatus | None] = mapped_column(Text)
    counter: Mapped[int] = mapped_column(BigInteger)
    base_version: Mapped[int] = mapped_column(Integer)
    saved_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    send_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    refusal: Mapped[str | None] = mapped_column(Text)
    send_key: Mapped[str | None] = mapped_column(Text)
