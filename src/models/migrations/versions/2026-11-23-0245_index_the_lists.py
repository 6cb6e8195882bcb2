"""Index the lists: one index per sort order, with and without status, and one for the requester."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5d0c1f7a9e42"
down_revision: str | None = "a2062cac828d"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INDEXES = {
    "ix_tickets_created_at_id": ["created_at", "id"],
    "ix_tickets_updated_at_id": ["updated_at", "id"],
    "ix_tickets_status_id": ["status", "id"],
    "ix_tickets_status_created_at_id": ["status", "created_at", "id"],
    "ix_tickets_status_updated_at_id": ["status", "updated_at", "id"],
    "ix_tickets_lower_email_id": [sa.text("lower(email)"), "id"],
}


def upgrade() -> None:
    """Build the indexes concurrently; an invalid index of an interrupted build is dropped and built again."""
    with op.get_context().autocommit_block():
        for name, columns in _INDEXES.items():
            op.drop_index(name, "tickets", if_exists=True, postgresql_concurrently=True)
            op.create_index(name, "tickets", columns, postgresql_concurrently=True)


def downgrade() -> None:
    """Drop the indexes."""
    with op.get_context().autocommit_block():
        for name in _INDEXES:
            op.drop_index(name, "tickets", if_exists=True, postgresql_concurrently=True)
