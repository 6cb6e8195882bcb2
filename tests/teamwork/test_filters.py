"""The filters and orders of lists, compared with a plain model over random tickets."""

import secrets
from collections.abc import Callable

import pytest

from directory.conftest import Directory
from support.factories import JSON, a_ticket
from teamwork.random_tickets import Desk, ordered, walk

SORTS = ["id", "-id", "created_at", "-created_at", "updated_at", "-updated_at", "priority"]
SORTS_OF_AGENTS = [*SORTS, "due"]


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
