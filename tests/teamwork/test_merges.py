"""Merges and follow-ups: closed stays final."""

import asyncio
import secrets

import asyncpg
import httpx2

from access.conftest import ALICE, MALLORY, GuardedService
from support.factories import a_comment, a_ticket, open_ticket, ticket_in


async def test_a_merged_ticket_is_closed_and_its_target_shows_its_comments(client: httpx2.AsyncClient) -> None:
    source, target = [(await open_ticket(client))["id"] for _ in range(2)]
    for number, ticket in enumerate((source, target, source)):
        await client.post(f"/tickets/{ticket}/comments", json=a_comment(text=f"comment {number}"))
    merged = await client.post(f"/tickets/{source}/merge", json={"into": target})
    assert (merged.status_code, merged.json()["id"]) == (200, target)
    found = (await client.get(f"/tickets/{source}")).json()
    assert (found["status"], found["merged_into"]) == ("closed", target)
    assert (await client.get(f"/tickets/{target}")).json()["merged"] == [source]
    own = (await client.get(f"/tickets/{target}/comments")).json()["items"]
    assert [comment["text"] for comment in own] == ["comment 1"]
    pages = []
    cursor = ""
    while cursor is not None:
        page = (await client.get(f"/tickets/{target}/comments?include=merged&limit=2{cursor}")).json()
        pages += page["items"]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert [(comment["ticket_id"], comment["text"]) for comment in pages] == [
        (source, "comment 0"),
        (target, "comment 1"),
        (source, "comment 2"),
    ]
    again = await client.post(f"/tickets/{source}/merge", json={"into": target})
    assert (again.status_code, again.headers["ETag"]) == (200, merged.headers["ETag"])
    for ticket, member in ((source, "merged_into"), (target, "merged_from")):
        *_, event = (await client.get(f"/tickets/{ticket}/history")).json()["items"]
        assert event["type"] == "merged"
        assert member in event["data"]


async def test_the_words_of_a_merged_ticket_are_found_under_its_target(client: httpx2.AsyncClient) -> None:
    word, other = "w" + secrets.token_hex(6), "v" + secrets.token_hex(6)
    source = (await open_ticket(client, subject=word))["id"]
    await client.post(f"/tickets/{source}/comments", json=a_comment(text=other))
    target = (await open_ticket(client))["id"]
    await client.post(f"/tickets/{source}/merge", json={"into": target})
    found = (await client.get("/tickets", params={"q": f"{word} {other}"})).json()["items"]
    assert {ticket["id"] for ticket in found} == {source, target}
    await client.delete(f"/tickets/{source}/merge")
    found = (await client.get("/tickets", params={"q": other})).json()["items"]
    assert {ticket["id"] for ticket in found} == {source}


async def test_the_requester_of_the_source_sees_the_target(
    service: GuardedService, agent: dict[str, str], alice: dict[str, str], mallory: dict[str, str]
) -> None:
    async def created(email: str) -> str:
        response = await service.client.post("/tickets", json=a_ticket(email=email), headers=agent)
        return f"/tickets/{response.json()['id']}"

    source, target = await created(MALLORY), await created(ALICE)
    await service.client.put(f"{source}/participants/carol@example.com", headers=agent)
    assert (await service.client.get(target, headers=mallory)).status_code == 404
    into = {"into": int(target.rpartition("/")[2])}
    merged = await service.client.post(f"{source}/merge", json=into, headers=agent)
    assert set(merged.json()["participants"]) == {MALLORY, "carol@example.com"}
    assert (await service.client.get(target, headers=mallory)).status_code == 200
    assert (await service.client.get(source, headers=mallory)).json()["merged_into"] == into["into"]
    assert (await service.client.get(source, headers=alice)).status_code == 404
    comments = await service.client.get(f"{target}/comments?include=merged", headers=alice)
    assert comments.status_code == 200
    undone = await service.client.delete(f"{source}/merge", headers=agent)
    assert undone.status_code == 201
    assert (await service.client.get(target, headers=mallory)).status_code == 404
    follow_up = await service.client.get(undone.headers["Location"], headers=mallory)
    assert (follow_up.status_code, follow_up.json()["status"]) == (200, "open")


async def test_a_merge_that_is_undone_opens_a_follow_up(client: httpx2.AsyncClient) -> None:
    source, target = [(await open_ticket(client))["id"] for _ in range(2)]
    await client.post(f"/tickets/{source}/merge", json={"into": target})
    undone = await client.delete(f"/tickets/{source}/merge")
    assert (undone.status_code, undone.json()["follow_up_of"]) == (201, source)
    found = (await client.get(f"/tickets/{source}")).json()
    assert (found["status"], found["merged_into"], found["follow_ups"]) == ("closed", None, [undone.json()["id"]])
    assert (await client.get(f"/tickets/{target}")).json()["merged"] == []
    again = await client.delete(f"/tickets/{source}/merge")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/not-merged")
    *_, event = (await client.get(f"/tickets/{source}/history")).json()["items"]
    assert (event["type"], event["data"]["follow_up_id"]) == ("merged", undone.json()["id"])


