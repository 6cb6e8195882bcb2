"""Every pair of statuses, with each kind of request that changes a status."""

import asyncpg
import httpx2
import pytest

from models import TicketStatus
from services.tickets.ticket_status import TRANSITIONS, allowed_from
from support.factories import a_comment, ticket_in

PAIRS = [(source, target) for source in TicketStatus for target in TicketStatus]


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_a_patch_follows_the_transition_table(
    client: httpx2.AsyncClient, source: TicketStatus, target: TicketStatus
) -> None:
    ticket = await ticket_in(client, source)
    response = await client.patch(f"/tickets/{ticket['id']}", json={"status": target})
    if target in TRANSITIONS[source]:
        assert response.status_code == 200
        assert response.json()["status"] == target
        assert response.json()["version"] == ticket["version"] + 1
    else:
        assert_illegal(response, source, target)


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_a_comment_with_a_status_follows_the_transition_table(
    client: httpx2.AsyncClient, source: TicketStatus, target: TicketStatus
) -> None:
    ticket = await ticket_in(client, source)
    response = await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment(status=target))
    after = (await client.get(f"/tickets/{ticket['id']}")).json()
    if target in TRANSITIONS[source]:
        assert response.status_code == 201
        assert response.headers["ETag"] == f'"{ticket["version"] + 1}"'
        assert (after["status"], after["comment_count"]) == (target, 1)
    else:
        assert_illegal(response, source, target)
        assert (after["status"], after["comment_count"]) == (source, 0)


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_hand_written_sql_follows_the_transition_table(
    client: httpx2.AsyncClient, sql: asyncpg.Connection, source: TicketStatus, target: TicketStatus
) -> None:
    ticket = await ticket_in(client, source)
    statement = """
        UPDATE tickets SET status = $2, version = version + 1, closed_at = CASE WHEN $2 = 'closed' THEN now() END
        WHERE id = $1
    """
    if target in TRANSITIONS[source] or (source is target and source is not TicketStatus.CLOSED):
        await sql.execute(statement, ticket["id"], target)
    else:
        with pytest.raises(asyncpg.RestrictViolationError):
            await sql.execute(statement, ticket["id"], target)


def assert_illegal(response: httpx2.Response, source: TicketStatus, target: TicketStatus) -> None:
    assert response.status_code == 409
    problem = response.json()
    assert problem["type"] == "/problems/illegal-transition"
    assert (problem["from"], problem["to"], problem["allowed"]) == (source, target, allowed_from(source))
