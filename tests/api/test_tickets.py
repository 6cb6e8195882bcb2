import re

import asyncpg
import httpx2
import pytest

from support.factories import a_comment, a_ticket, open_ticket, ticket_in


async def test_a_new_ticket_is_open_and_has_version_one(client: httpx2.AsyncClient) -> None:
    response = await client.post("/tickets", json=a_ticket(email="Alice@EXAMPLE.com"))
    assert response.status_code == 201
    ticket = response.json()
    assert response.headers["Location"] == f"/tickets/{ticket['id']}"
    assert response.headers["ETag"] == '"1"'
    assert (ticket["status"], ticket["version"], ticket["comment_count"]) == ("open", 1, 0)
    assert ticket["allowed_transitions"] == ["answered", "closed"]
    assert ticket["email"] == "Alice@example.com"
    assert ticket["closed_at"] is None
    assert ticket["created_at"] == ticket["updated_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", ticket["created_at"])


async def test_text_is_stored_as_sent(client: httpx2.AsyncClient) -> None:
    sent = a_ticket(subject="  два пробела  ", text="\n  первая строка\r\n\tвторая 👩‍🚒 \n")
    ticket = (await client.post("/tickets", json=sent)).json()
    shown = (await client.get(f"/tickets/{ticket['id']}")).json()
    assert (shown["subject"], shown["text"]) == (sent["subject"], sent["text"])


async def test_the_longest_texts_fit(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client, subject="я" * 255, text="я" * 65_536)
    shown = (await client.get(f"/tickets/{ticket['id']}")).json()
    assert (len(shown["subject"]), len(shown["text"])) == (255, 65_536)


async def test_a_lookup_returns_the_ticket_with_its_comments_oldest_first(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    for text in ("first", "second"):
        await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment(text=text))
    response = await client.get(f"/tickets/{ticket['id']}")
    shown = response.json()
    assert response.headers["ETag"] == '"3"'
    assert [comment["text"] for comment in shown["comments"]] == ["first", "second"]
    assert (shown["comment_count"], shown["version"]) == (2, 3)
    assert all(comment["ticket_id"] == ticket["id"] for comment in shown["comments"])


async def test_a_lookup_returns_the_latest_fifty_comments(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    for number in range(52):
        await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment(text=str(number)))
    shown = (await client.get(f"/tickets/{ticket['id']}")).json()
    assert [comment["text"] for comment in shown["comments"]] == [str(number) for number in range(2, 52)]
    assert shown["comment_count"] == 52


async def test_an_unknown_ticket_is_not_found(client: httpx2.AsyncClient) -> None:
    missing = 2**63 - 1
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"status": "closed"}),
        ("GET", "/comments", None),
        ("POST", "/comments", a_comment()),
    ):
        response = await client.request(method, f"/tickets/{missing}{path}", json=body)
        assert (response.status_code, response.json()["type"]) == (404, "/problems/ticket-not-found"), method


async def test_an_edit_changes_only_the_fields_it_names(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    response = await client.patch(f"/tickets/{ticket['id']}", json={"subject": "Solved?"})
    assert response.status_code == 200
    assert response.headers["ETag"] == '"2"'
    changed = response.json()
    assert changed == ticket | {"subject": "Solved?", "version": 2, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > ticket["updated_at"]


async def test_an_edit_and_a_transition_are_one_change(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    body = {"subject": "Done", "text": "All of it", "status": "closed"}
    changed = (await client.patch(f"/tickets/{ticket['id']}", json=body)).json()
    assert {name: changed[name] for name in body} == body
    assert (changed["version"], changed["closed_at"]) == (2, changed["updated_at"])


async def test_a_patch_can_have_the_media_type_of_a_merge_patch(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    headers = {"Content-Type": "application/merge-patch+json"}
    response = await client.patch(f"/tickets/{ticket['id']}", content=b'{"subject": "new"}', headers=headers)
    assert (response.status_code, response.json()["subject"]) == (200, "new")


async def test_setting_a_field_to_its_current_value_is_no_change(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    response = await client.patch(f"/tickets/{ticket['id']}", json={"subject": ticket["subject"]})
    assert response.status_code == 200
    assert response.json() == ticket


async def test_a_refused_transition_discards_the_edit(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    response = await client.patch(f"/tickets/{ticket['id']}", json={"subject": "new", "status": "awaiting_reply"})
    assert response.status_code == 409
    assert (await client.get(f"/tickets/{ticket['id']}")).json()["subject"] == ticket["subject"]


async def test_an_edit_of_a_closed_ticket_is_refused(client: httpx2.AsyncClient) -> None:
    ticket = await ticket_in(client, "closed")
    response = await client.patch(f"/tickets/{ticket['id']}", json={"text": "one more thing"})
    assert (response.status_code, response.json()["type"]) == (409, "/problems/ticket-closed")


async def test_a_change_of_another_version_is_refused_with_the_current_etag(client: httpx2.AsyncClient) -> None:
    ticket = await ticket_in(client, "answered")
    for method, path, body in (("PATCH", "", {"status": "closed"}), ("POST", "/comments", a_comment())):
        response = await client.request(
            method, f"/tickets/{ticket['id']}{path}", json=body, headers={"If-Match": '"1"'}
        )
        assert (response.status_code, response.headers["ETag"]) == (412, '"2"')
    assert (await client.get(f"/tickets/{ticket['id']}")).json()["version"] == 2


@pytest.mark.parametrize("tags", ['"2"', 'W/"2"', '"1", "2"', "*"])
async def test_a_change_of_the_expected_version_succeeds(client: httpx2.AsyncClient, tags: str) -> None:
    ticket = await ticket_in(client, "answered")
    response = await client.patch(f"/tickets/{ticket['id']}", json={"status": "closed"}, headers={"If-Match": tags})
    assert response.status_code == 200


async def test_a_known_version_is_not_modified(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    known = await client.get(f"/tickets/{ticket['id']}", headers={"If-None-Match": '"1"'})
    assert (known.status_code, known.headers["ETag"], known.content) == (304, '"1"', b"")
    for tags, status in (('"2"', 200), ("*", 304), ('W/"1"', 304), ('"7", "1"', 304), ("nonsense", 200)):
        response = await client.get(f"/tickets/{ticket['id']}", headers={"If-None-Match": tags})
        assert (response.status_code, response.headers["Cache-Control"]) == (status, "no-cache")


async def test_a_list_has_pages_without_gaps_or_duplicates(client: httpx2.AsyncClient, sql: asyncpg.Connection) -> None:
    for _ in range(7):
        await open_ticket(client)
    newest_first = [row["id"] for row in await sql.fetch("SELECT id FROM tickets ORDER BY id DESC")]
    found, url = [], f"/tickets?limit={min(100, len(newest_first) // 3)}"
    while url:
        response = await client.get(url)
        found += [ticket["id"] for ticket in response.json()["items"]]
        url = response.links["next"]["url"] if "next" in response.links else ""
        assert not url or url.startswith("/tickets?")
        assert bool(url) == (response.json()["next_cursor"] is not None)
    assert found == newest_first


async def test_the_workflow_has_data_and_a_diagram(client: httpx2.AsyncClient) -> None:
    workflow = (await client.get("/workflow")).json()
    assert workflow["initial"] == "open"
    assert workflow["transitions"]["awaiting_reply"] == ["answered", "closed"]
    assert workflow["mermaid"].startswith("stateDiagram-v2\n    [*] --> open\n")
