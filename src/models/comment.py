"""Comments: contributions to the discussion of a ticket, never changed afterwards."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from models.audience import Audience
from models.base import Base, length_between, one_of
from models.ticket import EMAIL_MAX_LENGTH, TEXT_MAX_LENGTH


class Comment(Base):
    """One row per comment. Within a ticket, ids grow in the order of the commits. An internal comment is a note."""

    __tablename__ = "comments"
    __table_args__ = (
        length_between("text", 1, TEXT_MAX_LENGTH),
        length_between("email", 3, EMAIL_MAX_LENGTH),
        one_of("visibility", Audience),
    )

    # The ticket's id comes first, for the pages of one ticket and so that the table can be sharded by it.
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=sql("now()"))
    visibility: Mapped[Audience] = mapped_column(Text, server_default=sql("'public'"))
