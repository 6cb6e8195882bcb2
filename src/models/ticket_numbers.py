"""The numbers of tickets by hour, which `services.numbers` computes from the events."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, Integer, SmallInteger, Text, Uuid
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of
from models.transaction_types import PgSnapshot


class NumberKind(StrEnum):
    """What the numbers of a row are of."""

    ALL = "all"
    PERSON = "person"
    GROUP = "group"
    TAG = "tag"


class NumberMetric(StrEnum):
    """What is counted."""

    OPENED = "opened"
    ANSWERED = "answered"
    """The first transition to `answered`."""
    CLOSED = "closed"
    MET = "met"
    """Closed under a policy of service levels, and no clock was breached."""
    MISSED = "missed"
    """Closed after a clock was breached."""


class NumberHour(Base):
    """The number of events of a metric in an hour, by the duration since the ticket was opened.

    `bucket` is that of the duration: see `services.numbers.buckets`. `generation` is the computation that the row
    belongs to: a rebuild writes a new one, which replaces the old one at its end.
    """

    __tablename__ = "number_hours"
    __table_args__ = (
        one_of("kind", NumberKind),
        one_of("metric", NumberMetric),
        CheckConstraint("count > 0", name="count"),
    )

    generation: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[NumberKind] = mapped_column(Text, primary_key=True)
    hour: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    value: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    metric: Mapped[NumberMetric] = mapped_column(Text, primary_key=True)
    bucket: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(BigInteger)


class NumberState(Base):
    """How far the numbers are computed, one row.

    The generation that is read has the events up to `position` of the log with `epoch`; NULL: it is to be rebuilt. A
    rebuild has read the tickets up to `rebuild_after`, with the events that were published at `rebuild_position`.
    """

    __tablename__ = "number_state"
    __table_args__ = (CheckConstraint("one", name="one"),)

    one: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default=sql("true"))
    generation: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    position: Mapped[int | None] = mapped_column(BigInteger)
    epoch: Mapped[UUID | None] = mapped_column(Uuid)
    rebuild_generation: Mapped[int | None] = mapped_column(Integer)
    rebuild_after: Mapped[int | None] = mapped_column(BigInteger)
    rebuild_position: Mapped[int | None] = mapped_column(BigInteger)
    rebuild_seen: Mapped[str | None] = mapped_column(PgSnapshot)
    rebuild_epoch: Mapped[UUID | None] = mapped_column(Uuid)
