"""Rules: what is done to new and changed tickets by itself."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Boolean, CheckConstraint, DateTime, Identity, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between
from models.principal import NAME_MAX_LENGTH


class RuleEvent(StrEnum):
    """The types of events that rules are for: those of a new ticket, and of changes of its fields."""

    CREATED = "ticket.created"
    TRANSITIONED = "ticket.transitioned"
    ASSIGNED = "ticket.assigned"
    TAGGED = "ticket.tagged"
    CHANGED = "ticket.changed"


class AssignBy(StrEnum):
    """How a rule chooses the member of a group that a ticket is assigned to."""

    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"


class Rule(Base):
    """One row per rule. Active rules apply in the order of `position` and `id`, to the types of events in `events`."""

    __tablename__ = "rules"
    __table_args__ = (
        length_between("name", 1, NAME_MAX_LENGTH),
        CheckConstraint("version >= 1", name="version"),
        Index("uq_rules_name_key", sql("email_key(name)"), unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(Integer)
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    match: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))
    actions: Mapped[dict[str, Any]] = mapped_column(JSONB)
    active: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
