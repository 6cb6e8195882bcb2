"""Index the words of the tickets that were there before the index was."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "7b2d95c8e014"
down_revision: str | None = "e41f6a90d2b3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# A ticket is locked, as by whoever comments on it, while its batch is indexed: so no word comes in between.
_INDEX_BATCH = sa.text("""
    WITH batch AS MATERIALIZED (
        SELECT tickets FROM tickets WHERE id > :after ORDER BY id LIMIT 200 FOR NO KEY UPDATE
    ),
    done AS MATERIALIZED (SELECT (tickets).id, index_ticket(tickets) FROM batch)
    SELECT max(id) FROM done
""")


def upgrade() -> None:
    """Index a few tickets at a time; what was interrupted begins anew and ends the same."""
    with op.get_context().autocommit_block():
        indexed: int | None = 0
        while indexed is not None:
            indexed = op.get_bind().scalar(_INDEX_BATCH, {"after": indexed})


def downgrade() -> None:
    """Leave the words, which go with their table."""
