"""Idempotency keys: processed requests, stored so that a retry has no second effect."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, Integer, LargeBinary, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base

KEY_MAX_LENGTH = 255


class IdempotencyKey(Base):
    """One row per request and key.

    `request_hash` identifies what was sent. `body`, `ticket_id` and `version` are the result: see
    `services.write_result`. The release before this one reads and writes `fingerprint` and `result` in their place, and
    its rows have no others: see `services.idempotency_compatibility`.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint(f"char_length(key) BETWEEN 1 AND {KEY_MAX_LENGTH}", name="key_length"),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )

    principal: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(Text)
    result: Mapped[str] = mapped_column(Text)
    request_hash: Mapped[str | None] = mapped_column(Text)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    ticket_id: Mapped[int | None] = mapped_column(BigInteger)
    version: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
