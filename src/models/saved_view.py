"""Saved views: names for queries of the list of tickets."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between
from models.principal import NAME_MAX_LENGTH

QUERY_MAX_LENGTH = 2_000


class SavedView(Base):
    """One row per view. `owner_id` is the principal whose view it is; NULL for a view that all agents share."""

    __tablename__ = "saved_views"
    __table_args__ = (
        length_between("name", 1, NAME_MAX_LENGTH),
        CheckConstraint(f"char_length(query) <= {QUERY_MAX_LENGTH}", name="query_length"),
        CheckConstraint("version >= 1", name="version"),
        Index("ix_saved_views_owner_id", "owner_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    owner_id: Mapped[str | None] = mapped_column(Text(collation="C"))
    name: Mapped[str] = mapped_column(Text)
    query: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
