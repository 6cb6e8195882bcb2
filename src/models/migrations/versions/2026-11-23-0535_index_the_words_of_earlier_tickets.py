"""Index the words of the tickets that existed before the index."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "7b2d95c8e014"
down_revision: str | None = "e41f6a90d2b3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The tickets of a batch are locked while they are indexed, as a new comment locks them, so that no word is lost.
_INDEX_BATCH = sa.text("""
    WITH batch AS MATERIALIZED (
        SELECT tickets FROM tickets WHERE id > :after ORDER BY id LIMIT 200 FOR NO KEY UPDATE
    ),
    done AS MATERIALIZED (SELECT (tickets).id, index_ticket(tickets) FROM batch)
    SELECT max(id) FROM done
""")


def upgrade() -> None:
    """Index 200 tickets at a time; an interrupted run can be repeated and ends in the same state."""
    with op.get_context().autocommit_block():
        indexed: int | None = 0
        while indexed is not None:
            indexed = op.get_bind().scalar(_INDEX_BATCH, {"after": indexed})


def downgrade() -> None:
    """Change nothing: the words go with their table."""
