"""Numbers now, by day and by value: what they count, and that their queries list it."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.settings import ROOT
from rollups.conftest import Counting
from schemas.ticket_numbers import TOO_MANY_DAYS, UNTIL_BEFORE_SINCE
from support.factories import JSON, a_ticket

# Ages of the tickets, in hours, and of how many of them an agent has seen the ticket.
AGES = (0.5, 2, 2, 10, 30, 30, 100, 500)


async def numbers(counting: Counting, path: str) -> JSON:
    response = await counting.client.get(f"/numbers/{path}")
    assert response.status_code == 200, response.text
    body: JSON = response.json()
    return body


async def listed(counting: Counting, query: str) -> int:
    """Return how many tickets the query lists."""
    items: list[Any] = (await counting.client.get(f"/tickets?{query}&limit=100")).json()["items"]
    return len(items)


async def moved(counting: Counting, ticket_id: int, hours: float) -> None:
    """Let a ticket and its history be older."""
    async with counting.sql.transaction():
        await counting.sql.execute("SET LOCAL session_replication_role = replica")
        for table, column in (("tickets", "created_at"), ("ticket_events", "created_at")):
            key = "id" if table == "tickets" else "ticket_id"
            await counting.sql.execute(
                f"UPDATE {table} SET {column} = {column} - $1 * interval '1 hour' WHERE {key} = $2",
                hours,
                ticket_id,
            )


async def test_the_numbers_of_now_are_those_of_their_lists(counting: Counting) -> None:
    for hours in AGES:
        ticket_id = await counting.ticket(assignee_id="key:admin" if hours > 20 else None)
        await moved(counting, ticket_id, hours)
        if hours == 30:
            for status in ("answered", "awaiting_reply"):
                await counting.change(ticket_id, status=status)
    await counting.change(await counting.ticket(), status="closed")
    now = await numbers(counting, "now")
    ages = {each["status"]: [age["count"] for age in each["ages"]] for each in now["waiting"]}
    assert ages == {"open": [1, 2, 1, 0, 1, 1], "awaiting_reply": [0, 0, 0, 2, 0, 0]}
    counted = [age for each in now["waiting"] for age in each["ages"]]
    counted += [now[name] for name in ("unassigned", "at_risk", "breached", "due_in_an_hour")]
    for number in counted:
        assert await listed(counting, number["query"]) == number["count"], number
    assert (now["unassigned"]["count"], now["at_risk"]["count"], now["due_in_an_hour"]["count"]) == (4, 0, 0)
    assert [(each["status"], each["ticket_id"]) for each in now["oldest"]] == [
        ("open", counting.tickets[7]),
        ("awaiting_reply", counting.tickets[4]),
    ]
    for oldest in now["oldest"]:
        first = (await counting.client.get(f"/tickets?{oldest['query']}&limit=1")).json()["items"][0]
        assert first["id"] == oldest["ticket_id"]


async def test_the_numbers_of_days_are_those_of_their_lists(counting: Counting) -> None:
    assert (await numbers(counting, "days?since=2026-03-01&until=2026-03-01"))["complete"] is False
    today = datetime.now(UTC).date()
    tickets = [await counting.ticket() for _ in range(10)]
    for number, ticket_id in enumerate(tickets):
        await moved(counting, ticket_id, 24 * (number % 3) + number)
    for ticket_id in tickets[:6]:
        await counting.change(ticket_id, status="answered")
    for ticket_id in tickets[:4]:
        await counting.change(ticket_id, status="closed")
    await counting.publish()
    await counting.count()
    since = today - timedelta(days=4)
    found = await numbers(counting, f"days?since={since}&until={today}")
    assert (found["complete"], found["zone"], len(found["days"])) == (True, "UTC", 5)
    assert sum(day["opened"]["count"] for day in found["days"]) == 10
    for day in found["days"]:
        for number in (day["opened"], day["closed"]):
            assert await listed(counting, number["query"]) == number["count"], number
    last = found["days"][-1]
    assert (last["day"], last["closed"]["count"], last["first_response"]["count"]) == (str(today), 4, 6)
    durations = [24 * (number % 3) + number for number in range(4)]  # 0, 25, 50 and 3 hours
    assert last["time_to_close"]["p50_s"] == pytest.approx(sorted(durations)[1] * 3600, rel=0.05)
    assert last["time_to_close"]["p90_s"] == pytest.approx(max(durations) * 3600, rel=0.05)
    assert found["days"][0]["time_to_close"] | {"query": None} == {
        "count": 0,
        "p50_s": None,
        "p90_s": None,
        "query": None,
    }
    assert last["within_service_level"]["percent"] is None


async def test_the_days_are_those_of_the_zone(counting: Counting) -> None:
    ticket_id = await counting.ticket()
    at = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    async with counting.sql.transaction():
        await counting.sql.execute("SET LOCAL session_replication_role = replica")
        await counting.sql.execute("UPDATE ticket_events SET created_at = $1", at)
    await counting.publish()
    await counting.count()
    for zone, expected in (("UTC", [1, 0]), ("Europe/Berlin", [0, 1]), ("America/New_York", [1, 0])):
        found = await numbers(counting, f"days?since=2026-03-02&until=2026-03-03&zone={zone}")
        assert [day["opened"]["count"] for day in found["days"]] == expected, (zone, ticket_id)


async def test_numbers_by_value_are_those_of_their_lists(counting: Counting) -> None:
    group = (await counting.client.post("/groups", json={"name": "Network"})).json()["id"]
    for number in range(6):
        await counting.ticket(
            tags=["a", "b"] if number % 2 else ["a"],
            group_id=group if number < 2 else None,
            assignee_id="key:admin" if number == 5 else None,
        )
    await counting.change(counting.tickets[0], status="closed")
    link = await counting.client.put(f"/tickets/{counting.tickets[0]}/links/blocks/{counting.tickets[1]}")
    assert link.status_code == 200  # a change after the end
    await counting.publish()
    await counting.count()
    today = datetime.now(UTC).date()
    expected = {
        "tag": [("a", 6, 1), ("b", 3, 0)],
        "group": [(None, 4, 0), (str(group), 2, 1)],
        "person": [(None, 5, 1), ("key:admin", 1, 0)],
    }
    for facet, values in expected.items():
        found = await numbers(counting, f"by?facet={facet}&since={today}&until={today}")
        shown = [(each["value"], each["opened"]["count"], each["closed"]["count"]) for each in found["values"]]
        assert (shown, found["truncated"]) == (values, False)
        for each in found["values"]:
            assert await listed(counting, each["opened"]["query"]) == each["opened"]["count"]
            assert await listed(counting, each["closed"]["query"]) == each["closed"]["count"]


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("days?since=2026-03-02&until=2026-03-01", UNTIL_BEFORE_SINCE),
        ("days?since=2026-01-01&until=2026-04-03", TOO_MANY_DAYS.format(days=91)),
        ("by?facet=tag&since=2026-01-01&until=2026-02-01", TOO_MANY_DAYS.format(days=30)),
        (
            "days?since=2026-01-01T00:00:00Z&until=2026-04-01",
            "must be a day such as 2026-03-02, of the years 2000 to 2199",
        ),
    ],
)
async def test_other_days_are_refused(counting: Counting, path: str, detail: str) -> None:
    response = await counting.client.get(f"/numbers/{path}")
    assert response.status_code == 422
    assert detail in [each["detail"] for each in response.json()["errors"]]


async def test_only_agents_read_numbers(counting: Counting) -> None:
    body = {"name": "r", "role": "requester", "email": "alice@example.com"}
    key = (await counting.client.post("/keys", json=body)).json()["secret"]
    for path in ("now", "days?since=2026-03-02&until=2026-03-02", "by?facet=tag&since=2026-03-02&until=2026-03-02"):
        response = await counting.client.get(f"/numbers/{path}", headers={"Authorization": f"Bearer {key}"})
        assert response.status_code == 403


async def test_the_command_rebuilds(counting: Counting) -> None:
    await counting.client.post("/tickets", json=a_ticket())
    await counting.publish()
    await counting.count()
    stored = await counting.stored()
    await counting.sql.execute("UPDATE number_hours SET count = 7")
    dsn = counting.dsn
    done = subprocess.run(  # noqa: ASYNC221 - the service has nothing to do meanwhile
        [sys.executable, ROOT / "src" / "ticket_numbers.py", "rebuild"],
        env={**os.environ, "DATABASE_DSN": dsn, "REDIS_HOST": "127.0.0.1", "ENV_FILE": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.startswith("the numbers were rebuilt in ")
    assert await counting.stored() == stored
