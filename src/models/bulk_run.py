"""Bulk changes: one action on many tickets, each as a change of its own."""

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, DateTime, Identity, Index, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class BulkRun(Base):
    """One row per bulk change.

    `results` has one member for each of the first tickets of `ticket_ids`, in their order. A process that carries the
    change out has claimed it until `claimed_until`. `last_ticket_id` is set if the query has more tickets.
    """

    __tablename__ = "bulk_runs"
    __table_args__ = (
        CheckConstraint("cardinality(ticket_ids) <= 1000", name="ticket_ids"),
        CheckConstraint("jsonb_array_length(results) <= cardinality(ticket_ids)", name="results"),
        Index("ix_bulk_runs_waiting", "id", postgresql_where=sql("finished_at IS NULL")),
        Index("ix_bulk_runs_finished_at", "finished_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    principal_id: Mapped[str] = mapped_column(Text(collation="C"))
    action: Mapped[dict[str, Any]] = mapped_column(JSONB)
    ticket_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    last_ticket_id: Mapped[int | None] = mapped_column(BigInteger)
    results: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=sql("'[]'"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    claimed_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
