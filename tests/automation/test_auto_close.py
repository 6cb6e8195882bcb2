"""The automatic close: it warns, waits its full notice, and gives way to every sign of life."""

import asyncio
from datetime import datetime, timedelta

from automation.conftest import DAY, Automated
from support.factories import JSON

AFTER = 7 * DAY
NOTICE = 2 * DAY
CHANGED_BY_AN_EARLIER_RELEASE = """
    WITH changed AS (
        UPDATE tickets SET status = $2::text, version = version + 1, updated_at = service_clock(),
            closed_at = CASE $2::text WHEN 'closed' THEN service_clock() END
        WHERE id = $1 RETURNING *
    )
    INSERT INTO ticket_events (ticket_id, version, type, data, actor, created_at)
    SELECT id, version, 'changed', jsonb_build_object('status', jsonb_build_object('to', $2::text)), 'key:old',
        updated_at
    FROM changed
"""


async def answered(automated: Automated, **fields: str) -> JSON:
    return await automated.change(await automated.ticket(**fields), status="answered")


async def test_an_answered_ticket_is_closed_after_a_warning(automated: Automated) -> None:
    ticket = await answered(automated)
    close_at = datetime.fromisoformat(ticket["auto_close_at"])
    assert close_at == datetime.fromisoformat(ticket["updated_at"]) + timedelta(seconds=AFTER)
    await automated.pass_time(AFTER - NOTICE + 60)
    await automated.fire()
    assert (await automated.read(ticket))["status"] == "answered"
    await automated.pass_time(NOTICE)
    await automated.fire()
    closed = await automated.read(ticket)
    assert (closed["status"], closed["auto_close_at"]) == ("closed", None)
    created, answer, warning, close = await automated.events(ticket)
    assert [created["type"], answer["type"], warning["type"], close["type"]] == [
        "created",
        "changed",
        "close_warned",
        "changed",
    ]
    closes_at, warned_at = (
        datetime.fromisoformat(each) for each in (warning["data"]["closes_at"], warning["created_at"])
    )
    assert closes_at == warned_at + timedelta(seconds=NOTICE)
    assert close["data"]["status"] == {"from": "answered", "to": "closed"}
    assert {warning["actor"], close["actor"]} == {"system:auto-close"}


async def test_the_close_waits_its_full_notice_after_an_outage(automated: Automated) -> None:
    ticket = await answered(automated)
    await automated.pass_time(AFTER + 30 * DAY)
    await automated.fire()
    warned = await automated.read(ticket)
    assert warned["status"] == "answered"
    notice = datetime.fromisoformat(warned["auto_close_at"]) - datetime.fromisoformat(warned["updated_at"])
    assert notice >= timedelta(seconds=NOTICE)
    await automated.pass_time(NOTICE - 60)
    await automated.fire()
    assert (await automated.read(ticket))["status"] == "answered"
    await automated.pass_time(61)
    await automated.fire()
    assert (await automated.read(ticket))["status"] == "closed"


async def test_a_comment_of_the_requester_clears_the_close(automated: Automated) -> None:
    ticket = await answered(automated, email="alice@example.com")
    await automated.comment(ticket, email="alice@example.com", text="Not yet.")
    assert (await automated.read(ticket))["auto_close_at"] is None
    await automated.pass_time(AFTER + NOTICE)
    await automated.fire()
    assert (await automated.read(ticket))["status"] == "answered"


async def test_a_comment_of_an_agent_begins_the_time_again_and_a_note_does_not(automated: Automated) -> None:
    ticket = await answered(automated)
    await automated.pass_time(DAY)
    await automated.comment(ticket, visibility="internal")
    assert (await automated.read(ticket))["auto_close_at"] == ticket["auto_close_at"]
    await automated.comment(ticket)
    assert (await automated.read(ticket))["auto_close_at"] > ticket["auto_close_at"]


