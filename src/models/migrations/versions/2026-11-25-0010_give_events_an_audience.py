"""Give each event an audience, and let the guards permit a change that names its purpose.

The guards refuse every change of a closed ticket, of its comments and of an event. The service makes a few such changes
on purpose: it marks merged tickets, it erases personal data, and migrations fill new columns. A transaction that sets
`tickets.change_purpose` may change the columns that the function `purpose_permits` lists for that purpose; everything
else stays refused.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b7e2c94d1a36"
down_revision: str | None = "9d64b0e7a215"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_FIRST = "a2062cac828d"
_CONSTRAINT = "ck_ticket_events_audience"

_CHANGED_COLUMNS = """
CREATE FUNCTION changed_columns(before jsonb, after jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT COALESCE(array_agg(name), '{}') FROM jsonb_each(after) AS of_row(name, value)
    WHERE value IS DISTINCT FROM before -> name
$$
"""

# A migration that adds a marker of merged tickets adds its column to the first list.
_PURPOSE_PERMITS = """
CREATE FUNCTION purpose_permits(of_table text, changed text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT COALESCE(CASE current_setting('tickets.change_purpose', true)
        WHEN 'merge' THEN changed <@ CASE of_table
            WHEN 'tickets' THEN ARRAY['version', 'updated_at']
        END
        WHEN 'erasure' THEN changed <@ CASE of_table
            WHEN 'tickets' THEN ARRAY['version', 'updated_at', 'subject', 'text', 'email']
            WHEN 'comments' THEN ARRAY['text', 'email']
            WHEN 'ticket_events' THEN ARRAY['data']
        END
        WHEN 'backfill' THEN NOT changed && CASE of_table
            WHEN 'tickets' THEN ARRAY['id', 'status', 'version', 'closed_at']
            WHEN 'comments' THEN ARRAY['ticket_id', 'id', 'created_at']
            WHEN 'ticket_events' THEN ARRAY['ticket_id', 'version', 'type', 'data', 'actor', 'created_at']
        END
    END, false)
$$
"""

# The edges are those of services/tickets/ticket_status.py on the day of this migration; a test compares them.
_TICKETS_GUARD = """
CREATE OR REPLACE FUNCTION tickets_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'closed' THEN
        IF NOT purpose_permits('tickets', changed_columns(to_jsonb(OLD), to_jsonb(NEW))) THEN
            RAISE EXCEPTION 'ticket % is closed, which is final', OLD.id USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
        ('open', 'answered'), ('open', 'closed'),
        ('answered', 'awaiting_reply'), ('answered', 'closed'),
        ('awaiting_reply', 'answered'), ('awaiting_reply', 'closed')
    ) THEN
        RAISE EXCEPTION 'ticket % is %, which may not become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.version <> OLD.version + 1 THEN
        IF NEW.version <> OLD.version
            OR current_setting('tickets.change_purpose', true) IS DISTINCT FROM 'backfill'
            OR NOT purpose_permits('tickets', changed_columns(to_jsonb(OLD), to_jsonb(NEW)))
        THEN
            RAISE EXCEPTION 'a change to ticket % must add exactly 1 to its version', OLD.id
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END
$$
"""

# FOR SHARE waits for a transaction that is closing the ticket, and then sees it closed.
_COMMENTS_GUARD = """
CREATE OR REPLACE FUNCTION comments_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    concerned bigint;
    found_status text;
BEGIN
    FOR concerned IN SELECT OLD.ticket_id WHERE TG_OP <> 'INSERT' UNION SELECT NEW.ticket_id WHERE TG_OP <> 'DELETE'
    LOOP
        SELECT status INTO found_status FROM tickets WHERE id = concerned FOR SHARE;
        IF found_status = 'closed' THEN
            IF TG_OP <> 'UPDATE'
                OR NOT purpose_permits('comments', changed_columns(to_jsonb(OLD), to_jsonb(NEW)))
            THEN
                RAISE EXCEPTION 'ticket % is closed, which is final', concerned USING ERRCODE = 'restrict_violation';
            END IF;
        END IF;
    END LOOP;
    RETURN COALESCE(NEW, OLD);
END
$$
"""

_EVENTS_GUARD = """
CREATE OR REPLACE FUNCTION ticket_events_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF purpose_permits('ticket_events', changed_columns(to_jsonb(OLD), to_jsonb(NEW))) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the history of ticket % is not rewritten', OLD.ticket_id USING ERRCODE = 'restrict_violation';
END
$$
"""


def upgrade() -> None:
    """Replace the guards, and add the column with its CHECK; the next migration checks the rows that exist."""
    for function in (_CHANGED_COLUMNS, _PURPOSE_PERMITS, _TICKETS_GUARD, _COMMENTS_GUARD, _EVENTS_GUARD):
        op.execute(function)
    op.add_column("ticket_events", sa.Column("audience", sa.Text(), server_default=sa.text("'public'"), nullable=False))
    op.execute(
        f"ALTER TABLE ticket_events ADD CONSTRAINT {_CONSTRAINT} CHECK (audience IN ('public', 'internal')) NOT VALID"
    )


def downgrade() -> None:
    """Put the first guards back, and drop the column."""
    script = op.get_context().script
    assert script is not None  # noqa: S101 - the script that runs this
    first = script.get_revision(_FIRST).module
    for guard in (first._TICKETS_GUARD, first._COMMENTS_GUARD, first._EVENTS_GUARD):  # noqa: SLF001
        op.execute(guard.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    op.execute("DROP FUNCTION purpose_permits(text, text[])")
    op.execute("DROP FUNCTION changed_columns(jsonb, jsonb)")
    op.drop_column("ticket_events", "audience")
