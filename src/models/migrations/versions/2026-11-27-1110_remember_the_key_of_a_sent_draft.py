"""Give drafts the key of the form that sent them, so that a form that is sent twice is one comment."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b81d40c7e5f2"
down_revision: str | None = "a3f81c6d2e97"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("drafts", sa.Column("send_key", sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("drafts", "send_key")
