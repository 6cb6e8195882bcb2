"""Events that concern no ticket, such as a webhook that was switched off."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Boolean, DateTime, Identity, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of

SYSTEM_TICKET_ID: Final = 0
"""`ticket_id` of system events in the log and in deliveries. Their `version` is the id of the system event."""


class SystemEventType(StrEnum):
    """What happened."""

    WEBHOOK_DISABLED = "webhook_disabled"


class SystemEvent(Base):
    """One row per event, for agents only. `data` has the id of what the event is about.

    The publisher sets `is_published` when it appends the event to the log.
    """

    __tablename__ = "system_events"
    __table_args__ = (
        one_of("type", SystemEventType),
        Index("ix_system_events_waiting", "id", postgresql_where=sql("NOT is_published")),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    type: Mapped[SystemEventType] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    actor: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    is_published: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
