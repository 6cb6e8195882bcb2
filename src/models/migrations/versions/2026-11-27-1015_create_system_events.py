"""Create the events that concern no ticket."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "f4b7d90c2e35"
down_revision: str | None = "e9c3a05d7f18"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "system_events",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("is_published", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("type IN ('webhook_disabled')", name=op.f("ck_system_events_type")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system_events")),
    )
    op.create_index("ix_system_events_waiting", "system_events", ["id"], postgresql_where=sa.text("NOT is_published"))
    # After a downgrade, the log still has the numbers of the deleted events.
    op.execute(
        "SELECT setval(pg_get_serial_sequence('system_events', 'id'), max(version)) FROM event_log"
        " WHERE ticket_id = 0 HAVING max(version) IS NOT NULL"
    )


def downgrade() -> None:
    """Drop it. Its entries stay in the log, whose positions have no gaps; readers skip entries without an event."""
    op.drop_table("system_events")
