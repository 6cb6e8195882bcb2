"""The statements that read tickets, one round trip each, built from the models and compiled at import.

READ                  one ticket, if the principal may see it
LOCK                  locks tickets for this transaction, in ascending id, as far as the principal may see them
IS_VISIBLE            one row if the principal may see the ticket
BY_EXTERNAL_ID        one ticket by its id in another system; checks no permission
PAGE_OF_COMMENTS,     keyset pages: the rows after the last one that was seen;
PAGE_OF_EVENTS        those of tickets are in `services.tickets.pages`

Those that write are in `services.tickets.save_statement`, the lookup is in `services.tickets.details_statement`.
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    CompoundSelect,
    DateTime,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)

from db.postgres.statements import Statement, constant
from models import Audience, Comment, Ticket, TicketEvent, TicketFacet, table_of
from services.access.email_addresses import email_key

tickets: Final = table_of(Ticket)
comments: Final = table_of(Comment)
events: Final = table_of(TicketEvent)
_facets: Final = table_of(TicketFacet)

ticket_id: Final = bindparam("ticket_id", type_=BigInteger)
requester: Final = bindparam("requester", type_=Text)
_ONE: Final = literal_column("1", Integer)


def visible_to(address: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a ticket is visible to a requester: it is theirs, or they participate in it."""
    participants = func.email_keys(tickets.c.participants, type_=ARRAY(Text))
    return or_(email_key(tickets.c.email) == email_key(address), email_key(address) == any_(participants))


def visible_ids(address: ColumnElement[str]) -> CompoundSelect[int]:
    """Return the ids of the tickets that are visible to a requester, found by indexes; some may come twice."""
    own = select(tickets.c.id).where(email_key(tickets.c.email) == email_key(address))
    facet = constant("participant:").op("||")(email_key(address))
    return union_all(own, select(_facets.c.ticket_id).where(_facets.c.facet == facet))


# The predicate of visibility: an agent (`requester` is NULL) sees every ticket, a requester those of their address. It
# stands in each statement that reads for a principal, which a test checks. An invisible ticket is not locked either.
VISIBLE_TO: Final = or_(requester.is_(None), visible_to(requester))
_EVENT_VISIBLE_TO: Final = or_(requester.is_(None), events.c.audience == constant(Audience.PUBLIC))
_COMMENT_VISIBLE_TO: Final = or_(requester.is_(None), comments.c.visibility == constant(Audience.PUBLIC))

# Whether the ticket is the requester's own, not one that they participate in; and the keys of the participants.
_IS_OWN: Final = case((requester.is_(None), null()), else_=email_key(tickets.c.email) == email_key(requester))
COMPUTED: Final = (
    _IS_OWN.label("is_own"),
    # Nearly every ticket has no participants: the function takes longer than the rest of the statement.
    case(
        (func.cardinality(tickets.c.participants) > literal_column("0"), func.email_keys(tickets.c.participants)),
        else_=tickets.c.participants,
    ).label("participant_keys"),
    func.service_clock(type_=DateTime(timezone=True)).label("read_at"),
)

READ: Final = Statement(select(*tickets.c, *COMPUTED).where(tickets.c.id == ticket_id, VISIBLE_TO))
LOCK: Final = Statement(
    select(*tickets.c, *COMPUTED)
    .where(tickets.c.id == func.any(bindparam("ticket_ids", type_=ARRAY(BigInteger))), VISIBLE_TO)
    .order_by(tickets.c.id)
    .with_for_update(key_share=True)
)

_IF_VISIBLE: Final = exists().where(tickets.c.id == ticket_id, VISIBLE_TO)
_AFTER: Final = bindparam("after", type_=BigInteger)
_LIMIT: Final = bindparam("limit", type_=Integer)


def _page_of_comments(*, with_merged: bool) -> Statement:
    """Return the statement of a page of comments; with those of the tickets that were merged into the ticket.

    The index has the comments of one ticket in their order: each ticket gives a page, and the first of these are shown.
    """
    columns = [comments.c[name] for name in ("id", "ticket_id", "email", "text", "created_at", "visibility")]
    rows = select(*columns).where(comments.c.id > _AFTER, _COMMENT_VISIBLE_TO, _IF_VISIBLE)
    rows = rows.order_by(comments.c.id).limit(_LIMIT)
    if not with_merged:
        return Statement(rows.where(comments.c.ticket_id == ticket_id))
    merged = func.merged_tickets(ticket_id, type_=BigInteger).table_valued("id").render_derived(name="merged")
    shown = union_all(select(cast(ticket_id, BigInteger).label("id")), select(merged.c.id)).subquery("shown")
    page = rows.where(comments.c.ticket_id == shown.c.id).correlate(shown).lateral("page")
    first = select(*page.c).select_from(shown.join(page, true()))
    return Statement(first.order_by(page.c.id).limit(_LIMIT))


PAGE_OF_COMMENTS: Final = _page_of_comments(with_merged=False)
PAGE_OF_COMMENTS_WITH_MERGED: Final = _page_of_comments(with_merged=True)

PAGE_OF_EVENTS: Final = Statement(
    select(
        events.c.version,
        events.c.type,
        cast(events.c.data, Text).label("data"),
        case((requester.is_(None), cast(events.c.internal, Text))).label("internal"),
        events.c.actor,
        events.c.created_at,
    )
    .where(and_(events.c.ticket_id == ticket_id, events.c.version > _AFTER), _EVENT_VISIBLE_TO, _IF_VISIBLE)
    .order_by(events.c.version)
    .limit(_LIMIT)
)

BY_EXTERNAL_ID: Final = Statement(
    select(*tickets.c).where(
        tickets.c.source == bindparam("source", type_=Text),
        tickets.c.external_id == bindparam("external_id", type_=Text),
    )
)

IS_VISIBLE: Final = Statement(select(_ONE).where(tickets.c.id == ticket_id, VISIBLE_TO))
