"""Search: words in the subject, the text and the comments, in any form, immediately after they are written."""

import asyncio
import secrets

import asyncpg
import httpx2
import pytest

from core.settings import Settings
from support.factories import a_comment, open_ticket, running


@pytest.fixture
def mark() -> str:
    """A word that no other test uses."""
    return "x" + secrets.token_hex(8).translate(str.maketrans("0123456789", "ghijklmnop"))


async def found(client: httpx2.AsyncClient, q: str, **query: str | list[str]) -> list[int]:
    response = await client.get("/tickets", params={"q": q, "sort": "id", **query})
    assert response.status_code == 200, response.text
    return [ticket["id"] for ticket in response.json()["items"]]


async def comment(client: httpx2.AsyncClient, ticket_id: int, text: str) -> None:
    response = await client.post(f"/tickets/{ticket_id}/comments", json=a_comment(text=text))
    assert response.status_code == 201, response.text


async def test_a_word_is_found_in_subject_text_and_comments_immediately(client: httpx2.AsyncClient, mark: str) -> None:
    in_subject = (await open_ticket(client, subject=f"About {mark}"))["id"]
    assert await found(client, mark) == [in_subject]
    in_text = (await open_ticket(client, text=f"{mark}, said again"))["id"]
    assert await found(client, mark) == [in_subject, in_text]
    in_comment = (await open_ticket(client))["id"]
    assert await found(client, mark) == [in_subject, in_text]
    await comment(client, in_comment, f"I say {mark} too.")
    assert await found(client, mark) == [in_subject, in_text, in_comment]


@pytest.mark.parametrize(
    ("written", "query"),
    [
        ("printed", "printing"),
        ("Printer", "PRINTER"),
        ("принтеры", "принтером"),
        ("Ошибка", "ошибки"),
        ("печать документа", "документы"),
        ("snake_case_name", "snake_case_name"),
        ("see http://example.com/a/b?c=d", "http://example.com/a/b?c=d"),
        ("at /var/log/syslog", "syslog"),
        ("«картридж» слово—два", "картридж два"),
        ("печать", "«печать»"),
        ("“quoted” words… №777", "quoted 777"),
        ("don’t panic", "panic"),
        ("the printer.Broken now", "broken"),
        ("ERR-1234", "1234"),
        ("a state-of-the-art thing", "state-of-the-art"),
        ("joe@corp.example", "corp"),
        ("the <timeout> tag", "timeout"),
        ("mail to carol@example.com", "carol@example.com"),
        ("7c" * 110, "7c" * 110),
    ],
)
async def test_other_forms_of_a_word_are_found(client: httpx2.AsyncClient, mark: str, written: str, query: str) -> None:
    ticket = await open_ticket(client, subject=mark, text=written)
    assert await found(client, f"{mark} {query}") == [ticket["id"]]


async def test_words_from_different_comments_match_together(client: httpx2.AsyncClient, mark: str) -> None:
    ticket = await open_ticket(client, subject=f"{mark} printer")
    await comment(client, ticket["id"], "It is on fire.")
    await comment(client, ticket["id"], "There is smoke.")
    assert await found(client, f"{mark} printer fire smoke") == [ticket["id"]]
    assert await found(client, f"{mark} printer fire water") == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("red", {"red apple", "apple red", "red pear"}),
        ("red apple", {"red apple", "apple red"}),
        ('"red apple"', {"red apple"}),
        ("red -apple", {"red pear"}),
        ("pear or plum", {"red pear", "blue plum"}),
        ("nothing", set()),
        ("the", set()),
        ("!!", set()),
        ("' OR 1=1 --", set()),
        ("& | ! <-> ( :*", set()),
    ],
)
async def test_queries_have_the_syntax_of_a_web_search(
    client: httpx2.AsyncClient, mark: str, query: str, expected: set[str]
) -> None:
    for text in ("red apple", "apple red", "red pear", "blue plum"):
        await open_ticket(client, email=f"{mark}@example.com", text=text, subject="fruit")
    response = await client.get("/tickets", params={"q": query, "email": f"{mark}@example.com"})
    assert response.status_code == 200, response.text
    assert {ticket["text"] for ticket in response.json()["items"]} == expected


