"""Links between tickets."""

from enum import StrEnum

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, one_of


class LinkType(StrEnum):
    """What a ticket is to another one. Each type has an inverse, which the other ticket shows."""

    RELATES_TO = "relates_to"
    DUPLICATES = "duplicates"
    BLOCKS = "blocks"
    DUPLICATED_BY = "duplicated_by"
    BLOCKED_BY = "blocked_by"


class TicketLink(Base):
    """Two rows per link, one for each of its tickets."""

    __tablename__ = "ticket_links"
    __table_args__ = (one_of("type", LinkType),)

    ticket_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    type: Mapped[LinkType] = mapped_column(Text, primary_key=True)
    other_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
