"""Policies of service levels: which tickets are promised which times."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, ForeignKey, Identity, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between
from models.principal import NAME_MAX_LENGTH


class SlaPolicy(Base):
    """One row per policy, never deleted: clocks name it. The first active one by `position` and `id` that matches wins.

    Budgets are in seconds of the calendar's working time; NULL: no such clock.
    """

    __tablename__ = "sla_policies"
    __table_args__ = (
        length_between("name", 1, NAME_MAX_LENGTH),
        CheckConstraint("version >= 1", name="version"),
        Index("uq_sla_policies_name_key", sql("email_key(name)"), unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(Integer)
    calendar_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("calendars.id"))
    match: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))
    first_response_s: Mapped[int | None] = mapped_column(Integer)
    next_response_s: Mapped[int | None] = mapped_column(Integer)
    resolution_s: Mapped[int | None] = mapped_column(Integer)
    active: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
