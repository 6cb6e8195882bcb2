"""The steps of a change within its transaction: lock the tickets, check what is expected of them, save the changes."""

import time
from collections.abc import Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, Final

from core.errors import DatabaseUnavailable, TicketNotFound, VersionMismatch
from core.ticket_errors import ExternalIdTaken
from db.cache.invalidation import Invalidation
from db.postgres.failures import raised_for_duplicates
from db.postgres.session import Session
from db.postgres.statements import Row, Statement
from models import Audience, EventType
from services.access.principal import Principal
from services.automation.assigning import add_notes, choose_member, insert
from services.automation.completion import completed_new
from services.automation.rule_actions import with_rules
from services.automation.settings import AutomationSettings
from services.tickets import statements as sql
from services.tickets.change_purpose import SET_PURPOSE, ChangePurpose
from services.tickets.edited_ticket import EditedTicket
from services.tickets.save_statement import save_statement

# The cache's floor lives 30 s. A commit that comes later than this after the floor was raised might outlive it.
COMMIT_WITHIN_S: Final = 10
EXTERNAL_IDS: Final = "uq_tickets_external_id_source"
NONE_EXPECTED: Final[Mapping[int, Set[int]]] = MappingProxyType({})


def expected_versions(ticket_id: int, versions: Set[int] | None) -> Mapping[int, Set[int]]:
    """Return what a condition on one ticket expects; None expects nothing."""
    return NONE_EXPECTED if versions is None else {ticket_id: versions}


async def lock(
    connection: Session,
    ids: Sequence[int],
    principal: Principal,
    expected: Mapping[int, Set[int]],
    purpose: ChangePurpose | None,
) -> tuple[EditedTicket, ...]:
    """Lock tickets in ascending id, and return them. Raises TicketNotFound, VersionMismatch."""
    if purpose is not None:
        await connection.run(SET_PURPOSE, purpose=purpose)
    rows = await connection.rows(sql.LOCK, ticket_ids=ids, requester=principal.requester_email)
    return found(ids, rows, expected, purpose)


def found(
    ids: Sequence[int],
    rows: Sequence[Row],
    expected: Mapping[int, Set[int]],
    purpose: ChangePurpose | None = None,
) -> tuple[EditedTicket, ...]:
    """Return the tickets of these rows. Raises TicketNotFound, VersionMismatch."""
    present = {row.id for row in rows}
    for ticket_id in ids:
        if ticket_id not in present:
            raise TicketNotFound(ticket_id)
    for row in rows:
        if row.id in expected and row.version not in expected[row.id]:
            raise VersionMismatch(row.version)
    return tuple(EditedTicket(row, purpose) for row in rows)


async def save(
    connection: Session,
    changed: Sequence[EditedTicket],
    principal: Principal,
    invalidation: Invalidation,
    settings: AutomationSettings,
) -> None:
    """Save the changes of locked tickets. Raises ExternalIdTaken, DatabaseUnavailable."""
    await invalidation.before_commit(connection)
    floors_raised_at = time.monotonic()
    for ticket in changed:
        if ticket.follow_up is not None:
            new = completed_new(with_rules(ticket.follow_up, settings.rules), settings, ticket.at)
            with raised_for_duplicates(EXTERNAL_IDS, ExternalIdTaken):
                ticket.opened = await insert(connection, new, principal.id)
            ticket.add_fact(EventType.LINKED, "follow_up_id", ticket.opened.id, Audience.PUBLIC)
        if ticket.steps.assign is not None:
            ticket.edit("assignee_id", await choose_member(connection, ticket.steps.assign))
        statement, parameters = saving(ticket, principal)
        row = await connection.one(statement, **parameters)
        ticket.keep(row, await add_notes(connection, row, ticket.steps.notes))
    if time.monotonic() - floors_raised_at > COMMIT_WITHIN_S:
        raise DatabaseUnavailable("the change took too long to be committed safely")


def saving(ticket: EditedTicket, principal: Principal) -> tuple[Statement, dict[str, Any]]:
    """Return the statement that saves the change of a ticket, and its parameters."""
    statement = save_statement(ticket.changed_fields, comment_in=ticket.comment_in)
    return statement, ticket.save_parameters(principal.id)
