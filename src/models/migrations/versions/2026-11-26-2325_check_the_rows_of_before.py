"""Check the constraints on the rows that existed before them, while rows are written."""

from collections.abc import Sequence

from alembic import op

revision: str = "d83b06f1c5a9"
down_revision: str | None = "f6b2d8e4a071"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_CHECKS = {
    "ck_tickets_priority": "tickets",
    "ck_tickets_external_id": "tickets",
    "ck_comments_visibility": "comments",
    "ck_ticket_events_type": "ticket_events",
}


def upgrade() -> None:
    """Validate each constraint in a transaction of its own, which blocks neither reads nor writes."""
    with op.get_context().autocommit_block():
        for name, table in _CHECKS.items():
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    """Leave the constraints as they are: the migration before this one drops them."""
