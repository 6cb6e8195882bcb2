"""The lookup: one ticket with its latest comments as JSON, once for agents and once for requesters, in one snapshot."""

from typing import Any, Final

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    Subquery,
    Text,
    case,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.types import JSON

from db.postgres.statements import Statement, constant
from models import Audience, TicketLink, table_of
from services.tickets.statements import comments, ticket_id, tickets
from services.tickets.ticket_json import as_bytes, comment_members, joined, ticket_members

# A lookup shows the latest comments up to this number and this size of their texts, and the latest one of any size.
MAX_COMMENTS: Final = 50
MAX_COMMENTS_BYTES: Final = 256 * 1024
# The ids of follow-ups and of merged tickets, and the links, up to this number each.
MAX_RELATED: Final = 100

_links: Final = table_of(TicketLink)
_LIMIT: Final[ColumnElement[int]] = literal_column(str(MAX_RELATED))


def _select_details() -> Statement:
    """Return the statement; the body for requesters differs in its members, and in its comments if there are notes."""
    everything, public = _discussion(Audience.INTERNAL), _discussion(Audience.PUBLIC)
    has_notes = tickets.c.note_count > literal_column("0")
    public_count = tickets.c.comment_count - tickets.c.note_count
    agents = select(
        *ticket_members(tickets),
        _array(everything.c.members).label("comments"),
        (tickets.c.comment_count > everything.c.shown).label("comments_truncated"),
        _follow_ups().label("follow_ups"),
        _merged().label("merged"),
        _links_of().label("links"),
    )
    requesters = select(
        *ticket_members(tickets, Audience.PUBLIC),
        _array(case((has_notes, public.c.members), else_=everything.c.members)).label("comments"),
        (public_count > case((has_notes, public.c.shown), else_=everything.c.shown)).label("comments_truncated"),
        _follow_ups().label("follow_ups"),
    )
    of_agents, of_requesters = (
        each.select_from(tickets.join(everything, true()).join(public, true()))
        .where(tickets.c.id == ticket_id)
        .subquery(name)
        for each, name in ((agents, "of_agents"), (requesters, "of_requesters"))
    )
    bodies = [
        as_bytes(cast(func.row_to_json(each.table_valued()), Text)).label(name)
        for each, name in ((of_agents, "body"), (of_requesters, "public_body"))
    ]
    return Statement(select(of_agents.c.version, *bodies).select_from(of_agents.join(of_requesters, true())))


def _discussion(audience: Audience) -> CTE:
    """Return the comments that a lookup shows, as members of a JSON array, and how many they are."""
    listed = select(*comment_members(shown := _shown_comments(audience))).order_by(shown.c.id)
    rows = listed.subquery(f"listed_{audience}")
    discussion = select(joined(rows).label("members"), func.count().label("shown")).select_from(rows)
    return discussion.cte(f"{audience}_discussion").prefix_with("MATERIALIZED")


def _shown_comments(audience: Audience) -> Subquery:
    """Return the comments that a lookup shows. PostgreSQL knows the size of a text without reading it.

    The public ones are read separately only if the ticket has notes.
    """
    conditions = [comments.c.ticket_id == ticket_id]
    if audience is Audience.PUBLIC:
        has_notes = exists().where(tickets.c.id == ticket_id, tickets.c.note_count > literal_column("0"))
        conditions += [comments.c.visibility == constant(Audience.PUBLIC), has_notes]
    newest_first = select(*comments.c).where(*conditions).order_by(comments.c.id.desc())
    latest = newest_first.limit(literal_column(str(MAX_COMMENTS))).subquery(f"latest_{audience}")
    size = func.octet_length(latest.c.text, type_=Integer)
    total = func.sum(size).over(order_by=latest.c.id.desc(), rows=(None, 0))
    measured = select(*latest.c, size.label("size"), total.label("total")).subquery(f"measured_{audience}")
    fits = measured.c.total <= literal_column(str(MAX_COMMENTS_BYTES), Integer)
    return select(*measured.c).where(or_(fits, measured.c.total == measured.c.size)).subquery(f"shown_{audience}")


def _array(members: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(constant("[").op("||")(func.coalesce(members, constant(""))).op("||")(constant("]")), JSON)


def _ids(query: Any) -> ColumnElement[Any]:  # noqa: ANN401 - a SELECT of ids
    ids = query.order_by(literal_column("1")).limit(_LIMIT).subquery("ids")
    return select(func.array_to_json(func.array(select(ids.c.id).scalar_subquery()))).scalar_subquery()


def _follow_ups() -> ColumnElement[Any]:
    follow_ups = tickets.alias("follow_ups")
    return _ids(select(follow_ups.c.id).where(follow_ups.c.follow_up_of == ticket_id))


def _merged() -> ColumnElement[Any]:
    merged = func.merged_tickets(ticket_id, type_=BigInteger).table_valued("id").render_derived(name="merged")
    return _ids(select(merged.c.id))


def _links_of() -> ColumnElement[Any]:
    of_ticket = select(_links.c.type, _links.c.other_id.label("ticket_id")).where(_links.c.ticket_id == ticket_id)
    links = of_ticket.order_by(_links.c.type, _links.c.other_id).limit(_LIMIT).subquery("links")
    return _array(select(joined(links)).scalar_subquery())


SELECT_DETAILS: Final = _select_details()
