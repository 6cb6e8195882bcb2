"""A simulated year: what happens to 200 tickets by itself is what an independent oracle expects."""

import json
import random
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from automation.conftest import Automated
from automation.year_oracle import Minutes, Oracle
from services.sla.rebuild import EVENTS, rebuilt
from services.tickets.edited_ticket import AUTOMATIC
from support.factories import JSON

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 365
TICKETS = 200
DAY = 1440
CLOSE_AFTER, NOTICE = 7 * DAY, 2 * DAY
OFFICE = {day: [["09:00", "12:00"], ["13:00", "17:30"]] for day in ("mon", "tue", "wed", "thu", "fri")}
NIGHTS = {day: [["20:00", "04:00"]] for day in ("mon", "wed", "fri", "sun")}
HOLIDAYS = {"2026-04-03": [], "2026-12-24": [["09:00", "12:00"]], "2026-12-25": []}
CALENDARS = {
    "urgent": ("Europe/Berlin", OFFICE, HOLIDAYS),
    "high": ("America/New_York", NIGHTS, {}),
}
BUDGETS = {
    "urgent": {"first_response": 60, "next_response": 120, "resolution": 960},
    "high": {"first_response": 480, "resolution": 4_800},
}
TRANSITIONS = {"open": ["answered", "closed"], "answered": ["awaiting_reply"], "awaiting_reply": ["answered", "closed"]}
REQUESTER, AGENT = "alice@example.com", "bob@example.com"


async def set_clock(sql: asyncpg.Connection, minute: int) -> None:
    """Stop the clock of the database at a minute of the year."""
    at = START + timedelta(minutes=minute)
    await sql.execute(
        f"CREATE OR REPLACE FUNCTION service_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS"
        f" $$ SELECT timestamptz '{at.isoformat()}' $$"
    )


def minute_of(time: str) -> int:
    passed = datetime.fromisoformat(time) - START
    assert passed % timedelta(minutes=1) == timedelta(0)
    return passed // timedelta(minutes=1)


@pytest.fixture
async def policies(automated: Automated) -> dict[str, tuple[Minutes, dict[str, int]]]:
    """Create a policy for each of two priorities, and return what the oracle knows of them."""
    for column in ("created_at", "updated_at"):  # those of tickets without clocks
        await automated.sql.execute(f"ALTER TABLE tickets ALTER {column} SET DEFAULT service_clock()")
    known = {}
    for priority, (zone, weekly, exceptions) in CALENDARS.items():
        calendar_id = await automated.calendar(weekly, zone)
        await automated.sql.execute(
            "UPDATE calendars SET exceptions = $2, version = 2 WHERE id = $1", calendar_id, json.dumps(exceptions)
        )
        budgets = {f"{kind}_s": minutes * 60 for kind, minutes in BUDGETS[priority].items()}
        await automated.policy(calendar_id=calendar_id, match={"priority": [priority]}, **budgets)
        known[priority] = (Minutes(START, DAYS + 1, zone, weekly, exceptions), BUDGETS[priority])
    return known


async def test_a_year_goes_as_the_oracle_expects(
    automated: Automated, policies: dict[str, tuple[Minutes, dict[str, int]]]
) -> None:
    dice = random.Random(20260101)  # noqa: S311 - a reproducible choice
    acts = sorted(
        (dice.randrange(DAYS * DAY - 60), number, dice.random()) for number in range(TICKETS) for _ in range(6)
    )
    tickets: dict[int, JSON] = {}
    oracles: dict[int, Oracle] = {}
    for minute, number, chance in acts:
        await fire_until(automated, minute)
        await set_clock(automated.sql, minute)
        if number not in tickets:
            priority = dice.choice(["urgent", "high", "low"])
            tickets[number] = await automated.ticket(priority=priority, email=REQUESTER)
            oracles[number] = Oracle(policies, CLOSE_AFTER, NOTICE, priority)
            oracles[number].begin(minute)
            continue
        oracle = oracles[number]
        oracle.advance(minute)
        if oracle.status != "closed":
            await act(automated, tickets[number], oracle, minute, chance, dice)
    await fire_until(automated, DAYS * DAY - 1)
    for number, oracle in oracles.items():
        oracle.advance(DAYS * DAY - 1)
        assert await facts_of(automated, tickets[number]) == sorted(oracle.facts, key=lambda fact: fact[2]), number
    assert {fact[0] for oracle in oracles.values() for fact in oracle.facts} == {
        "sla_warned",
        "sla_breached",
        "close_warned",
        "closed",
    }
    await ensure_rebuilt(automated, list(tickets.values()))


async def act(
    automated: Automated, ticket: JSON, oracle: Oracle, minute: int, chance: float, dice: random.Random
) -> None:
    """Change a ticket at random, and tell the oracle."""
    if chance < 0.6:
        target = dice.choice(TRANSITIONS[oracle.status])
        await automated.change(ticket, status=target)
        oracle.move(target, minute)
    elif chance < 0.8:
        email = dice.choice([REQUESTER, AGENT])
        await automated.comment(ticket, email=email)
        oracle.comment(minute, by_requester=email == REQUESTER)
    else:
        priority = dice.choice([each for each in ("urgent", "high", "low") if each != oracle.priority])
        await automated.change(ticket, priority=priority)
        oracle.prioritise(priority, minute)


async def fire_until(automated: Automated, minute: int) -> None:
    """Fire each timer at its minute, up to a minute."""
    while True:
        timer_at = await automated.sql.fetchval("SELECT min(timer_at) FROM tickets")
        if timer_at is None or timer_at > START + timedelta(minutes=minute):
            return
        await set_clock(automated.sql, minute_of(timer_at.isoformat()))
        await automated.fire()


async def facts_of(automated: Automated, ticket: JSON) -> list[tuple[str, str, int]]:
    """Return the events that came by themselves, as the oracle has them."""
    found = []
    for event in await automated.events(ticket):
        if event["actor"].startswith("system:"):
            kind = event["data"].get("sla_clock", {}).get("kind", "")
            event_type = "closed" if "status" in event["data"] else event["type"]
            found.append((event_type, kind, minute_of(event["created_at"])))
    return found


async def ensure_rebuilt(automated: Automated, tickets: list[JSON]) -> None:
    """Check that the events of each ticket lead to the columns that are stored."""
    settings = await automated.app.state.automation.current()
    async with automated.database.reading() as connection:
        for ticket in tickets:
            rows = await connection.rows(EVENTS, ticket_id=ticket["id"])
            columns = ", ".join(AUTOMATIC)
            stored = await automated.sql.fetchrow(f"SELECT {columns} FROM tickets WHERE id = $1", ticket["id"])
            assert rebuilt(rows, settings.calendars, settings.close) == dict(stored or {})
