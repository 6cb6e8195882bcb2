"""Principals: the people, service accounts and parts of the service that events, history and logs name."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Boolean, CheckConstraint, DateTime, Index, Integer, Sequence, Text, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between, one_of

NAME_MAX_LENGTH = 100
ID_MAX_LENGTH = 300


class Role(StrEnum):
    """The permissions of a principal."""

    ADMIN = "admin"
    """Does all that an agent does, and manages people, groups and keys."""
    AGENT = "agent"
    """Works on every ticket."""
    REQUESTER = "requester"
    """Reads and changes the tickets of one email address, and writes only under it."""
    MONITOR = "monitor"
    """Reads the metrics and nothing else."""


class Scope(StrEnum):
    """What a restricted API key may do, within the permissions of its role."""

    READ = "read"
    """Reads."""
    COMMENT = "comment"
    """Comments on tickets."""
    WRITE = "write"
    """Creates, changes and comments tickets."""
    ADMIN = "admin"
    """Manages people, groups and keys."""


class PrincipalKind(StrEnum):
    """What a principal is."""

    PERSON = "person"
    """A person, with the id `person:N`."""
    SERVICE = "service"
    """A program with API keys, with the id `key:NAME`."""
    SYSTEM = "system"
    """The service itself, and requests without credentials."""


class RoleSource(StrEnum):
    """Where the role of a principal comes from."""

    ADMIN = "admin"
    """An admin or an operator set it."""
    TOKEN = "token"  # noqa: S105 - the name of a source
    """The token of an OIDC issuer named it."""


class Principal(Base):
    """One row per principal. `id` never changes and is never used again, because events refer to it."""

    __tablename__ = "principals"
    __table_args__ = (
        one_of("kind", PrincipalKind),
        one_of("role", Role),
        one_of("role_source", RoleSource),
        length_between("id", 1, ID_MAX_LENGTH),
        length_between("name", 1, NAME_MAX_LENGTH),
        length_between("email", 3, 254),
        CheckConstraint("kind <> 'service' OR (role = 'requester') = (email IS NOT NULL)", name="email"),
        CheckConstraint("active = (deactivated_at IS NULL)", name="deactivated_at"),
        CheckConstraint("version >= 1", name="version"),
        UniqueConstraint("subject"),
        Index(
            "uq_principals_email_key",
            sql("email_key(email)"),
            unique=True,
            postgresql_where=sql("kind = 'person'"),
        ),
        Index("ix_principals_kind_created_at_id", "kind", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    kind: Mapped[PrincipalKind] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    role: Mapped[Role] = mapped_column(Text)
    role_source: Mapped[RoleSource] = mapped_column(Text, server_default=sql("'admin'"))
    zone: Mapped[str] = mapped_column(Text, server_default=sql("'UTC'"))
    language: Mapped[str] = mapped_column(Text, server_default=sql("'en'"))
    active: Mapped[bool] = mapped_column(Boolean, server_default=sql("true"))
    subject: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    deactivated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


PERSON_NUMBERS = Sequence("person_numbers", metadata=Base.metadata)
"""The numbers in the ids of people."""
