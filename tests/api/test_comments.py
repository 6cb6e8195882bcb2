import httpx2

from support.factories import a_comment, open_ticket, ticket_in


async def test_a_comment_creates_a_new_version_of_its_ticket(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    response = await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment())
    assert response.status_code == 201
    assert response.headers["ETag"] == '"2"'
    comment = response.json()
    assert comment == a_comment() | {key: comment[key] for key in ("id", "ticket_id", "created_at", "visibility")}
    assert comment["ticket_id"] == ticket["id"]


async def test_no_comment_follows_a_comment_that_closes_the_ticket(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    path = f"/tickets/{ticket['id']}/comments"
    assert (await client.post(path, json=a_comment(status="closed"))).status_code == 201
    refused = await client.post(path, json=a_comment(text="and another thing"))
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/ticket-closed")
    shown = (await client.get(f"/tickets/{ticket['id']}")).json()
    assert (shown["status"], shown["version"], len(shown["comments"])) == ("closed", 2, 1)


async def test_comments_are_paged_oldest_first(client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    texts = [f"comment {number}" for number in range(7)]
    for text in texts:
        await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment(text=text))
    found, url = [], f"/tickets/{ticket['id']}/comments?limit=3"
    while url:
        response = await client.get(url)
        found += [comment["text"] for comment in response.json()["items"]]
        url = response.links["next"]["url"] if "next" in response.links else ""
    assert found == texts


async def test_a_ticket_without_comments_has_an_empty_page(client: httpx2.AsyncClient) -> None:
    ticket = await ticket_in(client, "closed")
    response = await client.get(f"/tickets/{ticket['id']}/comments")
    assert response.json() == {"items": [], "next_cursor": None}
