"""Rules that assign tickets within a group."""

import asyncio
from collections import Counter

import asyncpg
import pytest

from rules.conftest import Ruled
from support.factories import JSON


def assign(group_id: int, by: str = "round_robin") -> JSON:
    return {"assign": {"group_id": group_id, "by": by}}


async def assignees(ruled: Ruled, number: int) -> list[str]:
    return [(await ruled.ticket())["assignee_id"] for _ in range(number)]


async def test_members_take_turns(ruled: Ruled) -> None:
    people = sorted(await ruled.people(3))
    group = await ruled.group(*people)
    rule = await ruled.rule(assign(group))
    ticket = await ruled.ticket()
    assert (ticket["group_id"], ticket["assignee_id"], ticket["version"]) == (group, people[0], 1)
    assert (await ruled.history(ticket))[0]["data"] == {
        "group_id": {"from": None, "to": group},
        "assignee_id": {"from": None, "to": people[0]},
        "applied_rules": [rule["id"]],
    }
    assert await assignees(ruled, 5) == [people[1], people[2], *people]


async def test_turns_are_fair_among_clients_at_once(ruled: Ruled) -> None:
    people = await ruled.people(7)
    await ruled.rule(assign(await ruled.group(*people)))
    found = await asyncio.gather(*(assignees(ruled, number) for number in [13] * 4 + [12] * 4))
    counts = Counter(assignee for of_client in found for assignee in of_client)
    assert (sum(counts.values()), set(counts)) == (100, set(people))
    assert max(counts.values()) - min(counts.values()) == 1


async def test_turns_are_fair_if_the_clock_was_set_back(ruled: Ruled) -> None:
    people = sorted(await ruled.people(3))
    group = await ruled.group(*people)
    await ruled.rule(assign(group))
    sql = await asyncpg.connect(ruled.directory.dsn)
    ahead = "UPDATE group_members SET assigned_at = now() + interval '1 day' WHERE group_id = $1 AND principal_id = $2"
    await sql.execute(ahead, group, people[0])
    await sql.close()
    assert await assignees(ruled, 6) == [people[1], people[2], *people, people[0]]


async def test_inactive_members_and_those_who_cannot_authenticate_get_no_tickets(ruled: Ruled) -> None:
    one, gone, requester = await ruled.people(3)
    key = await ruled.directory.created("/keys", {"name": "soon revoked", "role": "agent"})
    group = await ruled.group(one, gone, requester, "key:soon revoked")
    await ruled.admin.delete(f"/keys/{key['id']}")
    await ruled.admin.patch(f"/people/{gone}", json={"active": False})
    await ruled.admin.patch(f"/people/{requester}", json={"role": "requester"})
    await ruled.rule(assign(group))
    assert await assignees(ruled, 3) == [one] * 3


@pytest.mark.parametrize("by", ["round_robin", "least_loaded"])
async def test_a_group_without_members_gets_the_ticket_alone(ruled: Ruled, by: str) -> None:
    group = await ruled.group()
    rule = await ruled.rule(assign(group, by))
    ticket = await ruled.ticket()
    assert (ticket["group_id"], ticket["assignee_id"]) == (group, None)
    assert (await ruled.history(ticket))[0]["data"]["applied_rules"] == [rule["id"]]


async def test_the_least_loaded_member_gets_the_ticket(ruled: Ruled) -> None:
    people = sorted(await ruled.people(3))
    for person, number in zip(people, (3, 1, 2), strict=True):
        tickets = [await ruled.ticket(assignee_id=person) for _ in range(number)]
    for ticket in tickets:  # of the last one: closed tickets do not count
        await ruled.change(ticket, status="closed")
    await ruled.rule(assign(await ruled.group(*people), "least_loaded"))
    found = await assignees(ruled, 6)
    assert found[0] == people[2]
    assert Counter(found) == {people[0]: 1, people[1]: 2, people[2]: 3}


async def test_loads_are_even_among_clients_at_once(ruled: Ruled) -> None:
    people = await ruled.people(3)
    await ruled.rule(assign(await ruled.group(*people), "least_loaded"))
    found = await asyncio.gather(*(assignees(ruled, 5) for _ in range(6)))
    assert Counter(assignee for of_client in found for assignee in of_client) == dict.fromkeys(people, 10)


async def test_a_ticket_with_an_assignee_is_not_assigned(ruled: Ruled) -> None:
    people = await ruled.people(1)
    group, other = await ruled.group(*people), await ruled.group()
    await ruled.rule(assign(group), "ticket.created", "ticket.changed", "ticket.assigned")
    ticket = await ruled.ticket(assignee_id="key:admin", group_id=other)
    assert (ticket["assignee_id"], ticket["group_id"]) == ("key:admin", other)
    changed = await ruled.change(ticket, subject="Other", group_id=None)
    assert (changed["assignee_id"], changed["group_id"]) == ("key:admin", None)
    released = await ruled.change(ticket, assignee_id=None)
    assert (released["assignee_id"], released["group_id"], released["version"]) == (people[0], group, 3)


async def test_the_last_rule_that_assigns_wins(ruled: Ruled) -> None:
    one, two = await ruled.people(2)
    first, second = await ruled.group(one), await ruled.group(two)
    await ruled.rule(assign(first))
    await ruled.rule(assign(second))
    ticket = await ruled.ticket()
    assert (ticket["assignee_id"], ticket["group_id"]) == (two, second)
    await ruled.rule({"set": {"assignee_id": "key:admin"}})
    ticket = await ruled.ticket()
    assert (ticket["assignee_id"], ticket["group_id"]) == ("key:admin", second)


async def test_a_later_group_cancels_an_assignment_to_a_member_of_another_one(ruled: Ruled) -> None:
    (one,) = await ruled.people(1)
    first, second = await ruled.group(one), await ruled.group()
    await ruled.rule(assign(first))
    other = await ruled.rule({"set": {"group_id": second}})
    ticket = await ruled.ticket()
    assert (ticket["assignee_id"], ticket["group_id"]) == (None, second)
    same = {"set": {"group_id": first}}
    assert (await ruled.admin.patch(f"/rules/{other['id']}", json={"actions": same})).is_success
    ticket = await ruled.ticket()
    assert (ticket["assignee_id"], ticket["group_id"]) == (one, first)


async def test_a_change_assigns_a_ticket_and_notes_it(ruled: Ruled) -> None:
    people = sorted(await ruled.people(2))
    group = await ruled.group(*people)
    tickets = [await ruled.ticket() for _ in range(4)]
    await ruled.rule(assign(group) | {"note": "Yours."}, "ticket.changed", match={"priority": ["high"]})
    changed = await asyncio.gather(*(ruled.change(ticket, priority="high") for ticket in tickets))
    assert Counter(ticket["assignee_id"] for ticket in changed) == dict.fromkeys(people, 2)
    assert {(ticket["version"], ticket["note_count"]) for ticket in changed} == {(3, 1)}
