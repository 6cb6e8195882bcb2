"""Create bulk changes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "c63e9a41bd32"
down_revision: str | None = "b52d8f30ac21"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "bulk_runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("principal_id", sa.Text(collation="C"), nullable=False),
        sa.Column("action", postgresql.JSONB(), nullable=False),
        sa.Column("ticket_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("last_ticket_id", sa.BigInteger(), nullable=True),
        sa.Column("results", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cardinality(ticket_ids) <= 1000", name=op.f("ck_bulk_runs_ticket_ids")),
        sa.CheckConstraint("jsonb_array_length(results) <= cardinality(ticket_ids)", name=op.f("ck_bulk_runs_results")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_runs")),
    )
    op.create_index("ix_bulk_runs_waiting", "bulk_runs", ["id"], postgresql_where="finished_at IS NULL")
    op.create_index("ix_bulk_runs_finished_at", "bulk_runs", ["finished_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("bulk_runs")
