"""Record the transaction that writes each event, and create the tables of the event log.

The publisher finds by the transaction ids what was committed between two snapshots. The events that exist have none: a
later migration numbers them. `event_numbering` keeps how far it is.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.transaction_types import PgSnapshot, Xid8

revision: str = "a3c8e15f7b20"
down_revision: str | None = "b7d2e9f40c61"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_NOTE_SNAPSHOT = """
    INSERT INTO event_numbering (one, seen, system_identifier, table_oid)
    SELECT true, :seen, system_identifier, 'event_publisher'::regclass FROM pg_control_system()
"""


def upgrade() -> None:
    """Add the column without a rewrite of the table: only new events get the default."""
    op.execute("LOCK TABLE ticket_events IN ACCESS EXCLUSIVE MODE")
    op.add_column("ticket_events", sa.Column("xid", Xid8(), nullable=True))
    op.alter_column("ticket_events", "xid", server_default=sa.text("pg_current_xact_id()"))
    op.create_table(
        "event_log",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_event_log")),
        sa.UniqueConstraint("ticket_id", "version", name=op.f("uq_event_log_ticket_id_version")),
    )
    op.create_table(
        "event_publisher",
        sa.Column("one", sa.Boolean(), nullable=False),
        sa.Column("seen", PgSnapshot(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.Column("first_position", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Uuid(), nullable=False),
        sa.Column("system_identifier", sa.BigInteger(), nullable=False),
        sa.Column("table_oid", postgresql.OID(), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_event_publisher_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_event_publisher")),
    )
    begin_numbering("pg_current_snapshot()")


def downgrade() -> None:
    """Drop the tables and the column."""
    for table in ("event_numbering", "event_publisher", "event_log"):
        op.drop_table(table)
    op.drop_column("ticket_events", "xid")


def begin_numbering(seen: str) -> None:
    """Create the table of how far the numbering of the earlier events is, with its row.

    The publisher begins with the snapshot `seen`, an expression. The current one, after the lock, has seen all events
    without a transaction id, because the transactions that wrote them had to end first, and no event that has one. The
    server and the table are noted already here: a dump that is made meanwhile is recognized when it is restored.
    """
    op.create_table(
        "event_numbering",
        sa.Column("one", sa.Boolean(), nullable=False),
        sa.Column("seen", PgSnapshot(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("'-infinity'"), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("system_identifier", sa.BigInteger(), nullable=False),
        sa.Column("table_oid", postgresql.OID(), nullable=False),
        sa.CheckConstraint("one", name=op.f("ck_event_numbering_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_event_numbering")),
    )
    op.execute(_NOTE_SNAPSHOT.replace(":seen", seen))
