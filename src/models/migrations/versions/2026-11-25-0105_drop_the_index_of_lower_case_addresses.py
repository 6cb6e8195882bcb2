"""Drop the index on `lower(email)`, which the release before the last one used; each change of a ticket wrote it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b81e4c5d7f02"
down_revision: str | None = "a6d0f2b7c915"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_INDEX = "ix_tickets_lower_email_id"


def upgrade() -> None:
    """Drop the index without blocking requests."""
    with op.get_context().autocommit_block():
        op.drop_index(_INDEX, "tickets", if_exists=True, postgresql_concurrently=True)


def downgrade() -> None:
    """Build the index again."""
    with op.get_context().autocommit_block():
        op.drop_index(_INDEX, "tickets", if_exists=True, postgresql_concurrently=True)
        op.create_index(_INDEX, "tickets", [sa.text("lower(email)"), "id"], postgresql_concurrently=True)
