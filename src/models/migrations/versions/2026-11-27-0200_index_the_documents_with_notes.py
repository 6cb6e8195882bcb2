"""Index the documents with notes: the search of a requester reads them beside the word index."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b7d2e9f40c61"
down_revision: str | None = "e5a1d7c3b942"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_NAME = "ix_search_documents_with_notes"


def upgrade() -> None:
    """Build the index without blocking requests. An interrupted build leaves an invalid index, which is dropped."""
    with op.get_context().autocommit_block():
        op.drop_index(_NAME, "search_documents", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            _NAME,
            "search_documents",
            ["ticket_id"],
            postgresql_where=sa.text("public_words IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    """Drop the index."""
    with op.get_context().autocommit_block():
        op.drop_index(_NAME, "search_documents", if_exists=True, postgresql_concurrently=True)
