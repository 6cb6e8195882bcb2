"""A lookup has a bounded size: at most 50 comments, and at most 256 KiB of their texts."""

import json

import asyncpg
import httpx2
import pytest

from support.factories import a_comment, open_ticket

KIB = 1024


async def ticket_with(client: httpx2.AsyncClient, texts: list[str]) -> str:
    """Create a ticket with comments, and return its path."""
    path = f"/tickets/{(await open_ticket(client))['id']}"
    for text in texts:
        response = await client.post(f"{path}/comments", json=a_comment(text=text))
        assert response.status_code == 201, response.text
    return path


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        pytest.param([], 0, id="no comment"),
        pytest.param([64 * KIB] * 4, 4, id="256 KiB"),
        pytest.param([64 * KIB] * 4 + [1], 4, id="256 KiB and the byte of a newer one"),
        pytest.param([1] + [64 * KIB] * 4, 4, id="256 KiB and the byte of an older one"),
        pytest.param([64 * KIB] * 10, 4, id="640 KiB"),
        pytest.param([1] * 50, 50, id="50 comments"),
        pytest.param([1] * 51, 50, id="51 comments"),
    ],
)
async def test_the_latest_comments_are_shown_up_to_256_kib(
    client: httpx2.AsyncClient, sizes: list[int], shown: int
) -> None:
    path = await ticket_with(client, ["x" * size for size in sizes])
    details = (await client.get(path)).json()
    every = (await client.get(f"{path}/comments?limit=100")).json()["items"]
    assert len(every) == details["comment_count"] == len(sizes)
    assert details["comments"] == every[len(every) - shown :]
    assert details["comments_truncated"] is (shown < len(sizes))


async def test_the_size_is_that_of_the_text_in_utf_8(client: httpx2.AsyncClient) -> None:
    path = await ticket_with(client, ["ж" * 64 * KIB, "ж" * 64 * KIB, "ж"])
    details = (await client.get(path)).json()
    assert [len(comment["text"]) for comment in details["comments"]] == [64 * KIB, 1]
    assert details["comments_truncated"] is True


async def test_the_longest_comment_is_shown(client: httpx2.AsyncClient) -> None:
    path = await ticket_with(client, ["older", "🖨" * 64 * KIB])
    details = (await client.get(path)).json()
    assert [len(comment["text"]) for comment in details["comments"]] == [64 * KIB]
    assert details["comments_truncated"] is True


async def test_a_long_discussion_is_cached(client: httpx2.AsyncClient, sql: asyncpg.Connection) -> None:
    """50 comments of the greatest length made a response of 13 MB, which was too large for the cache."""
    path = await ticket_with(client, ["🖨" * 64 * KIB] * 50)
    response = await client.get(path)
    assert len(response.content) < 512 * KIB
    assert (await client.get(path)).headers["Cache-Status"] == "tickets; hit"
    assert json.loads(response.content)["comment_count"] == 50
    assert await sql.fetchval("SELECT count(*) FROM comments WHERE ticket_id = $1", int(path.rpartition("/")[2])) == 50
