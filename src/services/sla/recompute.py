"""Applies policies as they are now to tickets that came under them before, or before there were any."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Integer, bindparam, select

from db.postgres.database import Database
from db.postgres.statements import Row, Statement, constant
from models import TicketStatus
from schemas.sla_policies import MAX_RECOMPUTED, Recompute, Recomputed, RecomputedTicket
from services.access.principal import Principal
from services.automation.completion import put_timer, put_under
from services.automation.settings import AutomationDefinitions, AutomationSettings
from services.sla.clocks import Terms, assign
from services.sla.policies import SlaPolicies
from services.sla.stored_clocks import clocks_of, terms_of
from services.tickets.batches import has_little_time
from services.tickets.changes import TicketChanges
from services.tickets.edited_ticket import EditedTicket
from services.tickets.statements import COMPUTED, tickets

_OPEN: Final = [constant(status) for status in TicketStatus if status is not TicketStatus.CLOSED]
_NEXT: Final = Statement(
    select(*tickets.c, *COMPUTED)
    .where(tickets.c.id > bindparam("after", type_=BigInteger), tickets.c.status.in_(_OPEN))
    .order_by(tickets.c.id)
    .limit(bindparam("limit", type_=Integer))
)


class Recomputation:
    """Puts tickets under what a policy promises now. Its method raises what `TicketChanges.change` raises."""

    def __init__(
        self, database: Database, changes: TicketChanges, policies: SlaPolicies, definitions: AutomationDefinitions
    ) -> None:
        self._database = database
        self._changes = changes
        self._policies = policies
        self._definitions = definitions

    async def recompute(self, policy_id: int, request: Recompute, principal: Principal) -> Recomputed:
        """Examine the next tickets that are not closed, and change those that the policy concerns.

        A ticket is concerned if it is under the policy, or would come under it. Spent time stays spent. Raises
        Forbidden, PolicyNotFound.
        """
        principal.require_admin()
        await self._policies.ensure_exists(policy_id)
        self._definitions.forget()  # the policy may have been changed by another process just now
        settings = await self._definitions.current()
        rows = await self._next(request.after_ticket_id or 0)
        items: list[RecomputedTicket] = []
        examined = 0
        for row in rows:
            if examined and has_little_time():
                break
            examined += 1
            ticket = await self._recomputed(row, policy_id, settings, principal, dry_run=request.dry_run)
            if ticket is not None and ticket.is_changed:
                before, after = (json.loads(sla or "[]") for sla in (row.sla, ticket["sla"]))
                items.append(RecomputedTicket(ticket_id=row.id, before=before, after=after))
        is_last = examined == len(rows) < MAX_RECOMPUTED
        return Recomputed(examined=examined, items=items, next_after=None if is_last else rows[examined - 1].id)

    async def _next(self, after: int) -> Sequence[Row]:
        async with self._database.reading() as connection:
            return await connection.rows(_NEXT, requester=None, after=after, limit=MAX_RECOMPUTED)

    async def _recomputed(
        self, row: Row, policy_id: int, settings: AutomationSettings, principal: Principal, *, dry_run: bool
    ) -> EditedTicket | None:
        """Return the ticket with its change, which is saved unless it is a dry run; None if there is nothing to do."""
        ticket = EditedTicket(row)
        apply(ticket, policy_id, settings)
        if not ticket.is_changed or dry_run:
            return ticket
        return await self._changes.change(row.id, principal, lambda each: apply(each, policy_id, settings))


def apply(ticket: EditedTicket, policy_id: int, settings: AutomationSettings) -> None:
    """Put a ticket under what the policies promise it now, if this policy is concerned."""
    before = terms_of(ticket["sla_terms"])
    terms = settings.terms_for(ticket.__getitem__, ticket.custom)
    concerned = {each.policy_id for each in (before, terms) if each is not None}
    if ticket.was_closed or policy_id not in concerned:
        return
    if terms == before and not _is_due_otherwise(ticket, terms, settings):
        return
    put_under(ticket, terms, settings)
    put_timer(ticket, settings)


def _is_due_otherwise(ticket: EditedTicket, terms: Terms | None, settings: AutomationSettings) -> bool:
    """Return whether clocks are due at other times by the calendars as they are now."""
    before = {clock.kind: clock.due_at for clock in clocks_of(ticket["sla"])}
    after = assign(clocks_of(ticket["sla"]), terms, ticket.status, ticket.at, settings.calendars)
    return any(not _are_near(before.get(clock.kind), clock.due_at) for clock in after)


def _are_near(one: datetime | None, other: datetime | None) -> bool:
    """Return whether two times differ by rounding only."""
    if one is None or other is None:
        return one is other
    return abs(one - other) < timedelta(seconds=1)
