"""API keys: the credentials of programs, with their role."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, DateTime, Index, LargeBinary, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of

NAME_MAX_LENGTH = 100


class Role(StrEnum):
    """The permissions of a principal."""

    AGENT = "agent"
    """Works on every ticket."""
    REQUESTER = "requester"
    """Reads and changes the tickets of one email address, and writes only under it."""
    MONITOR = "monitor"
    """Reads the metrics and nothing else."""


class ApiKey(Base):
    """One row per key. Only the SHA-256 of the secret is stored. Keys of one name are the same principal."""

    __tablename__ = "api_keys"
    __table_args__ = (
        one_of("role", Role),
        CheckConstraint("(role = 'requester') = (email IS NOT NULL)", name="email"),
        CheckConstraint(f"char_length(name) BETWEEN 1 AND {NAME_MAX_LENGTH}", name="name_length"),
        CheckConstraint("octet_length(secret_hash) = 32", name="secret_hash_length"),
        Index("ix_api_keys_name", "name"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    role: Mapped[Role] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
