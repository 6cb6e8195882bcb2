"""A ticket as the responses to writes show it: made from its row, for the principal that wrote."""

import json
from collections.abc import Set
from typing import Final

from db.postgres.statements import Row
from schemas.tickets import INTERNAL_MEMBERS, Ticket
from services.access.principal import Principal
from services.tickets.ticket_status import allowed_from
from services.write_result import WriteResult

_NOT_FOR_REQUESTERS: Final = set(INTERNAL_MEMBERS & Ticket.model_fields.keys())


def ticket_of(row: Row) -> Ticket:
    """Return a ticket as agents see it."""
    computed = {
        "allowed_transitions": allowed_from(row.status),
        "custom": json.loads(row.custom),
        "sla": json.loads(row.sla or "[]"),
    }
    return Ticket.model_validate(dict(row) | computed)


def shown_ticket(row: Row, principal: Principal, visible: Set[str]) -> WriteResult:
    """Return a ticket as the principal sees it; requesters see the custom fields in `visible`."""
    ticket = ticket_of(row)
    if principal.requester_email is None:
        return WriteResult(ticket.model_dump_json().encode(), row.id, row.version)
    ticket.custom = {key: value for key, value in ticket.custom.items() if key in visible}
    ticket.comment_count -= ticket.note_count
    body = ticket.model_dump_json(exclude=_NOT_FOR_REQUESTERS)
    return WriteResult(body.encode(), row.id, row.version)
