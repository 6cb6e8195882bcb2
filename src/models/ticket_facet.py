"""Facets: the values that lists filter by, each with its tickets in the order of their ids."""

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base
from models.ticket import TicketStatus


class TicketFacet(Base):
    """One row per ticket and value; written by triggers on tickets.

    The values: `assignee:ID`, `group:ID`, `priority:NAME`, `tag:NAME`, `custom.KEY:VALUE`, `participant:ADDRESS`.

    The primary key is the index: a filter reads the tickets of one facet and status in the order of their ids. Tickets
    without such values have no facets, the priority `normal` included, so that these filters cost other writes nothing.
    """

    __tablename__ = "ticket_facets"

    facet: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    status: Mapped[TicketStatus] = mapped_column(Text, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
