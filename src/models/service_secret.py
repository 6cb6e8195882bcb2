"""Secrets shared by all instances: created once, by a migration, and never shown."""

from sqlalchemy import LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class ServiceSecret(Base):
    """One row per purpose, with 32 random bytes.

    `cursors` signs these, `webhooks` seals the secrets of endpoints, `sign-in` those of second factors.
    """

    __tablename__ = "service_secrets"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
