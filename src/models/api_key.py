"""API keys: the credentials of programs, and of people in programs."""

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base
from models.principal import NAME_MAX_LENGTH, Scope

_SCOPES = ", ".join(f"'{scope}'" for scope in Scope)


class ApiKey(Base):
    """One row per key. Only the SHA-256 of the secret is stored. `scopes` is NULL for a key without restriction.

    The name, role and email address of a key are those of its principal. The release before this one reads and writes
    `name`, `role` and `email` in their place, and knows no role `admin`: see `services.access.api_keys`.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("role IN ('agent', 'requester', 'monitor')", name="role"),
        CheckConstraint("(role = 'requester') = (email IS NOT NULL)", name="email"),
        CheckConstraint(f"char_length(name) BETWEEN 1 AND {NAME_MAX_LENGTH}", name="name_length"),
        CheckConstraint("octet_length(secret_hash) = 32", name="secret_hash_length"),
        CheckConstraint(f"scopes <@ ARRAY[{_SCOPES}] AND cardinality(scopes) > 0", name="scopes"),
        Index("ix_api_keys_name", "name"),
        Index("ix_api_keys_principal_id", "principal_id"),
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    # A trigger sets it in the rows of the release before this one.
    principal_id: Mapped[str] = mapped_column(Text(collation="C"), ForeignKey("principals.id"))
    scopes: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