async def test_an_edit_removes_the_old_words_and_keeps_those_of_the_comments(
    client: httpx2.AsyncClient, mark: str
) -> None:
    ticket = await open_ticket(client, subject=f"{mark} alpha", text="beta")
    await comment(client, ticket["id"], "gamma")
    for field, value in (("subject", mark), ("text", "delta")):
        response = await client.patch(f"/tickets/{ticket['id']}", json={field: value})
        assert response.status_code == 200, response.text
    assert await found(client, f"{mark} gamma delta") == [ticket["id"]]
    assert await found(client, f"{mark} alpha") == []
    assert await found(client, f"{mark} beta") == []


async def test_a_search_can_be_filtered_sorted_and_paged(client: httpx2.AsyncClient, mark: str) -> None:
    tickets = [await open_ticket(client, subject=f"{mark} {number}") for number in range(7)]
    for number in (5, 1, 3):
        response = await client.patch(f"/tickets/{tickets[number]['id']}", json={"status": "answered"})
        assert response.status_code == 200, response.text
    path: str | None = f"/tickets?q={mark}&status=answered&status=closed&sort=-updated_at&limit=2"
    seen: list[str] = []
    while path is not None:
        response = await client.get(path)
        seen += [ticket["subject"].removeprefix(f"{mark} ") for ticket in response.json()["items"]]
        path = response.links["next"]["url"] if "next" in response.links else None
    assert seen == ["3", "1", "5"]


async def test_a_cursor_of_another_search_is_refused(client: httpx2.AsyncClient, mark: str) -> None:
    for _ in range(2):
        await open_ticket(client, subject=mark)
    cursor = (await client.get(f"/tickets?q={mark}&limit=1")).json()["next_cursor"]
    assert (await client.get(f"/tickets?q={mark}&cursor={cursor}")).status_code == 200
    for other in ("", f"?q={mark}x", f"?q={mark}&status=open"):
        response = await client.get(f"/tickets{other or '?'}&cursor={cursor}")
        assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-cursor")


async def test_a_phrase_matches_within_one_text(client: httpx2.AsyncClient, mark: str) -> None:
    ticket = await open_ticket(client, subject=f"{mark} zeta", text="quick")
    await comment(client, ticket["id"], "brown elephant")
    await comment(client, ticket["id"], "giraffe walks")
    assert await found(client, f'{mark} "brown elephant" "giraffe walks"') == [ticket["id"]]
    for phrase in ("zeta quick", "quick brown", "elephant giraffe", "walks zeta"):
        assert await found(client, f'{mark} "{phrase}"') == []


async def test_phrases_match_after_any_number_of_edits(client: httpx2.AsyncClient, mark: str) -> None:
    ticket = await open_ticket(client, subject=mark, text="words " * 9_000)
    for number in range(3):
        await comment(client, ticket["id"], f"purple hippo {number}")
        await client.patch(f"/tickets/{ticket['id']}", json={"subject": f"{mark} {number}"})
    for number in range(3):
        assert await found(client, f'{mark} "purple hippo {number}"') == [ticket["id"]]


@pytest.mark.parametrize("q", [" ", "%00", "x" * 256, "%EF%BB%BF"])
async def test_a_blank_or_too_long_query_is_refused(client: httpx2.AsyncClient, q: str) -> None:
    response = await client.get(f"/tickets?q={q}")
    assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, "q")


async def test_a_search_that_exceeds_its_time_limit_is_cancelled(settings: Settings, sql: asyncpg.Connection) -> None:
    """A lock on the table blocks every search: one holds the only connection of the pool, the others wait for it."""
    short_timeout = settings.model_copy(update={"search_timeout": 0.3, "search_pool_size": 1, "database_pool_size": 1})
    async with running(short_timeout) as (_, client):
        assert (await client.get("/tickets?q=fire")).status_code == 200
        async with sql.transaction():
            await sql.execute("LOCK TABLE search_documents IN ACCESS EXCLUSIVE MODE")
            searches = [asyncio.create_task(client.get("/tickets?q=fire")) for _ in range(5)]
            await asyncio.sleep(0)
            # Requests without a search still succeed, with the other connection.
            assert (await client.get("/tickets?limit=1")).status_code == 200
            assert not any(search.done() for search in searches)
            responses = await asyncio.gather(*searches)
        assert {(response.status_code, response.json()["type"]) for response in responses} == {
            (503, "/problems/search-timeout")
        }
        assert (await client.get("/tickets?q=fire")).status_code == 200
