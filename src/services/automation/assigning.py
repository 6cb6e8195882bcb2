"""The steps of rules within the transaction of a change: the choice of an assignee, and internal notes.

The group is locked before a member is chosen. So tickets that are created at once are assigned one after the other,
each with the choices before it in view. If the members were locked one by one, and locked ones skipped, they would get
their tickets unevenly.
"""

from collections.abc import Sequence
from typing import Final

from pydantic_core import to_json
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Interval,
    Select,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    update,
)

from db.postgres.session import Session
from db.postgres.statements import Row, Statement, constant
from models import AssignBy, Audience, EventType, TicketFacet, TicketStatus, table_of
from schemas.rules import RuleAssign
from services.access.key_statements import MAY_AUTHENTICATE
from services.directory.statements import ACTIVE_STAFF, groups, members, principals
from services.tickets.new_ticket import APPLIED_RULES, NewTicket
from services.tickets.rule_steps import RuleNote
from services.tickets.save_statement import save_statement
from services.tickets.ticket_status import is_final

ACTOR: Final = "system:rules"
"""The actor of the events of notes that rules write."""
EMAIL: Final = "rules@service.local"
"""The address of these notes: a valid one in the domain of private networks, which receives no mail."""
MAX_COUNTED: Final = 100

_ADD_NOTE: Final = save_statement(frozenset(), comment_in="data")
_facets: Final = table_of(TicketFacet)
_ONE: Final = literal_column("1", Integer)
_GROUP_ID: Final = bindparam("group_id", type_=BigInteger)
_LOCK: Final = Statement(select(groups.c.id).where(groups.c.id == _GROUP_ID).with_for_update(key_share=True))


def _load() -> ColumnElement[int]:
    """Return how many tickets that are not closed are assigned to the member, up to MAX_COUNTED."""
    facet = constant("assignee:").op("||")(members.c.principal_id)
    is_open = _facets.c.status.in_([constant(status) for status in TicketStatus if not is_final(status)])
    of_member = select(_ONE.label("one")).where(_facets.c.facet == facet, is_open)
    counted = of_member.limit(literal_column(str(MAX_COUNTED))).correlate(members).subquery("counted")
    return select(func.count()).select_from(counted).scalar_subquery()


def _choose(*order: ColumnElement[int]) -> Statement:
    """Return the statement that chooses the first active member of the group, and puts it at the end of the turns.

    The time is later than that of every other member, also if the clock was set back.
    """
    chosen: Select[tuple[str]] = (
        select(members.c.principal_id)
        .join(principals, principals.c.id == members.c.principal_id)
        .where(members.c.group_id == _GROUP_ID, ACTIVE_STAFF, MAY_AUTHENTICATE)
        .order_by(*order, members.c.assigned_at.nulls_first(), members.c.principal_id)
        .limit(_ONE)
    )
    last = select(func.max(members.c.assigned_at)).where(members.c.group_id == _GROUP_ID).scalar_subquery()
    after_last = last + cast(constant("1 microsecond"), Interval)
    now = func.service_clock(type_=DateTime(timezone=True))
    first = chosen.cte("chosen")
    return Statement(
        update(members)
        .values(assigned_at=func.greatest(now, after_last))
        .where(and_(members.c.group_id == _GROUP_ID, members.c.principal_id == first.c.principal_id))
        .returning(members.c.principal_id)
    )


_CHOOSE: Final = {AssignBy.ROUND_ROBIN: _choose(), AssignBy.LEAST_LOADED: _choose(_load())}


async def choose_member(connection: Session, assign: RuleAssign) -> str | None:
    """Return the member of a group who gets the next ticket; None if it has no active member.

    The group is locked until the transaction ends, so this comes as late in it as possible.
    """
    await connection.run(_LOCK, group_id=assign.group_id)
    member: str | None = await connection.value(_CHOOSE[assign.by], group_id=assign.group_id)
    return member


async def insert(connection: Session, new: NewTicket, actor: str) -> Row:
    """Insert a ticket with its assignee and its notes, and return its row."""
    if new.steps.assign is not None:
        new = new.assigned_to(await choose_member(connection, new.steps.assign))
    statement, parameters = new.saving(actor)
    return await add_notes(connection, await connection.one(statement, **parameters), new.steps.notes)


async def add_notes(connection: Session, row: Row, notes: Sequence[RuleNote]) -> Row:
    """Add internal notes to a ticket, each as one version, and return its last row."""
    for note in notes:
        row = await connection.one(
            _ADD_NOTE,
            ticket_id=row.id,
            version=row.version,
            at=row.updated_at,
            type=EventType.NOTED,
            changes=to_json({APPLIED_RULES: [note.rule_id]}).decode(),
            internal=None,
            actor=ACTOR,
            audience=Audience.INTERNAL,
            comment_email=EMAIL,
            comment_text=note.text,
            visibility=Audience.INTERNAL,
        )
    return row
