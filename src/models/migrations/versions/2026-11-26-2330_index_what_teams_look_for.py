"""Index unassigned tickets, external ids, merged tickets and follow-ups: each index has few rows."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e5a1d7c3b942"
down_revision: str | None = "d83b06f1c5a9"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INDEXES = {
    "ix_tickets_unassigned_status_id": (["status", "id"], "assignee_id IS NULL AND status <> 'closed'"),
    "uq_tickets_external_id_source": (["external_id", "source"], "external_id IS NOT NULL"),
    "ix_tickets_merged_into": (["merged_into"], "merged_into IS NOT NULL"),
    "ix_tickets_follow_up_of": (["follow_up_of"], "follow_up_of IS NOT NULL"),
}


def upgrade() -> None:
    """Build the indexes without blocking requests. An interrupted build leaves an invalid index, which is dropped."""
    with op.get_context().autocommit_block():
        for name, (columns, condition) in _INDEXES.items():
            op.drop_index(name, "tickets", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name,
                "tickets",
                columns,
                unique=name.startswith("uq_"),
                postgresql_where=sa.text(condition),
                postgresql_concurrently=True,
            )


def downgrade() -> None:
    """Drop the indexes."""
    with op.get_context().autocommit_block():
        for name in _INDEXES:
            op.drop_index(name, "tickets", if_exists=True, postgresql_concurrently=True)
