"""The automatic close of a group's tickets, which overrides that of the service."""

from datetime import timedelta

import asyncpg
import pytest

from core.settings import Settings
from db.postgres.database import Database
from models import Role, TicketStatus
from services.access.principal import Principal
from services.automation.auto_close import AutoCloseTimes
from services.tickets.edited_ticket import EditedTicket
from support.factories import a_new_ticket, cache_of, ticket_changes

AGENT = Principal("key:agent", Role.AGENT)
OF_SERVICE = AutoCloseTimes(604_800, 0)


def answer(ticket: EditedTicket) -> None:
    ticket.move_to(TicketStatus.ANSWERED)


@pytest.mark.parametrize(("of_group", "after_s"), [(None, 604_800), (3_600, 3_600), (0, None)])
async def test_a_group_overrides_when_its_tickets_are_closed(
    own_settings: Settings,
    own_database: Database,
    own_sql: asyncpg.Connection,
    of_group: int | None,
    after_s: int | None,
) -> None:
    group_id = await own_sql.fetchval(
        "INSERT INTO groups (name, auto_close_after) VALUES ('Network', $1) RETURNING id", of_group
    )
    async with cache_of(own_settings) as cache:
        changes = ticket_changes(own_database, cache, OF_SERVICE)
        ticket_id = (await changes.create(a_new_ticket(group_id=group_id), AGENT)).id
        saved = (await changes.change(ticket_id, AGENT, answer)).saved
    expected = None if after_s is None else saved["updated_at"] + timedelta(seconds=after_s)
    assert saved["auto_close_at"] == expected
