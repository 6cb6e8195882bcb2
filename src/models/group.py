"""Groups: teams of agents, to which tickets can be assigned."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, ForeignKey, Identity, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between
from models.principal import NAME_MAX_LENGTH


class Group(Base):
    """One row per group. Names are unique without regard to case, by the key that compares email addresses."""

    __tablename__ = "groups"
    __table_args__ = (
        length_between("name", 1, NAME_MAX_LENGTH),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("auto_close_after >= 0", name="auto_close_after"),
        Index("uq_groups_name_key", sql("email_key(name)"), unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    # In seconds; 0: never, NULL: as the service is configured.
    auto_close_after: Mapped[int | None] = mapped_column(Integer)
    active: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))


class GroupMember(Base):
    """One row per group and member. `assigned_at` is when a rule last assigned a ticket to the member."""

    __tablename__ = "group_members"
    __table_args__ = (Index("ix_group_members_principal_id", "principal_id"),)

    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), primary_key=True)
    principal_id: Mapped[str] = mapped_column(Text(collation="C"), ForeignKey("principals.id"), primary_key=True)
    assigned_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
