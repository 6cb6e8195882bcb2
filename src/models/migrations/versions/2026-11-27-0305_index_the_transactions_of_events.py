"""Index the transactions of events, and the order of the events that have none, while events are written."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b94d2e6a0c31"
down_revision: str | None = "a3c8e15f7b20"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The second one is for the numbering of history in the next migration, which drops it. New events are not in it.
_INDEXES = {
    "ix_ticket_events_xid": (["xid"], "xid IS NOT NULL"),
    "ix_ticket_events_unnumbered": (["created_at", "ticket_id", "version"], "xid IS NULL"),
}


def upgrade() -> None:
    """Build the indexes without blocking requests. An interrupted build leaves an invalid index, which is dropped."""
    with op.get_context().autocommit_block():
        for name, (columns, condition) in _INDEXES.items():
            op.drop_index(name, "ticket_events", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name, "ticket_events", columns, postgresql_where=sa.text(condition), postgresql_concurrently=True
            )


def downgrade() -> None:
    """Drop the indexes."""
    with op.get_context().autocommit_block():
        for name in _INDEXES:
            op.drop_index(name, "ticket_events", if_exists=True, postgresql_concurrently=True)
