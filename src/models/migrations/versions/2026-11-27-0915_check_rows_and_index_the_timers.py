"""Check the rows that existed before the service levels, and index what is due: each index has few rows."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e9c3a05d7f18"
down_revision: str | None = "d1e84b7a3c06"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_CHECKS = {"ck_tickets_sla_state": "tickets", "ck_ticket_events_type": "ticket_events"}
_INDEXES = {
    "ix_tickets_due_at_id": (["due_at", "id"], "due_at IS NOT NULL"),
    "ix_tickets_status_due_at_id": (["status", "due_at", "id"], "due_at IS NOT NULL"),
    "ix_tickets_timer_at": (["timer_at"], "timer_at IS NOT NULL AND status <> 'closed'"),
}


def upgrade() -> None:
    """Work without blocking requests. An interrupted build leaves an invalid index, which is dropped."""
    with op.get_context().autocommit_block():
        for name, table in _CHECKS.items():
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
        for name, (columns, condition) in _INDEXES.items():
            op.drop_index(name, "tickets", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name,
                "tickets",
                columns,
                postgresql_where=sa.text(condition),
                postgresql_concurrently=True,
            )


def downgrade() -> None:
    """Drop the indexes; the migration before this one drops the constraints."""
    with op.get_context().autocommit_block():
        for name in _INDEXES:
            op.drop_index(name, "tickets", if_exists=True, postgresql_concurrently=True)
