"""Number the events from before the event log, in the order of their times, and let the publisher begin.

The service runs meanwhile. Its new events have a transaction id and are left to the publisher, which begins when its
row exists. An earlier event counts as published at its own time, so that the retention applies to it.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c05e3f7b1d42"
down_revision: str | None = "b94d2e6a0c31"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_FIRST = "a3c8e15f7b20"
_INDEX = "ix_ticket_events_unnumbered"

# One statement, hence one transaction: the rows and how far they reach are committed together.
_NUMBER_BATCH = sa.text("""
    WITH numbering AS MATERIALIZED (SELECT * FROM event_numbering FOR UPDATE),
    batch AS MATERIALIZED (
        SELECT ticket_id, version, created_at FROM ticket_events
        WHERE xid IS NULL AND (created_at, ticket_id, version)
            > ((SELECT created_at FROM numbering), (SELECT ticket_id FROM numbering), (SELECT version FROM numbering))
        ORDER BY created_at, ticket_id, version LIMIT :size
    ),
    logged AS (
        INSERT INTO event_log (position, ticket_id, version, published_at)
        SELECT numbering.last_position + row_number() OVER (ORDER BY batch.created_at, batch.ticket_id, batch.version),
            batch.ticket_id, batch.version, batch.created_at
        FROM numbering CROSS JOIN batch
        RETURNING position
    ),
    reached AS (
        SELECT *, (SELECT count(*) FROM logged) AS logged
        FROM batch ORDER BY created_at DESC, ticket_id DESC, version DESC LIMIT 1
    )
    UPDATE event_numbering SET
        last_position = event_numbering.last_position + reached.logged,
        created_at = reached.created_at, ticket_id = reached.ticket_id, version = reached.version
    FROM reached RETURNING reached.logged
""")
_BATCH = 5000
_LET_PUBLISH = """
    WITH numbered AS (DELETE FROM event_numbering RETURNING *)
    INSERT INTO event_publisher (one, seen, last_position, first_position, epoch, system_identifier, table_oid)
    SELECT true, seen, last_position, 1, gen_random_uuid(), system_identifier, table_oid FROM numbered
"""
# A snapshot of the time before every transaction: an upgrade after it leaves all events with a transaction id to the
# publisher.
_NOTHING_SEEN = "'3:3:'::pg_snapshot"


def upgrade() -> None:
    """Assign positions to a few thousand events at a time; an interrupted run can be repeated and goes on."""
    with op.get_context().autocommit_block():
        while op.get_bind().scalar(_NUMBER_BATCH, {"size": _BATCH}):
            pass
        op.execute(_LET_PUBLISH)
        op.drop_index(_INDEX, "ticket_events", if_exists=True, postgresql_concurrently=True)
    op.drop_table("event_numbering")


def downgrade() -> None:
    """Drop the numbers, and prepare another numbering."""
    op.execute("TRUNCATE event_publisher, event_log")
    script = op.get_context().script
    assert script is not None  # noqa: S101 - the script that runs this
    script.get_revision(_FIRST).module.begin_numbering(_NOTHING_SEEN)
    with op.get_context().autocommit_block():
        op.drop_index(_INDEX, "ticket_events", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            _INDEX,
            "ticket_events",
            ["created_at", "ticket_id", "version"],
            postgresql_where=sa.text("xid IS NULL"),
            postgresql_concurrently=True,
        )
