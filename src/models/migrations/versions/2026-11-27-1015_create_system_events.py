"""Create the events that concern no ticket."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.transaction_types import Xid8

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
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=True),
        sa.CheckConstraint("type IN ('webhook_disabled')", name=op.f("ck_system_events_type")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system_events")),
    )
    op.create_index("ix_system_events_xid", "system_events", ["xid"])


def downgrade() -> None:
    """Drop it, and its events from the log: positions without an event are skipped."""
    op.drop_table("system_events")
