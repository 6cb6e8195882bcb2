"""The SQL of the tickets, one round trip a step.

LOCK      take a ticket's row for this transaction
SAVE      write one change to a locked ticket: the row, its version, a comment if there is one, the event
CREATE    write a new ticket and its first event
SELECT_DETAILS   a ticket and its latest comments, in one snapshot, as JSON for the cache; it checks no permission
IS_VISIBLE       one row if the principal may see the ticket
PAGE …    keyset pages: what comes after the last seen row; those of tickets are in `services.tickets.pages`
"""

from typing import Final

from db.postgres.statements import Statement
from services.tickets.ticket_json import COMMENT_MEMBERS, TICKET_MEMBERS, as_bytes, listed

LATEST_COMMENTS: Final = 50

# Named one by one: a statement that says * fails in a running service once a migration has added a column.
TICKET: Final = "id, subject, text, email, status, version, comment_count, created_at, updated_at, closed_at"
_COMMENT: Final = "id, ticket_id, email, text, created_at"

# Who sees a ticket: whoever sees all, and its requester. Where this stands `:requester` has to be given, and it has to
# stand wherever rows are read for somebody: a test holds the statements to it. What is not seen is not locked either.
VISIBLE_TO: Final = "(CAST(:requester AS text) IS NULL OR lower(tickets.email) = lower(:requester))"

LOCK: Final = Statement(f"SELECT {TICKET} FROM tickets WHERE id = :ticket_id AND {VISIBLE_TO} FOR NO KEY UPDATE")

# The comment must be in before its ticket is closed, or the guard of the comments refuses it; counting the new
# comments makes the update wait for them. The clock is read after the lock was had, so that times follow versions.
SAVE: Final = Statement(f"""
    WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
    new_comment AS (
        INSERT INTO comments (ticket_id, email, text, created_at)
        SELECT :ticket_id, CAST(:comment_email AS text), CAST(:comment_text AS text), at FROM moment
        WHERE CAST(:comment_text AS text) IS NOT NULL
        RETURNING id, created_at
    ),
    saved AS (
        UPDATE tickets SET
            subject = COALESCE(CAST(:subject AS text), subject),
            text = COALESCE(CAST(:text AS text), text),
            status = COALESCE(CAST(:status AS text), status),
            version = version + 1,
            comment_count = comment_count + added.comments,
            updated_at = GREATEST(updated_at, moment.at),
            closed_at = CASE WHEN CAST(:status AS text) = 'closed' THEN GREATEST(updated_at, moment.at) END
        FROM moment, (SELECT count(*)::integer AS comments FROM new_comment) AS added
        WHERE id = :ticket_id
        RETURNING {TICKET}
    ),
    event AS (
        INSERT INTO ticket_events (ticket_id, version, type, data, actor, created_at)
        SELECT id, version, :type,
            CAST(:changes AS jsonb) || COALESCE((SELECT jsonb_build_object('comment_id', id) FROM new_comment), '{{}}'),
            :actor, updated_at
        FROM saved
    )
    SELECT saved.*, new_comment.id AS comment_id, new_comment.created_at AS commented_at
    FROM saved LEFT JOIN new_comment ON true
""")

CREATE: Final = Statement(f"""
    WITH created AS (
        INSERT INTO tickets (subject, text, email) VALUES (:subject, :text, :email) RETURNING {TICKET}
    ),
    event AS (
        INSERT INTO ticket_events (ticket_id, version, type, actor, created_at)
        SELECT id, version, 'created', :actor, created_at FROM created
    )
    SELECT {TICKET} FROM created
""")

_LATEST: Final = (
    f"SELECT {_COMMENT} FROM comments WHERE ticket_id = tickets.id ORDER BY id DESC LIMIT {LATEST_COMMENTS}"
)
_COMMENTS: Final = listed(f"SELECT {COMMENT_MEMBERS} FROM ({_LATEST}) AS latest ORDER BY latest.id")
SELECT_DETAILS: Final = Statement(f"""
    SELECT version, {as_bytes("CAST(row_to_json(details) AS text)")} AS body FROM (
        SELECT {TICKET_MEMBERS}, CAST('[' || COALESCE({_COMMENTS}, '') || ']' AS json) AS comments
        FROM tickets WHERE id = :ticket_id
    ) AS details
""")

_IF_VISIBLE: Final = f"EXISTS (SELECT FROM tickets WHERE id = :ticket_id AND {VISIBLE_TO})"

PAGE_OF_COMMENTS: Final = Statement(f"""
    SELECT {_COMMENT} FROM comments
    WHERE ticket_id = :ticket_id AND id > :after AND {_IF_VISIBLE} ORDER BY id LIMIT :limit
""")

PAGE_OF_EVENTS: Final = Statement(f"""
    SELECT version, type, CAST(data AS text) AS data, actor, created_at FROM ticket_events
    WHERE ticket_id = :ticket_id AND version > :after AND {_IF_VISIBLE} ORDER BY version LIMIT :limit
""")

IS_VISIBLE: Final = Statement(f"SELECT 1 FROM tickets WHERE id = :ticket_id AND {VISIBLE_TO}")
