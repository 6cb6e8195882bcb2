"""Merges that are undone: who still sees the target, and what the follow-up has."""

import asyncio

import httpx2

from support.factories import a_ticket, running, settings_for

ANN, BOB, CAROL = "ann@example.com", "bob@example.com", "carol@example.com"


async def opened_for(client: httpx2.AsyncClient, email: str) -> str:
    """Return the path of a new ticket of the requester."""
    created = await client.post("/tickets", json=a_ticket(email=email))
    return f"/tickets/{created.json()['id']}"


async def merge(client: httpx2.AsyncClient, source: str, target: str) -> None:
    merged = await client.post(f"{source}/merge", json={"into": int(target.rpartition("/")[2])})
    assert merged.status_code == 200


async def participants(client: httpx2.AsyncClient, path: str) -> list[str]:
    found: list[str] = (await client.get(path)).json()["participants"]
    return found


async def test_an_address_stays_that_another_merged_ticket_brought_too(client: httpx2.AsyncClient) -> None:
    first, second, target = [await opened_for(client, email) for email in (BOB, BOB, ANN)]
    await client.put(f"{second}/participants/{CAROL}")
    await merge(client, first, target)
    await merge(client, second, target)
    assert (await client.delete(f"{first}/merge")).status_code == 201
    assert await participants(client, target) == [BOB, CAROL]
    assert (await client.delete(f"{second}/merge")).status_code == 201
    assert await participants(client, target) == []


async def test_an_address_stays_that_was_added_by_hand_since(client: httpx2.AsyncClient) -> None:
    source, target = [await opened_for(client, email) for email in (BOB, ANN)]
    await merge(client, source, target)
    await client.delete(f"{target}/participants/{BOB}")
    await client.put(f"{target}/participants/{BOB}")
    await client.delete(f"{source}/merge")
    assert await participants(client, target) == [BOB]


async def test_an_address_leaves_all_targets_of_a_chain(client: httpx2.AsyncClient) -> None:
    first, second, third = [await opened_for(client, email) for email in (BOB, CAROL, ANN)]
    await merge(client, first, second)
    await merge(client, second, third)
    assert set(await participants(client, third)) == {BOB, CAROL}
    undone = await client.delete(f"{first}/merge")
    assert undone.status_code == 201
    assert await participants(client, second) == []
    assert await participants(client, third) == [CAROL]
    assert (await client.get(third)).json()["merged"] == [int(second.rpartition("/")[2])]
    for target in (second, third):
        *_, event = (await client.get(f"{target}/history")).json()["items"]
        assert (event["type"], event["data"]["unmerged_from"]) == ("merged", int(first.rpartition("/")[2]))
    await client.delete(f"{second}/merge")
    assert await participants(client, third) == []


async def test_the_follow_up_has_the_values_of_the_ticket(client: httpx2.AsyncClient) -> None:
    values = {"priority": "high", "tags": ["printer"], "subject": "the subject", "text": "the text"}
    source = (await client.post("/tickets", json=a_ticket(email=BOB, **values))).json()["id"]
    await client.put(f"/tickets/{source}/participants/{CAROL}")
    target = await opened_for(client, ANN)
    await merge(client, f"/tickets/{source}", target)
    follow_up = (await client.delete(f"/tickets/{source}/merge")).json()
    before = (await client.get(f"/tickets/{source}")).json()
    for member in (*values, "email", "group_id", "custom", "participants"):
        assert follow_up[member] == before[member], member
    assert (follow_up["status"], follow_up["external_id"]) == ("open", None)


async def test_of_two_that_undo_a_merge_one_succeeds(client: httpx2.AsyncClient) -> None:
    source, target = [await opened_for(client, email) for email in (BOB, ANN)]
    await merge(client, source, target)
    responses = await asyncio.gather(*(client.delete(f"{source}/merge") for _ in range(4)))
    assert sorted(response.status_code for response in responses) == [201, 409, 409, 409]
    assert len((await client.get(source)).json()["follow_ups"]) == 1


async def test_merges_are_undone_at_once_with_few_connections(
    own_database_dsn: str, redis_address: tuple[str, int]
) -> None:
    settings = settings_for(own_database_dsn, *redis_address, database_pool_size=2)
    async with running(settings) as (_, client):
        sources = [await opened_for(client, BOB) for _ in range(6)]
        for source in sources:
            await merge(client, source, await opened_for(client, ANN))
        responses = await asyncio.gather(*(client.delete(f"{source}/merge") for source in sources))
        assert [response.status_code for response in responses] == [201] * 6
