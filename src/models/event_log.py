"""The event log: the events of all tickets in one order, without gaps. See docs/events.md."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, Integer, UniqueConstraint, Uuid
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base
from models.transaction_types import PgSnapshot


class EventLogEntry(Base):
    """One row per published event. It has no body: that stays in `ticket_events`, or in `system_events`.

    Positions are visible in ascending order and have no gaps: a reader that saw one has seen all below it.
    """

    __tablename__ = "event_log"
    __table_args__ = (UniqueConstraint("ticket_id", "version"),)

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    # No foreign key: it would cost each event a lookup of its ticket.
    ticket_id: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(Integer)
    published_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))


class EventPublisher(Base):
    """The state of the publisher, one row. Without it, nothing is published: the history is not numbered yet.

    `seen` is the snapshot up to which events are published. `first_position` is the lowest position that the retention
    has left. `epoch` changes when positions may be used again, as after a restore. `system_identifier` and `table_oid`
    are those of the server and of this table when the row was written: a restored copy has others.
    """

    __tablename__ = "event_publisher"
    __table_args__ = (CheckConstraint("one", name="one"),)

    one: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    seen: Mapped[str] = mapped_column(PgSnapshot)
    last_position: Mapped[int] = mapped_column(BigInteger)
    first_position: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[UUID] = mapped_column(Uuid)
    system_identifier: Mapped[int] = mapped_column(BigInteger)
    table_oid: Mapped[int] = mapped_column(OID)
