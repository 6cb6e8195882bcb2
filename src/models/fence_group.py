"""A fence group: whether the fence of a group of tickets in Redis may be renewed."""

from enum import StrEnum

from sqlalchemy import BigInteger, SmallInteger, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of

# Tickets are spread over the groups by their id. All releases that run at the same time must agree on the number.
FENCE_GROUPS = 32


class FenceState(StrEnum):
    """Whether cached bodies of a group may be served."""

    UP = "up"
    """The fence is renewed, and bodies of its epoch are served."""
    DOWN = "down"
    """A writer could not invalidate: the fence is not renewed, so that no body of the group is served."""


class FenceGroup(Base):
    """One row a group, from 0 to FENCE_GROUPS - 1. `downs` counts how often the group went down."""

    __tablename__ = "fence_groups"
    __table_args__ = (one_of("state", FenceState),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    state: Mapped[FenceState] = mapped_column(Text, server_default=sql("'up'"))
    downs: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
