"""Check the audience of the events that existed before the column, while events are written."""

from collections.abc import Sequence

from alembic import op

revision: str = "c4a81f06e7d2"
down_revision: str | None = "b7e2c94d1a36"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Validate the constraint in a transaction of its own, which blocks neither reads nor writes."""
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE ticket_events VALIDATE CONSTRAINT ck_ticket_events_audience")


def downgrade() -> None:
    """Leave the constraint as it is: the migration before this one drops its column."""