async def test_a_transition_clears_the_close(automated: Automated) -> None:
    ticket = await answered(automated)
    assert (await automated.change(ticket, status="awaiting_reply"))["auto_close_at"] is None


async def test_a_group_has_a_time_of_its_own(automated: Automated) -> None:
    groups = [
        await automated.sql.fetchval(
            "INSERT INTO groups (name, auto_close_after) VALUES ('group ' || gen_random_uuid(), $1) RETURNING id", after
        )
        for after in (3 * DAY, 0)
    ]
    automated.app.state.automation.forget()
    quick, never = [
        await automated.change(await automated.ticket(group_id=group), status="answered") for group in groups
    ]
    lasts = datetime.fromisoformat(quick["auto_close_at"]) - datetime.fromisoformat(quick["updated_at"])
    assert lasts == timedelta(days=3)
    assert never["auto_close_at"] is None


async def test_a_close_that_was_switched_off_meanwhile_is_cleared(automated: Automated) -> None:
    group = await automated.sql.fetchval("INSERT INTO groups (name) VALUES ('switched') RETURNING id")
    ticket = await automated.change(await automated.ticket(group_id=group), status="answered")
    await automated.sql.execute("UPDATE groups SET auto_close_after = 0 WHERE id = $1", group)
    automated.app.state.automation.forget()
    await automated.pass_time(AFTER + NOTICE)
    await automated.fire()
    read = await automated.read(ticket)
    assert (read["status"], read["auto_close_at"]) == ("answered", None)


async def test_of_a_comment_and_a_close_at_the_same_moment_exactly_one_wins(automated: Automated) -> None:
    tickets = [await answered(automated, email="alice@example.com") for _ in range(20)]
    await automated.pass_time(AFTER - NOTICE + 60)
    await automated.fire()
    await automated.pass_time(NOTICE)

    async def comment(ticket: JSON) -> int:
        response = await automated.client.post(
            f"/tickets/{ticket['id']}/comments", json={"email": "alice@example.com", "text": "Wait!"}
        )
        return response.status_code

    firing = asyncio.gather(*(automated.fire() for _ in range(3)))
    statuses = await asyncio.gather(*(comment(ticket) for ticket in tickets))
    await firing
    for ticket, status in zip(tickets, statuses, strict=True):
        read = await automated.read(ticket)
        if status == 201:
            assert (read["status"], read["auto_close_at"], len(read["comments"])) == ("answered", None, 1)
        else:
            assert (status, read["status"], read["comments"]) == (409, "closed", [])


async def test_an_address_in_another_case_is_the_requesters(automated: Automated) -> None:
    ticket = await answered(automated, email="alice@example.com")
    await automated.comment(ticket, email="Alice@example.com")
    assert (await automated.read(ticket))["auto_close_at"] is None
    await automated.comment(ticket)  # of an agent: the time begins again
    assert (await automated.read(ticket))["auto_close_at"] is not None


async def test_what_an_earlier_release_has_changed_is_neither_closed_nor_breached(automated: Automated) -> None:
    """That release knows neither clocks nor plans, and leaves them as they are."""
    await automated.policy(first_response_s=3600)
    ticket, other, closed = await answered(automated), await automated.ticket(), await answered(automated)
    for each, status in ((ticket, "awaiting_reply"), (other, "answered"), (closed, "closed")):
        await automated.sql.execute(CHANGED_BY_AN_EARLIER_RELEASE, each["id"], status)
    await automated.pass_time(30 * DAY)
    await automated.fire()
    await automated.pass_time(30 * DAY)
    await automated.fire()
    read = [await automated.read(each) for each in (ticket, other, closed)]
    assert [each["status"] for each in read] == ["awaiting_reply", "answered", "closed"]
    assert [each["auto_close_at"] for each in read[:2]] == [None, None]
    assert [clock["state"] for clock in read[1]["sla"]] == ["met"]
    assert "sla_breached" not in await automated.types(other)
