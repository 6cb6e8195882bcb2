"""Reminders over HTTP: each principal sets, reads, lists and deletes its own."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx2
import pytest

from directory.conftest import Directory, problem
from support.factories import JSON, a_ticket

REMIND_AT = "2035-03-02T09:00:00Z"
TIMEOUT_S = 10


async def a_ticket_id(directory: Directory, **fields: object) -> int:
    ticket_id: int = (await directory.created("/tickets", a_ticket(**fields)))["id"]
    return ticket_id


async def a_new_agent(directory: Directory) -> dict[str, str]:
    """Return the header of an agent without reminders."""
    key = await directory.created("/keys", {"name": secrets.token_hex(6), "role": "agent"})
    return {"Authorization": f"Bearer {key['secret']}"}


async def remind(client: httpx2.AsyncClient, ticket_id: int, remind_at: str = REMIND_AT, **fields: object) -> JSON:
    response = await client.put(f"/tickets/{ticket_id}/reminder", json={"remind_at": remind_at, **fields})
    assert response.status_code == 200, response.text
    reminder: JSON = response.json()
    return reminder


def after(**parts: float) -> str:
    return (datetime.now(UTC) + timedelta(**parts)).isoformat()


async def test_an_agent_sets_replaces_reads_and_deletes_a_reminder(directory: Directory) -> None:
    ticket_id = await a_ticket_id(directory)
    path = f"/tickets/{ticket_id}/reminder"
    first = await remind(directory.agent, ticket_id, "2035-03-02T09:00:00+01:00", note="Ask again", snooze=True)
    assert first == {
        "ticket_id": ticket_id,
        "remind_at": "2035-03-02T08:00:00Z",
        "note": "Ask again",
        "snoozed_until": "2035-03-02T08:00:00Z",
        "reminded_at": None,
    }
    second = await remind(directory.agent, ticket_id)
    assert (second["remind_at"], second["note"], second["snoozed_until"]) == (REMIND_AT, "", None)
    assert (await directory.agent.get(path)).json() == second
    deleted = await directory.agent.delete(path)
    assert (deleted.status_code, deleted.json()) == (200, second)
    for method in ("GET", "DELETE"):
        assert problem(await directory.agent.request(method, path)) == (404, "reminder-not-found")


async def test_a_reminder_is_no_change_of_the_ticket(directory: Directory) -> None:
    ticket_id = await a_ticket_id(directory)
    await remind(directory.agent, ticket_id, snooze=True)
    await directory.agent.delete(f"/tickets/{ticket_id}/reminder")
    assert (await directory.agent.get(f"/tickets/{ticket_id}")).json()["version"] == 1


async def test_a_principal_does_not_see_the_reminders_of_others(directory: Directory) -> None:
    ticket_id = await a_ticket_id(directory)
    await remind(directory.agent, ticket_id, note="mine")
    path = f"/tickets/{ticket_id}/reminder"
    assert problem(await directory.admin.get(path)) == (404, "reminder-not-found")
    await remind(directory.admin, ticket_id, note="another")
    await directory.admin.delete(path)
    assert (await directory.agent.get(path)).json()["note"] == "mine"
    listed = (await directory.admin.get("/reminders?limit=100")).json()["items"]
    assert ticket_id not in {reminder["ticket_id"] for reminder in listed}


async def test_a_requester_has_no_reminders(directory: Directory) -> None:
    ticket_id = await a_ticket_id(directory)  # of the requester
    for method, path in (("PUT", f"/tickets/{ticket_id}/reminder"), ("GET", "/reminders")):
        body = {"remind_at": REMIND_AT} if method == "PUT" else None
        assert problem(await directory.requester.request(method, path, json=body)) == (403, "forbidden")


async def test_an_unknown_ticket_has_no_reminder(directory: Directory) -> None:
    for method in ("PUT", "GET", "DELETE"):
        body = {"remind_at": REMIND_AT} if method == "PUT" else None
        response = await directory.agent.request(method, "/tickets/999999/reminder", json=body)
        assert problem(response) == (404, "ticket-not-found")


async def test_a_closed_ticket_can_have_a_reminder(directory: Directory) -> None:
    ticket_id = await a_ticket_id(directory)
    await directory.admin.patch(f"/tickets/{ticket_id}", json={"status": "closed"})
    assert (await remind(directory.agent, ticket_id))["remind_at"] == REMIND_AT


@pytest.mark.parametrize(
    "remind_at",
    ["2020-01-01T00:00:00Z", after(seconds=-1), after(days=3_660), "0001-01-01T00:00:00Z"],
    ids=["years ago", "a second ago", "in more than ten years", "the first year"],
)
async def test_the_time_of_a_reminder_is_in_the_future_within_ten_years(directory: Directory, remind_at: str) -> None:
    path = f"/tickets/{await a_ticket_id(directory)}/reminder"
    refused = await directory.agent.put(path, json={"remind_at": remind_at})
    assert problem(refused) == (422, "remind-at-refused")
    assert refused.json()["errors"] == [{"detail": "must be in the future, within ten years", "pointer": "#/remind_at"}]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"remind_at": "2035-03-02T09:00:00"}, "#/remind_at"),
        ({"remind_at": 2_056_000_000}, "#/remind_at"),
        ({}, "#/remind_at"),
        ({"remind_at": REMIND_AT, "note": "x" * 1_001}, "#/note"),
        ({"remind_at": REMIND_AT, "note": "a\0b"}, "#/note"),
        ({"remind_at": REMIND_AT, "snooze": "yes"}, "#/snooze"),
        ({"remind_at": REMIND_AT, "reminded_at": None}, "#/reminded_at"),
    ],
)
async def test_an_invalid_reminder_is_refused_with_a_pointer(directory: Directory, body: JSON, pointer: str) -> None:
    refused = await directory.agent.put(f"/tickets/{await a_ticket_id(directory)}/reminder", json=body)
    assert problem(refused) == (422, "invalid-request")
    assert [part["pointer"] for part in refused.json()["errors"]] == [pointer]


async def test_reminders_are_listed_in_the_order_of_their_times(
    directory: Directory, directory_sql: asyncpg.Connection
) -> None:
    headers = await a_new_agent(directory)
    made = []
    for days in (5, 3, 4, 3, 9):
        ticket_id = await a_ticket_id(directory, subject=f"in {days} days")
        at = f"2035-01-0{days}T00:00:00Z"
        path = f"/tickets/{ticket_id}/reminder"
        assert (await directory.agent.put(path, json={"remind_at": at}, headers=headers)).status_code == 200
        made.append((at, ticket_id, f"in {days} days"))
    await directory_sql.execute(
        "UPDATE reminders SET remind_at = '2026-01-02Z', reminded_at = now() WHERE ticket_id = $1", made[-1][1]
    )
    due = [("2026-01-02T00:00:00Z", *made.pop()[1:])]
    for state, expected in (("", due + sorted(made)), ("&state=pending", sorted(made)), ("&state=due", due)):
        listed, path = [], f"/reminders?limit=2{state}"
        while path:
            page = await directory.agent.get(path, headers=headers)
            assert page.status_code == 200, page.text
            listed += [(each["remind_at"], each["ticket_id"], each["subject"]) for each in page.json()["items"]]
            assert {each["status"] for each in page.json()["items"]} == {"open"}
            path = page.headers["Link"].partition(">")[0][1:] if "Link" in page.headers else ""
        assert listed == expected


async def test_a_cursor_of_reminders_is_valid_for_its_principal_and_state(directory: Directory) -> None:
    for _ in range(2):
        await remind(directory.agent, await a_ticket_id(directory))
    cursor = (await directory.agent.get("/reminders?limit=1")).json()["next_cursor"]
    assert problem(await directory.agent.get(f"/reminders?state=due&cursor={cursor}")) == (422, "invalid-cursor")
    assert problem(await directory.admin.get(f"/reminders?cursor={cursor}")) == (422, "invalid-cursor")


async def test_a_ticket_is_hidden_from_the_queue_of_its_agent_until_the_reminder(directory: Directory) -> None:
    tag = secrets.token_hex(6)
    ticket_id, other = [await a_ticket_id(directory, tags=[tag]) for _ in range(2)]
    headers = await a_new_agent(directory)
    queue = f"/tickets?tag={tag}&sort=id&snoozed=false"

    async def ids(client: httpx2.AsyncClient, path: str, headers: dict[str, str] | None = None) -> list[int]:
        return [ticket["id"] for ticket in (await client.get(path, headers=headers)).json()["items"]]

    reminder = {"remind_at": after(seconds=0.8), "note": "look", "snooze": True}
    await directory.agent.put(f"/tickets/{ticket_id}/reminder", json=reminder, headers=headers)
    assert await ids(directory.agent, queue, headers) == [other]
    assert await ids(directory.admin, queue) == [ticket_id, other]
    async with asyncio.timeout(TIMEOUT_S):
        while await ids(directory.agent, queue, headers) != [ticket_id, other]:
            await asyncio.sleep(0.1)
        while not (fired := (await directory.agent.get(f"/tickets/{ticket_id}/reminder", headers=headers)).json())[
            "reminded_at"
        ]:
            await asyncio.sleep(0.1)
    assert fired["snoozed_until"] is None
    (_, event) = (await directory.agent.get(f"/tickets/{ticket_id}/history")).json()["items"]
    assert (event["type"], event["actor"], event["version"]) == ("reminded", "system:reminders", 2)
    assert event["data"]["reminder"]["note"] == "look"
    assert len((await directory.requester.get(f"/tickets/{ticket_id}/history")).json()["items"]) == 1
