"""Create tickets, comments and events, with triggers that enforce the rules for hand-written SQL too."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "a2062cac828d"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_GUARDED = {
    "tickets": "UPDATE",
    "comments": "INSERT OR UPDATE OR DELETE",
    "ticket_events": "UPDATE OR DELETE",
}

# The transitions are those of services/tickets/ticket_status.py; a test compares the two.
_TICKETS_GUARD = """
CREATE FUNCTION tickets_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'closed' THEN
        RAISE EXCEPTION 'ticket % is closed, which is final', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
        ('open', 'answered'), ('open', 'closed'),
        ('answered', 'awaiting_reply'), ('answered', 'closed'),
        ('awaiting_reply', 'answered'), ('awaiting_reply', 'closed')
    ) THEN
        RAISE EXCEPTION 'ticket % is %, which may not become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.version <> OLD.version + 1 THEN
        RAISE EXCEPTION 'a change to ticket % must add exactly 1 to its version', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$
"""

# FOR SHARE waits for a transaction that closes the ticket, and then reads the status closed.
_COMMENTS_GUARD = """
CREATE FUNCTION comments_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    concerned bigint;
    found_status text;
BEGIN
    FOR concerned IN SELECT OLD.ticket_id WHERE TG_OP <> 'INSERT' UNION SELECT NEW.ticket_id WHERE TG_OP <> 'DELETE'
    LOOP
        SELECT status INTO found_status FROM tickets WHERE id = concerned FOR SHARE;
        IF found_status = 'closed' THEN
            RAISE EXCEPTION 'ticket % is closed, which is final', concerned USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN COALESCE(NEW, OLD);
END
$$
"""

_EVENTS_GUARD = """
CREATE FUNCTION ticket_events_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history of ticket % is not rewritten', OLD.ticket_id USING ERRCODE = 'restrict_violation';
END
$$
"""


def upgrade() -> None:
    """Create the whole schema."""
    op.create_table(
        "tickets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("comment_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_tickets_closed_at")),
        sa.CheckConstraint(
            "status IN ('open', 'answered', 'awaiting_reply', 'closed')", name=op.f("ck_tickets_status")
        ),
        sa.CheckConstraint("char_length(email) BETWEEN 3 AND 254", name=op.f("ck_tickets_email_length")),
        sa.CheckConstraint("char_length(subject) BETWEEN 1 AND 255", name=op.f("ck_tickets_subject_length")),
        sa.CheckConstraint("char_length(text) BETWEEN 1 AND 65536", name=op.f("ck_tickets_text_length")),
        sa.CheckConstraint("comment_count >= 0", name=op.f("ck_tickets_comment_count")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_tickets_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
    )
    op.create_table(
        "comments",
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("char_length(email) BETWEEN 3 AND 254", name=op.f("ck_comments_email_length")),
        sa.CheckConstraint("char_length(text) BETWEEN 1 AND 65536", name=op.f("ck_comments_text_length")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_comments_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("ticket_id", "id", name=op.f("pk_comments")),
    )
    op.create_table(
        "ticket_events",
        sa.Column("ticket_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("type IN ('created', 'changed', 'commented')", name=op.f("ck_ticket_events_type")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_events_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("ticket_id", "version", name=op.f("pk_ticket_events")),
    )
    for statement in (_TICKETS_GUARD, _COMMENTS_GUARD, _EVENTS_GUARD):
        op.execute(statement)
    for table, operations in _GUARDED.items():
        op.execute(
            f"CREATE TRIGGER {table}_guard BEFORE {operations} ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_guard()"
        )


def downgrade() -> None:
    """Drop the whole schema."""
    op.drop_table("ticket_events")
    op.drop_table("comments")
    op.drop_table("tickets")
    for table in _GUARDED:
        op.execute(f"DROP FUNCTION {table}_guard()")
