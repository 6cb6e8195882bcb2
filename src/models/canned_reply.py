"""Canned replies: texts that agents insert into their replies."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between

TITLE_MAX_LENGTH = 100
SHORTCUT_MAX_LENGTH = 40
REPLY_MAX_LENGTH = 10_000


class CannedReply(Base):
    """One row per reply. Without `group_id`, it is for all agents."""

    __tablename__ = "canned_replies"
    __table_args__ = (
        length_between("title", 1, TITLE_MAX_LENGTH),
        length_between("shortcut", 1, SHORTCUT_MAX_LENGTH),
        length_between("text", 1, REPLY_MAX_LENGTH),
        CheckConstraint("version >= 1", name="version"),
        Index("uq_canned_replies_shortcut", "shortcut", unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    # One order in every database: a page continues after a shortcut.
    shortcut: Mapped[str] = mapped_column(Text(collation="C"))
    text: Mapped[str] = mapped_column(Text)
    group_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("groups.id"))
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
