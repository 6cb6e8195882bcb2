"""A secret that the instances of the service share: made by the database, once, and never shown."""

from sqlalchemy import LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class ServiceSecret(Base):
    """One row a use, `cursors` so far: 32 random bytes."""

    __tablename__ = "service_secrets"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
