"""The sign-in of people: sessions, passwords and second factors, single-use tokens, and the set-up."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between, one_of

USER_AGENT_MAX_LENGTH = 300
ADDRESS_MAX_LENGTH = 100
HASH_BYTES = 32


class SignInMethod(StrEnum):
    """How a session was begun."""

    SET_UP = "set_up"
    """With the set-up link, which makes the first admin."""
    PASSWORD = "password"  # noqa: S105 - the name of a method
    """With a password, and a second factor if the person has one."""
    LINK = "link"
    """With a link that an operator or an agent made."""
    OIDC = "oidc"
    """At the OIDC issuer."""


class SignInTokenPurpose(StrEnum):
    """The purpose of a single-use token."""

    SET_UP = "set_up"
    """Makes the first admin; a start of the service makes it."""
    LINK = "link"
    """Signs a person in."""
    SECOND_FACTOR = "second_factor"
    """Stands for the password that was right, until the second factor is."""
    OIDC = "oidc"
    """The state of a sign-in at the OIDC issuer; `details` has the values that its return is checked with."""


class PersonSession(Base):
    """One row per session of a browser. The cookie has the random value whose SHA-256 is `token_hash`.

    `email` is the address that the OIDC issuer has verified, for a requester whose role the issuer decides.
    """

    __tablename__ = "person_sessions"
    __table_args__ = (
        one_of("method", SignInMethod),
        CheckConstraint(f"octet_length(token_hash) = {HASH_BYTES}", name="token_hash_length"),
        CheckConstraint(f"char_length(user_agent) <= {USER_AGENT_MAX_LENGTH}", name="user_agent_length"),
        CheckConstraint(f"char_length(address) <= {ADDRESS_MAX_LENGTH}", name="address_length"),
        length_between("email", 3, 254),
        CheckConstraint("expires_at > created_at", name="expires_at"),
        Index("uq_person_sessions_token_hash", "token_hash", unique=True),
        Index("ix_person_sessions_person_id", "person_id"),
        Index("ix_person_sessions_expires_at", "expires_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    person_id: Mapped[str] = mapped_column(Text(collation="C"), ForeignKey("principals.id"))
    method: Mapped[SignInMethod] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)
    user_agent: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class PersonCredentials(Base):
    """The password and the second factor of a person; NULL for one that the person does not have.

    `totp_secret` is sealed. It counts from `totp_confirmed_at` on. `totp_step` is the number of the latest time step
    whose code was used (RFC 6238): this code and earlier ones are refused.
    """

    __tablename__ = "person_credentials"
    __table_args__ = (
        CheckConstraint("totp_confirmed_at IS NULL OR totp_secret IS NOT NULL", name="totp_confirmed_at"),
        CheckConstraint("password_hash IS NULL OR password_changed_at IS NOT NULL", name="password_changed_at"),
    )

    person_id: Mapped[str] = mapped_column(Text(collation="C"), ForeignKey("principals.id"), primary_key=True)
    password_hash: Mapped[str | None] = mapped_column(Text)
    password_changed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    totp_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    totp_step: Mapped[int | None] = mapped_column(BigInteger)


class RecoveryCode(Base):
    """One row per recovery code that was not used: the SHA-256 of the code."""

    __tablename__ = "recovery_codes"
    __table_args__ = (CheckConstraint(f"octet_length(code_hash) = {HASH_BYTES}", name="code_hash_length"),)

    person_id: Mapped[str] = mapped_column(Text(collation="C"), ForeignKey("principals.id"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)


class SignInToken(Base):
    """One row per single-use token that was not used: the SHA-256 of its random value.

    A token of the set-up has no person and no end; one of the OIDC sign-in has no person.
    """

    __tablename__ = "sign_in_tokens"
    __table_args__ = (
        one_of("purpose", SignInTokenPurpose),
        CheckConstraint(f"octet_length(token_hash) = {HASH_BYTES}", name="token_hash_length"),
        CheckConstraint("(purpose IN ('link', 'second_factor')) = (person_id IS NOT NULL)", name="person_id"),
        CheckConstraint("(purpose = 'set_up') = (expires_at IS NULL)", name="expires_at"),
        Index("ix_sign_in_tokens_expires_at", "expires_at"),
        Index("ix_sign_in_tokens_person_id", "person_id"),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    purpose: Mapped[SignInTokenPurpose] = mapped_column(Text)
    person_id: Mapped[str | None] = mapped_column(Text(collation="C"), ForeignKey("principals.id"))
    details: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=sql("'{}'"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class SetUp(Base):
    """The one row that says that the set-up is closed: an admin has a password. It is never deleted."""

    __tablename__ = "set_up"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    person_id: Mapped[str] = mapped_column(Text(collation="C"), ForeignKey("principals.id"))
    closed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
