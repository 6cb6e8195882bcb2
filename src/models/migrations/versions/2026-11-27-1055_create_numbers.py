"""Create the numbers of tickets. The background work computes them from the events, those of before included."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from models.transaction_types import PgSnapshot

revision: str = "d74fab52ce43"
down_revision: str | None = "c63e9a41bd32"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add two tables, and the one row of the second."""
    op.create_table(
        "number_hours",
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Text(collation="C"), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('all', 'person', 'group', 'tag')", name=op.f("ck_number_hours_kind")),
        sa.CheckConstraint(
            "metric IN ('opened', 'answered', 'closed', 'met', 'missed')", name=op.f("ck_number_hours_metric")
        ),
        sa.CheckConstraint("count > 0", name=op.f("ck_number_hours_count")),
        sa.PrimaryKeyConstraint(
            "generation", "kind", "hour", "value", "metric", "bucket", name=op.f("pk_number_hours")
        ),
    )
    op.create_table(
        "number_state",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("epoch", sa.Uuid(), nullable=True),
        sa.Column("rebuild_generation", sa.Integer(), nullable=True),
        sa.Column("rebuild_after", sa.BigInteger(), nullable=True),
        sa.Column("rebuild_position", sa.BigInteger(), nullable=True),
        sa.Column("rebuild_seen", PgSnapshot(), nullable=True),
        sa.Column("rebuild_epoch", sa.Uuid(), nullable=True),
        sa.CheckConstraint("one", name=op.f("ck_number_state_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_number_state")),
    )
    op.execute("INSERT INTO number_state DEFAULT VALUES")


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("number_state")
    op.drop_table("number_hours")
