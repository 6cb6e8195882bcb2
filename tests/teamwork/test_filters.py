"""The filters and orders of lists, compared with a plain model over random tickets; counts and tags."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import asyncpg
import httpx2
import pytest

from directory.conftest import Directory
from support.factories import JSON, a_ticket

RANKS = ["urgent", "high", "normal", "low"]
SORTS = ["id", "-id", "created_at", "-created_at", "updated_at", "-updated_at", "priority"]
SORTS_OF_AGENTS = [*SORTS, "due"]
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


@pytest.fixture(scope="module")
async def desk(directory: Directory) -> Desk:
    desk = Desk(directory)
    await desk.fill()
    return desk


def is_high(ticket: JSON) -> bool:
    return bool(ticket["priority"] == "high")


def is_due(ticket: JSON, desk: "Desk") -> bool:
    return bool(ticket["due_at"] and ticket["due_at"] < desk.due)


Matches = Callable[[JSON, Desk], bool]
CASES: list[tuple[str, Matches]] = [
    ("", lambda _ticket, _desk: True),
    ("assignee={person}", lambda ticket, desk: ticket["assignee_id"] == desk.people[0]),
    ("assignee=none", lambda ticket, _desk: ticket["assignee_id"] is None),
    ("assignee=none&assignee={person}", lambda ticket, desk: ticket["assignee_id"] in {None, desk.people[0]}),
    ("assignee={person}&assignee={other}", lambda ticket, desk: ticket["assignee_id"] in desk.people),
    ("group={group}", lambda ticket, desk: ticket["group_id"] == desk.groups[0]),
    ("group=none", lambda ticket, _desk: ticket["group_id"] is None),
    ("priority=urgent", lambda ticket, _desk: ticket["priority"] == "urgent"),
    ("priority=low&priority=normal", lambda ticket, _desk: ticket["priority"] in {"low", "normal"}),
    ("priority=low&priority=high", lambda ticket, _desk: ticket["priority"] in {"low", "high"}),
    ("tag=red", lambda ticket, _desk: "red" in ticket["tags"]),
    ("tag=red&tag=blue", lambda ticket, _desk: {"red", "blue"} <= set(ticket["tags"])),
    ("custom.size=1.50", lambda ticket, _desk: ticket["custom"].get("size") == 1.5),
    ("custom.colors=pink", lambda ticket, _desk: "pink" in ticket["custom"].get("colors", ())),
    (
        "custom.colors=pink&custom.size=2&priority=high",
        lambda ticket, _desk: ticket["custom"] == {"size": 2, "colors": ["pink"]} and ticket["priority"] == "high",
    ),
    ("participant=carol@EXAMPLE.com", lambda ticket, _desk: ticket["participants"] != []),
    (
        "participant=carol@example.com&assignee={person}",
        lambda ticket, desk: ticket["participants"] != [] and ticket["assignee_id"] == desk.people[0],
    ),
    ("snoozed=true", lambda ticket, desk: ticket["id"] in desk.snoozed),
    ("snoozed=false", lambda ticket, desk: ticket["id"] not in desk.snoozed),
    ("snoozed=true&assignee=none", lambda ticket, desk: ticket["id"] in desk.snoozed and not ticket["assignee_id"]),
    ("snoozed=false&priority=high", lambda ticket, desk: ticket["id"] not in desk.snoozed and is_high(ticket)),
    (
        "snoozed=false&email=alice@example.com",
        lambda ticket, desk: ticket["id"] not in desk.snoozed and ticket["email"] == "alice@example.com",
    ),
    ("due_before={due}", is_due),
    ("due_before={due}&tag=red", lambda ticket, desk: is_due(ticket, desk) and "red" in ticket["tags"]),
    (
        "due_before={due}&email=alice@example.com",
        lambda ticket, desk: is_due(ticket, desk) and ticket["email"] == "alice@example.com",
    ),
    ("sla=at_risk", lambda ticket, desk: desk.states[ticket["id"]] == "at_risk"),
    ("sla=at_risk&sla=breached", lambda ticket, desk: desk.states[ticket["id"]] != ""),
    (
        "sla=breached&due_before={due}",
        lambda ticket, desk: desk.states[ticket["id"]] == "breached" and is_due(ticket, desk),
    ),
]
# Filters of a requester.
SEEN: dict[str, Callable[[JSON], bool]] = {
    "": lambda _ticket: True,
    "priority=urgent": lambda ticket: bool(ticket["priority"] == "urgent"),
    "custom.size=2": lambda ticket: bool(ticket["custom"].get("size") == 2),
    "status=open": lambda ticket: bool(ticket["status"] == "open"),
    "participant=carol@example.com": lambda ticket: bool(ticket["participants"]),
}
STATUSES = [[], ["open"], ["closed", "answered"], ["awaiting_reply", "answered"]]


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


@pytest.mark.parametrize("sort", SORTS_OF_AGENTS)
@pytest.mark.parametrize(("query", "matches"), CASES, ids=[query for query, _ in CASES])
async def test_all_pages_have_each_matching_ticket_once_and_in_order(
    desk: Desk, query: str, matches: Matches, sort: str
) -> None:
    values = {"person": desk.people[0], "other": desk.people[1], "group": desk.groups[0], "due": desk.due}
    for statuses in STATUSES:
        target = f"tag={desk.mark}&sort={sort}&{query.format_map(values)}"
        target += "".join(f"&status={status}" for status in statuses)
        expected = [
            ticket
            for ticket in desk.tickets
            if matches(ticket, desk) and (not statuses or ticket["status"] in statuses)
        ]
        assert await walk(desk.directory.admin, target) == ordered(expected, sort)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("query", SEEN)
async def test_a_requester_lists_own_tickets_and_those_with_their_participation(
    desk: Desk, query: str, sort: str
) -> None:
    carol = await desk.directory.created(
        "/keys", {"name": secrets.token_hex(6), "role": "requester", "email": "carol@example.com"}
    )
    client = desk.directory.admin
    headers = {"Authorization": f"Bearer {carol['secret']}"}
    own = [await client.post("/tickets", json=a_ticket(email="carol@example.com"), headers=headers) for _ in range(3)]
    assert {response.status_code for response in own} == {201}
    every = (await client.get("/tickets?participant=carol@example.com&limit=100")).json()["items"]
    every += (await client.get("/tickets?email=carol@example.com&limit=100")).json()["items"]
    expected = ordered([ticket for ticket in every if SEEN[query](ticket)], sort)
    ids: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await client.get(
            f"/tickets?sort={sort}&limit=7&{query}{cursor and f'&cursor={cursor}'}", headers=headers
        )
        assert page.status_code == 200, page.text
        ids += [ticket["id"] for ticket in page.json()["items"]]
        cursor = page.json()["next_cursor"]
    assert ids == expected


SEARCHED = [
    *("", "assignee=none&assignee={person}", "group=none&group={group}", "priority=high", "tag=red"),
    *("snoozed=true", "snoozed=false", "due_before={due}", "sla=at_risk"),
]


@pytest.mark.parametrize("sort", SORTS_OF_AGENTS)
@pytest.mark.parametrize("query", SEARCHED)
async def test_a_search_with_filters_finds_each_ticket_with_the_word_once(desk: Desk, query: str, sort: str) -> None:
    values = {"person": desk.people[0], "group": desk.groups[0], "due": desk.due}
    admin = desk.directory.admin
    word = "w" + secrets.token_hex(6)
    with_word = [ticket for ticket in desk.tickets if ticket["id"] % 2 and ticket["status"] != "closed"]
    for ticket in with_word:
        comment = {"email": "bob@example.com", "text": word}
        assert (await admin.post(f"/tickets/{ticket['id']}/comments", json=comment)).status_code == 201
    matches = {ticket["id"] for ticket in with_word}
    filtered = await walk(admin, f"tag={desk.mark}&sort={sort}&{query.format_map(values)}")
    found = await walk(admin, f"tag={desk.mark}&sort={sort}&{query.format_map(values)}&q={word}")
    assert found == [ticket_id for ticket_id in filtered if ticket_id in matches]
    desk.tickets = (await admin.get(f"/tickets?tag={desk.mark}&sort=id&limit=100")).json()["items"]


@pytest.mark.parametrize("sort", SORTS)
async def test_a_search_of_a_requester_finds_their_tickets_with_the_word_only(directory: Directory, sort: str) -> None:
    word, address = "w" + secrets.token_hex(6), f"{secrets.token_hex(6)}@example.com"
    key = {"name": secrets.token_hex(6), "role": "requester", "email": address}
    headers = {"Authorization": f"Bearer {(await directory.created('/keys', key))['secret']}"}
    own = await directory.created("/tickets", a_ticket(email=address, subject=word))
    joined = [await directory.created("/tickets", a_ticket(subject=subject)) for subject in (word, "another")]
    await directory.created("/tickets", a_ticket(subject=word))
    for ticket in joined:
        await directory.admin.put(f"/tickets/{ticket['id']}/participants/{address}")
    page = await directory.admin.get(f"/tickets?q={word}&sort={sort}", headers=headers)
    assert sorted(ticket["id"] for ticket in page.json()["items"]) == [own["id"], joined[0]["id"]]
    counted = await directory.admin.get(f"/tickets/counts?by=status&q={word}", headers=headers)
    assert [each["count"] for each in counted.json()["counts"]] == [2]


@pytest.mark.parametrize(
    "query",
    [
        "assignee=me",
        "group=none",
        "tag=x",
        "external_id=1",
        "custom.colors=pink",
        "snoozed=false",
        "due_before=2026-03-02T09:00:00Z",
        "sla=breached",
        "sort=due",
    ],
)
async def test_a_requester_does_not_filter_by_what_they_do_not_see(directory: Directory, query: str) -> None:
    status = 422 if query.startswith("custom") else 403
    assert (await directory.requester.get(f"/tickets?{query}")).status_code == status


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("custom.nothing=1", "custom.nothing"),
        ("custom.size=big", "custom.size"),
        ("group=x", "group"),
        ("tag=NOT", "tag"),
        ("priority=huge", "priority"),
        ("follow_up_of=x", "follow_up_of"),
        ("snoozed=1", "snoozed"),
        ("nothing=1", "nothing"),
    ],
)
async def test_an_invalid_filter_is_refused_by_its_name(desk: Desk, query: str, parameter: str) -> None:
    response = await desk.directory.admin.get(f"/tickets?{query}")
    assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, parameter)


async def test_a_ticket_is_found_by_its_external_id(desk: Desk) -> None:
    admin, external_id = desk.directory.admin, secrets.token_hex(6)
    ticket = await desk.directory.created("/tickets", a_ticket(source="shop", external_id=external_id))
    for query in (f"external_id={external_id}", f"external_id={external_id}&source=shop&status=open"):
        assert [each["id"] for each in (await admin.get(f"/tickets?{query}")).json()["items"]] == [ticket["id"]]
    assert (await admin.get(f"/tickets?external_id={external_id}&source=crm")).json()["items"] == []
    assert (await admin.get("/tickets?source=shop")).status_code == 422


@pytest.mark.parametrize("by", ["status", "assignee", "group", "priority", "tag"])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "&status=open",
        "&priority=high&tag=red",
        "&custom.colors=pink",
        "&snoozed=false",
        "&snoozed=true",
        "&due_before={due}",
        "&sla=breached",
    ],
)
async def test_counts_are_exact(desk: Desk, by: str, query: str) -> None:
    admin = desk.directory.admin
    counted = (await admin.get(f"/tickets/counts?by={by}&tag={desk.mark}{query.format(due=desk.due)}")).json()
    ids = set(await walk(admin, f"tag={desk.mark}{query.format(due=desk.due)}"))
    tickets = [ticket for ticket in desk.tickets if ticket["id"] in ids]
    field = {"assignee": "assignee_id", "group": "group_id", "tag": "tags"}.get(by, by)
    values = [value for ticket in tickets for value in (ticket[field] if by == "tag" else [ticket[field]])]
    assert (counted["by"], counted["truncated"]) == (by, False)
    assert {each["value"]: each["count"] for each in counted["counts"]} == Counter(values)


async def test_tags_are_listed_with_their_numbers(desk: Desk) -> None:
    admin = desk.directory.admin
    listed = (await admin.get(f"/tags?prefix={desk.mark[:8]}")).json()
    assert listed["items"] == [{"tag": desk.mark, "count": 60}]
    every, cursor = [], ""
    while cursor is not None:
        page = (await admin.get(f"/tags?limit=2{cursor and f'&cursor={cursor}'}")).json()
        every += [each["tag"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert every == sorted(set(every))
    assert {*TAGS, desk.mark} <= set(every)
    assert (await desk.directory.requester.get("/tags")).status_code == 403


async def test_a_tag_is_renamed_on_closed_tickets_too(desk: Desk) -> None:
    admin, old, new = desk.directory.admin, secrets.token_hex(6), secrets.token_hex(6)
    tickets = [await desk.directory.created("/tickets", a_ticket(tags=[old])) for _ in range(60)]
    await admin.put(f"/tickets/{tickets[1]['id']}/tags/{new}")
    await admin.patch(f"/tickets/{tickets[0]['id']}", json={"status": "closed"})
    renamed = await admin.post("/tags/rename", json={"from": old, "to": new})
    assert (renamed.status_code, renamed.json()) == (200, {"renamed": 60, "is_complete": True})
    for ticket in tickets:
        found = (await admin.get(f"/tickets/{ticket['id']}")).json()
        assert found["tags"] == [new]
    assert (await admin.post("/tags/rename", json={"from": old, "to": new})).json()["renamed"] == 0
    assert (await desk.directory.agent.post("/tags/rename", json={"from": old, "to": new})).status_code == 403