async def test_a_merge_can_be_undone_for_a_day(client: httpx2.AsyncClient, sql: asyncpg.Connection) -> None:
    source, target = [(await open_ticket(client))["id"] for _ in range(2)]
    await client.post(f"/tickets/{source}/merge", json={"into": target})
    async with sql.transaction():
        await sql.execute("SELECT set_config('tickets.change_purpose', 'backfill', true)")
        await sql.execute("UPDATE tickets SET merged_at = now() - interval '24 hours 1 s' WHERE id = $1", source)
    refused = await client.delete(f"/tickets/{source}/merge")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/merge-too-old")


async def test_a_chain_of_merges_is_followed(client: httpx2.AsyncClient) -> None:
    first, second, third, fourth = [(await open_ticket(client))["id"] for _ in range(4)]
    await client.post(f"/tickets/{second}/merge", json={"into": third})
    merged = await client.post(f"/tickets/{first}/merge", json={"into": second})
    assert merged.json()["id"] == third
    await client.post(f"/tickets/{third}/merge", json={"into": fourth})
    assert (await client.get(f"/tickets/{fourth}")).json()["merged"] == [first, second, third]


async def test_cycles_and_closed_targets_are_refused(client: httpx2.AsyncClient) -> None:
    one, other = [(await open_ticket(client))["id"] for _ in range(2)]
    closed = (await ticket_in(client, "closed"))["id"]
    assert (await client.post(f"/tickets/{one}/merge", json={"into": one})).status_code == 409
    assert (await client.post(f"/tickets/{one}/merge", json={"into": closed})).status_code == 409
    await client.post(f"/tickets/{one}/merge", json={"into": other})
    cycle = await client.post(f"/tickets/{other}/merge", json={"into": one})
    assert (cycle.status_code, cycle.json()["type"]) == (409, "/problems/merge-not-possible")
    assert cycle.json()["reason"] == "leads-back"
    unknown = await client.post(f"/tickets/{other}/merge", json={"into": 999_999_999})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "#/into")
    assert (await client.post("/tickets/999999999/merge", json={"into": other})).status_code == 404


async def test_of_two_merges_that_cross_each_other_one_succeeds(client: httpx2.AsyncClient) -> None:
    for _ in range(5):
        one, other = [(await open_ticket(client))["id"] for _ in range(2)]
        responses = await asyncio.gather(
            client.post(f"/tickets/{one}/merge", json={"into": other}),
            client.post(f"/tickets/{other}/merge", json={"into": one}),
        )
        assert sorted(response.status_code for response in responses) == [200, 409]
        statuses = [(await client.get(f"/tickets/{ticket}")).json()["status"] for ticket in (one, other)]
        assert sorted(statuses) == ["closed", "open"]


async def test_a_closed_ticket_can_be_merged(client: httpx2.AsyncClient) -> None:
    source, target = (await ticket_in(client, "closed"))["id"], (await open_ticket(client))["id"]
    assert (await client.post(f"/tickets/{source}/merge", json={"into": target})).status_code == 200
    assert (await client.get(f"/tickets/{source}")).json()["merged_into"] == target


async def test_a_follow_up_continues_a_closed_ticket(client: httpx2.AsyncClient) -> None:
    closed = await ticket_in(client, "closed")
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    path = f"/tickets/{closed['id']}"
    opened = await client.post(f"{path}/follow-ups", json=a_ticket(subject="again"), headers=headers)
    assert (opened.status_code, opened.json()["follow_up_of"]) == (201, closed["id"])
    replayed = await client.post(f"{path}/follow-ups", json=a_ticket(subject="again"), headers=headers)
    assert (replayed.json(), replayed.headers["Idempotent-Replayed"]) == (opened.json(), "true")
    found = (await client.get(path)).json()
    assert (found["status"], found["follow_ups"]) == ("closed", [opened.json()["id"]])
    *_, event = (await client.get(f"{path}/history")).json()["items"]
    assert event["data"] == {"follow_up_id": opened.json()["id"]}


async def test_an_open_ticket_has_no_follow_up(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    refused = await client.post(f"/tickets/{ticket['id']}/follow-ups", json=a_ticket())
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/ticket-not-closed")


async def test_the_problem_of_a_comment_on_a_closed_ticket_names_the_follow_up(client: httpx2.AsyncClient) -> None:
    closed = await ticket_in(client, "closed")
    refused = await client.post(f"/tickets/{closed['id']}/comments", json=a_comment())
    assert "POST /tickets/{ticket_id}/follow-ups" in refused.json()["detail"]
