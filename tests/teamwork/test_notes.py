"""Internal notes: agents write and read them, and no read path shows a requester that they exist."""

import json
import secrets

import asyncpg
import httpx2
import pytest

from access.conftest import ALICE, GuardedService
from support.factories import JSON, a_comment, a_ticket

SECRET = "xylophone"


def a_note(**fields: object) -> JSON:
    return a_comment(text=f"she plays the {SECRET}", visibility="internal", **fields)


@pytest.fixture
async def path(service: GuardedService, agent: dict[str, str]) -> str:
    """The path of a ticket with a public comment, a note, and another public comment."""
    created = await service.client.post("/tickets", json=a_ticket(email=ALICE), headers=agent)
    path = f"/tickets/{created.json()['id']}"
    for comment in (a_comment(text="first words"), a_note(), a_comment(text="last words")):
        response = await service.client.post(f"{path}/comments", json=comment, headers=agent)
        assert response.status_code == 201, response.text
    return path


async def test_agents_see_a_note(service: GuardedService, agent: dict[str, str], path: str) -> None:
    for _ in range(2):
        ticket = (await service.client.get(path, headers=agent)).json()
        assert [comment["visibility"] for comment in ticket["comments"]] == ["public", "internal", "public"]
        assert (ticket["comment_count"], ticket["note_count"]) == (3, 1)
    comments = (await service.client.get(f"{path}/comments", headers=agent)).json()["items"]
    assert comments == ticket["comments"]
    history = (await service.client.get(f"{path}/history", headers=agent)).json()["items"]
    assert [event["type"] for event in history] == ["created", "commented", "noted", "commented"]
    assert history[2]["data"] == {"comment_id": comments[1]["id"]}


async def test_a_requester_sees_no_sign_of_a_note(
    service: GuardedService, agent: dict[str, str], alice: dict[str, str], path: str
) -> None:
    for headers in (agent, alice, alice, alice | {"Cache-Control": "no-cache"}, agent, alice):
        response = await service.client.get(path, headers=headers)
        if headers is not agent:
            assert SECRET not in response.text
            ticket = response.json()
            assert [comment["text"] for comment in ticket["comments"]] == ["first words", "last words"]
            assert (ticket["comment_count"], ticket["comments_truncated"]) == (2, False)
            assert "internal" not in response.text
    comments = await service.client.get(f"{path}/comments", headers=alice)
    assert [comment["text"] for comment in comments.json()["items"]] == ["first words", "last words"]
    history = await service.client.get(f"{path}/history", headers=alice)
    assert [event["type"] for event in history.json()["items"]] == ["created", "commented", "commented"]
    listed = (await service.client.get("/tickets?limit=1", headers=alice)).json()["items"][0]
    assert (listed["id"], listed["comment_count"]) == (ticket["id"], 2)
    changed = await service.client.patch(path, json={"subject": "mine"}, headers=alice)
    assert changed.json()["comment_count"] == 2
    assert "internal" not in changed.text + listed.__str__() + history.text


async def test_every_read_path_of_the_document_is_free_of_notes(
    service: GuardedService, alice: dict[str, str], path: str
) -> None:
    """Calls every GET of the OpenAPI document as a requester; each parameter that names a ticket names this one."""
    ticket_id = path.rpartition("/")[2]
    called = 0
    for template, operations in service.app.openapi()["paths"].items():
        if "get" not in operations:
            continue
        target = template.replace("{ticket_id}", ticket_id)
        if "{" in target:
            target = target.replace("{principal_id}", "key:crm").replace("{key}", "size")
        for query in ("", f"?q={SECRET}"):
            response = await service.client.get(target + query, headers=alice)
            called += response.status_code == 200
            assert SECRET not in response.text.replace(f"q={SECRET}", "")
    assert called >= 8


