"""Calendars: the hours in which an organization works."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between
from models.principal import NAME_MAX_LENGTH

ZONE_MAX_LENGTH = 64
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_SPAN_DAYS = 3_660
"""Ten years: the longest span in which a deadline is searched, and whose working time can be asked for."""


class Calendar(Base):
    """One row per calendar: in the local time of `zone`, the hours of each weekday, and those of dates that differ.

    Names are unique without regard to case. A calendar is never deleted, because clocks of tickets refer to it.
    """

    __tablename__ = "calendars"
    __table_args__ = (
        length_between("name", 1, NAME_MAX_LENGTH),
        length_between("zone", 1, ZONE_MAX_LENGTH),
        CheckConstraint("jsonb_typeof(weekly) = 'object'", name="weekly"),
        CheckConstraint("jsonb_typeof(exceptions) = 'object'", name="exceptions"),
        CheckConstraint("version >= 1", name="version"),
        Index("uq_calendars_name_key", sql("email_key(name)"), unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    zone: Mapped[str] = mapped_column(Text)
    weekly: Mapped[dict[str, Any]] = mapped_column(JSONB)
    exceptions: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql("'{}'"))
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
