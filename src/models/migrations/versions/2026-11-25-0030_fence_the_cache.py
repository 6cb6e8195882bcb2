"""Fence the cache: one row for each group of tickets says whether its cached bodies may be served."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "d15f3b8a90c4"
down_revision: str | None = "c4a81f06e7d2"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_GROUPS = 32


def upgrade() -> None:
    """Create the table with its rows. They are few and short: fillfactor leaves room to update them in place."""
    op.create_table(
        "fence_groups",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'up'"), nullable=False),
        sa.Column("downs", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("state IN ('up', 'down')", name=op.f("ck_fence_groups_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fence_groups")),
    )
    op.execute("ALTER TABLE fence_groups SET (fillfactor = 20)")
    op.execute(f"INSERT INTO fence_groups (id) SELECT generate_series(0, {_GROUPS - 1})")


def downgrade() -> None:
    """Drop it."""
    op.drop_table("fence_groups")
