"""Give tickets assignee, group, priority, tags, custom fields, external id, notes, participants, links and merges.

Facets are what lists filter by: a trigger copies them to a table of their own, in the order of the lists. A ticket
without such values has none, so they cost comments and most other changes nothing.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "c2f7a94e1d60"
down_revision: str | None = "a4c9e0b27f13"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_GUARDS = "b7e2c94d1a36"


def _columns() -> dict[str, list[sa.Column[Any]]]:
    """Return the new columns by table. Alembic ties each to a table, so that every call makes new ones."""
    texts = postgresql.ARRAY(sa.Text())
    return {
        "tickets": [
            sa.Column("assignee_id", sa.Text(collation="C"), nullable=True),
            sa.Column("group_id", sa.BigInteger(), nullable=True),
            sa.Column("priority", sa.Text(), server_default=sa.text("'normal'"), nullable=False),
            sa.Column("tags", texts, server_default=sa.text("'{}'"), nullable=False),
            sa.Column("custom", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
            sa.Column("source", sa.Text(), nullable=True),
            sa.Column("external_id", sa.Text(), nullable=True),
            sa.Column("participants", texts, server_default=sa.text("'{}'"), nullable=False),
            sa.Column("note_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
            sa.Column("follow_up_of", sa.BigInteger(), nullable=True),
            sa.Column("merged_into", sa.BigInteger(), nullable=True),
            sa.Column("merged_at", sa.DateTime(timezone=True), nullable=True),
        ],
        "comments": [sa.Column("visibility", sa.Text(), server_default=sa.text("'public'"), nullable=False)],
        "ticket_events": [sa.Column("internal", postgresql.JSONB(), nullable=True)],
    }


# The next migration checks the rows that exist.
_CHECKS = {
    "ck_tickets_priority": ("tickets", "priority IN ('urgent', 'high', 'normal', 'low')"),
    "ck_tickets_external_id": ("tickets", "(source IS NULL) = (external_id IS NULL)"),
    "ck_comments_visibility": ("comments", "visibility IN ('public', 'internal')"),
    "ck_ticket_events_type": (
        "ticket_events",
        "type IN ('created', 'changed', 'commented', 'noted', 'linked', 'merged')",
    ),
}
_FIRST_EVENT_TYPES = "type IN ('created', 'changed', 'commented')"

_EMAIL_KEYS = """
CREATE FUNCTION email_keys(addresses text[]) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT COALESCE(array_agg(email_key(address)), '{}') FROM unnest(addresses) AS address
$$
"""
# In the order of urgency, for lists that are sorted by priority.
_PRIORITY_RANK = """
CREATE FUNCTION priority_rank(priority text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE priority WHEN 'urgent' THEN 1 WHEN 'high' THEN 2 WHEN 'normal' THEN 3 ELSE 4 END
"""
# A facet is at most 266 characters long, so that it fits into an index entry. Lists compare the whole value again.
_FACETS_OF = """
CREATE FUNCTION facets_of(concerned tickets) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT COALESCE(array_agg(DISTINCT facet), '{}') FROM (
        SELECT 'assignee:' || concerned.assignee_id WHERE concerned.assignee_id IS NOT NULL
        UNION ALL SELECT 'group:' || concerned.group_id WHERE concerned.group_id IS NOT NULL
        UNION ALL SELECT 'priority:' || concerned.priority WHERE concerned.priority <> 'normal'
        UNION ALL SELECT 'tag:' || tag FROM unnest(concerned.tags) AS tag
        UNION ALL SELECT 'participant:' || unnest(email_keys(concerned.participants))
        UNION ALL
        SELECT 'custom.' || key || ':' || left(item #>> '{}', 200)
        FROM jsonb_each(concerned.custom) AS field (key, value)
        CROSS JOIN LATERAL jsonb_array_elements(
            CASE jsonb_typeof(value) WHEN 'array' THEN value ELSE jsonb_build_array(value) END
        ) AS items (item)
    ) AS facets (facet)
$$
"""
# Whether custom fields have these values, of several options one.
_CUSTOM_MATCHES = """
CREATE FUNCTION custom_matches(custom jsonb, keys text[], texts text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT COALESCE(bool_and(
        CASE jsonb_typeof(custom -> key)
            WHEN 'array' THEN jsonb_exists(custom -> key, wanted)
            ELSE custom ->> key = wanted
        END IS TRUE
    ), true)
    FROM unnest(keys, texts) AS of_key (key, wanted)
$$
"""
_TICKETS_FACETS = """
CREATE FUNCTION tickets_facets() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before text[] := '{}';
    after text[] := facets_of(NEW);
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before := facets_of(OLD);
        DELETE FROM ticket_facets
        WHERE ticket_id = OLD.id AND status = OLD.status AND facet = ANY(before)
            AND (OLD.status <> NEW.status OR facet <> ALL(after));
        IF OLD.status <> NEW.status THEN
            before := '{}';
        END IF;
    END IF;
    INSERT INTO ticket_facets (facet, status, ticket_id)
    SELECT facet, NEW.status, NEW.id FROM unnest(after) AS facet WHERE facet <> ALL(before);
    RETURN NULL;
END
$$
"""
_HAS_FACETS = (
    "({row}.assignee_id IS NOT NULL OR {row}.group_id IS NOT NULL OR {row}.priority <> 'normal'"
    " OR {row}.tags <> '{{}}' OR {row}.participants <> '{{}}' OR {row}.custom <> '{{}}')"
)
_FACETS_CHANGED = " OR ".join(
    f"OLD.{column} IS DISTINCT FROM NEW.{column}"
    for column in ("assignee_id", "group_id", "priority", "tags", "participants", "custom")
)

_PURPOSE_PERMITS = """
CREATE OR REPLACE FUNCTION purpose_permits(of_table text, changed text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT COALESCE(CASE current_setting('tickets.change_purpose', true)
        WHEN 'merge' THEN changed <@ CASE of_table
            WHEN 'tickets' THEN ARRAY['version', 'updated_at', 'merged_into', 'merged_at', 'participants']
        END
        WHEN 'link' THEN changed <@ CASE of_table WHEN 'tickets' THEN ARRAY['version', 'updated_at'] END
        WHEN 'rename_tag' THEN changed <@ CASE of_table WHEN 'tickets' THEN ARRAY['version', 'updated_at', 'tags'] END
        WHEN 'erasure' THEN changed <@ CASE of_table
            WHEN 'tickets' THEN ARRAY['version', 'updated_at', 'subject', 'text', 'email', 'participants', 'custom']
            WHEN 'comments' THEN ARRAY['text', 'email']
            WHEN 'ticket_events' THEN ARRAY['data', 'internal']
        END
        WHEN 'backfill' THEN NOT changed && CASE of_table
            WHEN 'tickets' THEN ARRAY['id', 'status', 'version', 'closed_at']
            WHEN 'comments' THEN ARRAY['ticket_id', 'id', 'created_at', 'visibility']
            WHEN 'ticket_events' THEN ARRAY['ticket_id', 'version', 'type', 'data', 'actor', 'created_at']
        END
    END, false)
$$
"""

# The tickets that were merged into a ticket, over every step; and a ticket with those that it was merged into.
_MERGED_TICKETS = """
CREATE FUNCTION merged_tickets(target bigint) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE merged (id) AS (
        SELECT id FROM tickets WHERE merged_into = target
        UNION SELECT source.id FROM tickets AS source JOIN merged ON source.merged_into = merged.id
    )
    SELECT id FROM merged
$$
"""
_WITH_MERGE_TARGETS = """
CREATE FUNCTION with_merge_targets(concerned bigint) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE targets (id, next) AS (
        SELECT id, merged_into FROM tickets WHERE id = concerned
        UNION SELECT target.id, target.merged_into FROM tickets AS target JOIN targets ON target.id = targets.next
    )
    SELECT id FROM targets
$$
"""


_FUNCTIONS = (
    _EMAIL_KEYS,
    _PRIORITY_RANK,
    _FACETS_OF,
    _CUSTOM_MATCHES,
    _TICKETS_FACETS,
    _PURPOSE_PERMITS,
    _MERGED_TICKETS,
    _WITH_MERGE_TARGETS,
)
_TRIGGERS = {
    "tickets_facets_of_new": f"AFTER INSERT ON tickets FOR EACH ROW WHEN ({_HAS_FACETS.format(row='NEW')})"
    " EXECUTE FUNCTION tickets_facets()",
    "tickets_facets_of_changed": "AFTER UPDATE ON tickets FOR EACH ROW"
    f" WHEN ({_FACETS_CHANGED} OR OLD.status <> NEW.status AND {_HAS_FACETS.format(row='NEW')})"
    " EXECUTE FUNCTION tickets_facets()",
}


def upgrade() -> None:
    """Add tables, columns, functions and triggers; the columns have constant defaults, so that no row is rewritten."""
    op.create_table(
        "ticket_facets",
        sa.Column("facet", sa.Text(collation="C"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("facet", "status", "ticket_id", name=op.f("pk_ticket_facets")),
    )
    op.create_table(
        "ticket_links",
        sa.Column("ticket_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("other_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint(
            "type IN ('relates_to', 'duplicates', 'blocks', 'duplicated_by', 'blocked_by')",
            name=op.f("ck_ticket_links_type"),
        ),
        sa.PrimaryKeyConstraint("ticket_id", "type", "other_id", name=op.f("pk_ticket_links")),
    )
    # In one statement, in the order in which a comment locks them, which prevents deadlocks.
    op.execute("LOCK TABLE comments, tickets, ticket_events IN ACCESS EXCLUSIVE MODE")
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.execute("ALTER TABLE ticket_events DROP CONSTRAINT ck_ticket_events_type")
    for name, (table, condition) in _CHECKS.items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID")
    for function in _FUNCTIONS:
        op.execute(function)
    for name, trigger in _TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {trigger}")


_REFUSE_TO_PUBLISH_NOTES = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM comments WHERE visibility = 'internal') THEN
        RAISE EXCEPTION 'there are internal notes, which the release before would show to requesters';
    END IF;
END
$$
"""


def downgrade() -> None:
    """Put the functions of before back, and drop the columns; refused while there are internal notes."""
    op.execute("LOCK TABLE comments, tickets, ticket_events IN ACCESS EXCLUSIVE MODE")
    op.execute(_REFUSE_TO_PUBLISH_NOTES)
    for name in _TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON tickets")
    script = op.get_context().script
    assert script is not None  # noqa: S101 - the script that runs this
    permits = script.get_revision(_GUARDS).module._PURPOSE_PERMITS  # noqa: SLF001
    op.execute(permits.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
    for function in (
        "tickets_facets()",
        "custom_matches(jsonb, text[], text[])",
        "facets_of(tickets)",
        "with_merge_targets(bigint)",
        "merged_tickets(bigint)",
        "priority_rank(text)",
        "email_keys(text[])",
    ):
        op.execute(f"DROP FUNCTION {function}")
    for name, (table, _) in _CHECKS.items():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    op.execute(f"ALTER TABLE ticket_events ADD CONSTRAINT ck_ticket_events_type CHECK ({_FIRST_EVENT_TYPES}) NOT VALID")
    for table, columns in _columns().items():
        for column in columns:
            op.drop_column(table, column.name)
    op.drop_table("ticket_links")
    op.drop_table("ticket_facets")
