"""Custom fields: what an organization stores with its tickets besides the fields that every ticket has."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ARRAY, Boolean, CheckConstraint, DateTime, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, length_between, one_of

KEY_MAX_LENGTH = 50
LABEL_MAX_LENGTH = 100
MAX_OPTIONS = 200


class FieldType(StrEnum):
    """The type of the values of a custom field."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    SELECT = "select"
    """One of the options."""
    MULTISELECT = "multiselect"
    """Some of the options."""


class RequiredAt(StrEnum):
    """When a ticket must have a value of a custom field."""

    NEVER = "never"
    CREATE = "create"
    CLOSE = "close"


class CustomField(Base):
    """One row per field. The values are in `tickets.custom`, by key. A field is never deleted: it is archived."""

    __tablename__ = "fields"
    __table_args__ = (
        length_between("key", 1, KEY_MAX_LENGTH),
        length_between("label", 1, LABEL_MAX_LENGTH),
        one_of("type", FieldType),
        one_of("required", RequiredAt),
        CheckConstraint("(type IN ('select', 'multiselect')) = (options <> '{}')", name="options"),
        CheckConstraint("version >= 1", name="version"),
    )

    key: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    label: Mapped[str] = mapped_column(Text)
    type: Mapped[FieldType] = mapped_column(Text)
    options: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=sql("'{}'"))
    required: Mapped[RequiredAt] = mapped_column(Text, server_default=sql("'never'"))
    visible_to_requester: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    archived: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
    version: Mapped[int] = mapped_column(Integer, server_default=sql("1"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
