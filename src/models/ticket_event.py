"""Events: the history of a ticket, with exactly one event per version."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, ForeignKey, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.audience import Audience
from models.base import Base, one_of
from models.transaction_types import Xid8


class EventType(StrEnum):
    """The kind of change that made the version."""

    CREATED = "created"
    CHANGED = "changed"
    COMMENTED = "commented"
    NOTED = "noted"
    LINKED = "linked"
    MERGED = "merged"
    SLA_WARNED = "sla_warned"
    SLA_BREACHED = "sla_breached"
    CLOSE_WARNED = "close_warned"
    REMINDED = "reminded"


class TicketEvent(Base):
    """One row per version. `data` is the change: {field: {"from": …, "to": …}}, and {"comment_id": …}.

    `internal` holds the part of a public event that only agents may see, in the same form. `xid` is the transaction
    that wrote the event, by which the publisher finds what was committed; NULL in events from before the event log.
    """

    __tablename__ = "ticket_events"
    __table_args__ = (
        one_of("type", EventType),
        one_of("audience", Audience),
        Index("ix_ticket_events_xid", "xid", postgresql_where=sql("xid IS NOT NULL")),
    )

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    type: Mapped[EventType] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))
    internal: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    audience: Mapped[Audience] = mapped_column(Text, server_default=sql("'public'"))
    actor: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    xid: Mapped[str | None] = mapped_column(Xid8, server_default=sql("pg_current_xact_id()"))
