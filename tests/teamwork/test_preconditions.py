"""`If-Match` on the operations that change a part of a ticket."""

import httpx2
import pytest

from support.factories import a_ticket, open_ticket, ticket_in

OPERATIONS = [
    ("PUT", "tags/printer", None),
    ("DELETE", "tags/printer", None),
    ("PUT", "participants/carol@example.com", None),
    ("DELETE", "participants/carol@example.com", None),
    ("PUT", "links/blocks/{other}", None),
    ("DELETE", "links/blocks/{other}", None),
    ("POST", "take", None),
    ("POST", "release", None),
    ("POST", "merge", "merge"),
]


@pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
async def test_an_operation_is_refused_on_another_version(
    client: httpx2.AsyncClient, method: str, path: str, body: str | None
) -> None:
    ticket, other = [(await open_ticket(client))["id"] for _ in range(2)]
    url = f"/tickets/{ticket}/{path.format(other=other)}"
    json = {"into": other} if body else None
    refused = await client.request(method, url, json=json, headers={"If-Match": '"2"'})
    assert (refused.status_code, refused.headers["ETag"]) == (412, '"1"')
    assert (await client.get(f"/tickets/{ticket}")).json()["version"] == 1
    done = await client.request(method, url, json=json, headers={"If-Match": '"1"'})
    assert done.status_code == 200


async def test_a_merge_is_undone_in_the_version_that_was_read_only(client: httpx2.AsyncClient) -> None:
    source, target = [(await open_ticket(client))["id"] for _ in range(2)]
    await client.post(f"/tickets/{source}/merge", json={"into": target})
    version = (await client.get(f"/tickets/{source}")).json()["version"]
    refused = await client.delete(f"/tickets/{source}/merge", headers={"If-Match": f'"{version - 1}"'})
    assert refused.status_code == 412
    undone = await client.delete(f"/tickets/{source}/merge", headers={"If-Match": f'"{version}"'})
    assert undone.status_code == 201


async def test_a_follow_up_is_opened_for_the_version_that_was_read_only(client: httpx2.AsyncClient) -> None:
    closed = await ticket_in(client, "closed")
    path = f"/tickets/{closed['id']}/follow-ups"
    refused = await client.post(path, json=a_ticket(), headers={"If-Match": '"1"'})
    assert refused.status_code == 412
    opened = await client.post(path, json=a_ticket(), headers={"If-Match": f'"{closed["version"]}"'})
    assert opened.status_code == 201
