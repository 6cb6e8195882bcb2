"""Reminders of agents on tickets: the time, and a note."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base

NOTE_MAX_LENGTH = 1_000


class Reminder(Base):
    """At most one row per ticket and principal.

    `snoozed_until` hides the ticket from the queue of the principal until then. The row stays after `reminded_at`.
    """

    __tablename__ = "reminders"
    __table_args__ = (
        Index("ix_reminders_remind_at", "remind_at", postgresql_where=sql("reminded_at IS NULL")),
        Index("ix_reminders_principal_id_remind_at", "principal_id", "remind_at"),
    )

    ticket_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tickets.id"), primary_key=True)
    principal_id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    remind_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    note: Mapped[str] = mapped_column(Text, server_default=sql("''"))
    snoozed_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    reminded_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