async def test_a_word_of_a_note_is_found_by_agents_only(
    service: GuardedService, agent: dict[str, str], alice: dict[str, str], service_sql: asyncpg.Connection
) -> None:
    word = "w" + secrets.token_hex(6)
    created = await service.client.post("/tickets", json=a_ticket(email=ALICE, subject=word), headers=agent)
    path = f"/tickets/{created.json()['id']}"
    await service.client.post(f"{path}/comments", json=a_note(), headers=agent)

    async def found(query: str, headers: dict[str, str]) -> int:
        response = await service.client.get("/tickets", params={"q": query}, headers=headers)
        assert response.status_code == 200
        return len(response.json()["items"])

    for is_merged in (False, True):
        if is_merged:
            await service_sql.execute("SELECT merge_recent_words(1000)")
        assert await found(f"{word} {SECRET}", agent) == 1
        assert await found(f"{word} {SECRET}", alice) == 0
        assert await found(f"{word} -{SECRET}", agent) == 0
        assert await found(f"{word} -{SECRET}", alice) == 1
        assert await found(word, alice) == 1
    reply = a_comment(text="a public reply", email=ALICE)
    assert (await service.client.post(f"{path}/comments", json=reply, headers=alice)).status_code == 201
    await service_sql.execute("SELECT merge_recent_words(1000)")
    assert await found(f"{word} {SECRET} reply", agent) == 1
    assert await found(f"{word} reply", alice) == 1
    assert await found(f"{word} {SECRET} reply", alice) == 0
    edited = await service.client.patch(path, json={"text": "other text"}, headers=alice)
    assert edited.status_code == 200
    assert await found(f"{word} {SECRET}", alice) == 0
    assert await found(f"{word} other", alice) == 1


async def test_only_agents_write_notes(service: GuardedService, alice: dict[str, str], path: str) -> None:
    refused = await service.client.post(f"{path}/comments", json=a_note() | {"email": ALICE}, headers=alice)
    assert refused.status_code == 403


async def test_a_note_makes_no_transition(service: GuardedService, agent: dict[str, str], path: str) -> None:
    refused = await service.client.post(f"{path}/comments", json=a_note(status="answered"), headers=agent)
    assert refused.status_code == 422
    assert "transition" in refused.json()["errors"][0]["detail"]


async def test_a_long_discussion_shows_requesters_the_latest_public_comments(
    client: httpx2.AsyncClient, service: GuardedService, agent: dict[str, str], alice: dict[str, str]
) -> None:
    assert client
    created = await service.client.post("/tickets", json=a_ticket(email=ALICE), headers=agent)
    path = f"/tickets/{created.json()['id']}"
    for number in range(4):
        await service.client.post(f"{path}/comments", json=a_comment(text=f"public {number}"), headers=agent)
    for _ in range(52):
        await service.client.post(f"{path}/comments", json=a_note(), headers=agent)
    shown = (await service.client.get(path, headers=alice)).json()
    assert [comment["text"] for comment in shown["comments"]] == [f"public {number}" for number in range(4)]
    assert not shown["comments_truncated"]
    of_agent = (await service.client.get(path, headers=agent)).json()
    assert (len(of_agent["comments"]), of_agent["comments_truncated"]) == (50, True)


async def test_a_change_of_both_audiences_shows_each_its_part(
    service: GuardedService, agent: dict[str, str], alice: dict[str, str], path: str, service_sql: asyncpg.Connection
) -> None:
    change = {"subject": "seen by all", "tags": ["seen-by-agents"]}
    assert (await service.client.patch(path, json=change, headers=agent)).status_code == 200
    for headers, members in ((agent, {"subject", "tags"}), (alice, {"subject"})):
        *_, event = (await service.client.get(f"{path}/history", headers=headers)).json()["items"]
        assert event["data"].keys() == members
    stored = await service_sql.fetchrow(
        "SELECT data, internal FROM ticket_events WHERE ticket_id = $1 ORDER BY version DESC LIMIT 1",
        int(path.rpartition("/")[2]),
    )
    assert stored is not None
    assert json.loads(stored["data"]).keys() == {"subject"}
    assert json.loads(stored["internal"]).keys() == {"tags"}
