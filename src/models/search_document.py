"""Search documents: the words of a ticket and of its comments, for PostgreSQL's full-text search."""

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class SearchDocument(Base):
    """One row per ticket, and further parts for a long discussion; written by triggers on tickets and comments.

    `words` are those of agents, notes included. `public_words` are those of requesters, if the part has notes.
    """

    __tablename__ = "search_documents"
    __table_args__ = (
        Index("ix_search_documents_words", "words", postgresql_using="gin"),
        Index("ix_search_documents_with_notes", "ticket_id", postgresql_where=sql("public_words IS NOT NULL")),
    )

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    words: Mapped[str] = mapped_column(TSVECTOR)
    public_words: Mapped[str | None] = mapped_column(TSVECTOR)


class RecentWords(Base):
    """The words of one comment that are not in the document of its ticket yet; written by the triggers as well."""

    __tablename__ = "recent_words"

    ticket_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    comment_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    words: Mapped[str] = mapped_column(TSVECTOR)
    is_internal: Mapped[bool] = mapped_column(Boolean, server_default=sql("false"))
