"""Sixty random tickets to filter, sort and count; and the pages of a list."""

import asyncio
import secrets
from collections.abc import Callable
from random import Random
from typing import Any

import asyncpg
import httpx2

from directory.conftest import Directory
from support.factories import JSON, a_ticket

RANKS = ["urgent", "high", "normal", "low"]
TAGS = ["red", "green", "blue"]
HOUR = 3_600


class Desk:
    """Sixty random tickets, as the service shows them, and what they refer to."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.people: list[str] = []
        self.groups: list[int] = []
        self.mark = f"mark-{secrets.token_hex(4)}"
        self.tickets: list[JSON] = []
        self.snoozed: set[int] = set()
        self.states: dict[int, str] = {}

    @property
    def due(self) -> str:
        """A time before which half of the tickets with a running clock are due."""
        times: list[str] = sorted(ticket["due_at"] for ticket in self.tickets if ticket["due_at"])
        return times[len(times) // 2]

    async def fill(self) -> None:
        dice = Random(7)  # noqa: S311 - no secret
        self.people = [(await self.directory.person())["id"] for _ in range(2)]
        names = [{"name": secrets.token_hex(8)} for _ in range(2)]
        self.groups = [(await self.directory.created("/groups", name))["id"] for name in names]
        field = {"key": "colors", "label": "Colors", "type": "multiselect", "options": ["cyan", "pink"]}
        for new in (field, {"key": "size", "label": "Size", "type": "number", "visible_to_requester": True}):
            await self.directory.admin.post("/fields", json=new)
        await self._promise()
        await asyncio.gather(*(self._create(dice) for _ in range(60)))
        admin = self.directory.admin
        found = [await admin.get(f"/tickets?tag={self.mark}&sort=id&limit=100")]
        self.tickets = found[0].json()["items"]
        assert len(self.tickets) == 60
        await self._remind(dice)
        await self._set_states(dice)

    async def _promise(self) -> None:
        """Create policies for the tickets of each priority but one."""
        weekly = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
        calendar = await self.directory.created("/calendars", {"name": self.mark, "zone": "UTC", "weekly": weekly})
        for priority, hours in (("urgent", 1), ("high", 2), ("low", 3)):
            budgets = {"next_response_s": hours * HOUR, "resolution_s": hours * 2 * HOUR}
            policy = {"name": f"{self.mark} {priority}", "calendar_id": calendar["id"], **budgets}
            match = {"tag": [self.mark], "priority": [priority]}
            await self.directory.created("/sla-policies", policy | {"match": match})

    async def _set_states(self, dice: Random) -> None:
        """Let some tickets be at risk or breached, as after so much time."""
        self.states = {
            ticket["id"]: "" if ticket["status"] == "closed" else dice.choice(["at_risk", "breached", ""])
            for ticket in self.tickets
        }
        connection = await asyncpg.connect(self.directory.dsn)
        changed = [(ticket_id, state) for ticket_id, state in self.states.items() if state]
        await connection.executemany("UPDATE tickets SET sla_state = $2, version = version + 1 WHERE id = $1", changed)
        await connection.close()

    async def _remind(self, dice: Random) -> None:
        """Let the admin snooze some tickets; other reminders snooze nothing for the admin."""
        self.snoozed = {ticket["id"] for ticket in self.tickets if dice.random() < 0.3}
        for ticket in self.tickets:
            reminder = {"remind_at": "2035-03-02T09:00:00Z", "snooze": True}
            for client, snooze in ((self.directory.admin, ticket["id"] in self.snoozed), (self.directory.agent, True)):
                if dice.random() < 0.5 or snooze:
                    path = f"/tickets/{ticket['id']}/reminder"
                    assert (await client.put(path, json=reminder | {"snooze": snooze})).status_code == 200

    async def _create(self, dice: Random) -> None:
        new = a_ticket(
            email=dice.choice(["alice@example.com", "bob@example.com"]),
            tags=[self.mark, *(tag for tag in TAGS if dice.random() < 0.4)],
            assignee_id=dice.choice([None, *self.people]),
            group_id=dice.choice([None, *self.groups]),
            priority=dice.choice(RANKS),
            custom=dice.choice([{}, {"size": 1.5}, {"size": 2, "colors": ["pink"]}, {"colors": ["cyan", "pink"]}]),
        )
        status, joins = dice.choice(["open", "answered", "closed", "awaiting_reply"]), dice.random() < 0.3
        ticket = await self.directory.created("/tickets", new)
        if joins:
            await self.directory.admin.put(f"/tickets/{ticket['id']}/participants/Carol@example.com")
        ways = {"open": [], "awaiting_reply": ["answered", "awaiting_reply"]}
        for each in ways.get(status, [status]):
            changed = await self.directory.admin.patch(f"/tickets/{ticket['id']}", json={"status": each})
            assert changed.status_code == 200


def ordered(tickets: list[JSON], sort: str) -> list[int]:
    """Return the ids in the requested order."""
    if sort == "priority":
        return [each["id"] for each in sorted(tickets, key=lambda each: (RANKS.index(each["priority"]), each["id"]))]
    if sort == "due":
        due = [each for each in tickets if each["due_at"]]
        return [each["id"] for each in sorted(due, key=lambda each: (each["due_at"], each["id"]))]
    column = sort.removeprefix("-")
    key: Callable[[JSON], Any] = lambda each: (each[column], each["id"])  # noqa: E731 - beside its use
    return [each["id"] for each in sorted(tickets, key=key, reverse=sort.startswith("-"))]


async def walk(client: httpx2.AsyncClient, query: str) -> list[int]:
    """Return the ids of all pages."""
    ids: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        response = await client.get(f"/tickets?{query}&limit=7{cursor and f'&cursor={cursor}'}")
        assert response.status_code == 200, response.text
        ids += [ticket["id"] for ticket in response.json()["items"]]
        cursor = response.json()["next_cursor"]
    return ids
