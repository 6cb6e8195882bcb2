"""Search: words in the subject, the text and the comments, in any form, as soon as they were written."""

import asyncio
import secrets

import asyncpg
import httpx2
import pytest

from core.settings import Settings
from support.factories import a_comment, open_ticket, running


@pytest.fixture
def mark() -> str:
    """A word that no other test writes."""
    return "x" + secrets.token_hex(8).translate(str.maketrans("0123456789", "ghijklmnop"))


async def found(client: httpx2.AsyncClient, q: str, **query: str | list[str]) -> list[int]:
    answer = await client.get("/tickets", params={"q": q, "sort": "id", **query})
    assert answer.status_code == 200, answer.text
    return [ticket["id"] for ticket in answer.json()["items"]]


async def comment(client: httpx2.AsyncClient, ticket_id: int, text: str) -> None:
    answer = await client.post(f"/tickets/{ticket_id}/comments", json=a_comment(text=text))
    assert answer.status_code == 201, answer.text


async def test_a_word_is_found_wherever_it_was_said_as_soon_as_it_was(client: httpx2.AsyncClient, mark: str) -> None:
    in_subject = (await open_ticket(client, subject=f"About {mark}"))["id"]
    assert await found(client, mark) == [in_subject]
    in_text = (await open_ticket(client, text=f"{mark}, said again"))["id"]
    assert await found(client, mark) == [in_subject, in_text]
    in_comment = (await open_ticket(client))["id"]
    assert await found(client, mark) == [in_subject, in_text]
    await comment(client, in_comment, f"I say {mark} too.")
    assert await found(client, mark) == [in_subject, in_text, in_comment]


@pytest.mark.parametrize(
    ("written", "asked"),
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
async def test_other_forms_of_a_word_are_found(client: httpx2.AsyncClient, mark: str, written: str, asked: str) -> None:
    ticket = await open_ticket(client, subject=mark, text=written)
    assert await found(client, f"{mark} {asked}") == [ticket["id"]]


async def test_words_that_were_said_apart_are_found_together(client: httpx2.AsyncClient, mark: str) -> None:
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
async def test_queries_are_written_as_in_a_web_search(
    client: httpx2.AsyncClient, mark: str, query: str, expected: set[str]
) -> None:
    for text in ("red apple", "apple red", "red pear", "blue plum"):
        await open_ticket(client, email=f"{mark}@example.com", text=text, subject="fruit")
    answer = await client.get("/tickets", params={"q": query, "email": f"{mark}@example.com"})
    assert answer.status_code == 200, answer.text
    assert {ticket["text"] for ticket in answer.json()["items"]} == expected


async def test_an_edit_takes_the_old_words_away_and_leaves_those_of_the_comments(
    client: httpx2.AsyncClient, mark: str
) -> None:
    ticket = await open_ticket(client, subject=f"{mark} alpha", text="beta")
    await comment(client, ticket["id"], "gamma")
    for field, value in (("subject", mark), ("text", "delta")):
        answer = await client.patch(f"/tickets/{ticket['id']}", json={field: value})
        assert answer.status_code == 200, answer.text
    assert await found(client, f"{mark} gamma delta") == [ticket["id"]]
    assert await found(client, f"{mark} alpha") == []
    assert await found(client, f"{mark} beta") == []


async def test_a_search_can_be_filtered_sorted_and_paged(client: httpx2.AsyncClient, mark: str) -> None:
    tickets = [await open_ticket(client, subject=f"{mark} {number}") for number in range(7)]
    for number in (5, 1, 3):
        answer = await client.patch(f"/tickets/{tickets[number]['id']}", json={"status": "answered"})
        assert answer.status_code == 200, answer.text
    path: str | None = f"/tickets?q={mark}&status=answered&status=closed&sort=-updated_at&limit=2"
    seen: list[str] = []
    while path is not None:
        answer = await client.get(path)
        seen += [ticket["subject"].removeprefix(f"{mark} ") for ticket in answer.json()["items"]]
        path = answer.links["next"]["url"] if "next" in answer.links else None
    assert seen == ["3", "1", "5"]


async def test_a_cursor_of_another_search_is_refused(client: httpx2.AsyncClient, mark: str) -> None:
    for _ in range(2):
        await open_ticket(client, subject=mark)
    cursor = (await client.get(f"/tickets?q={mark}&limit=1")).json()["next_cursor"]
    assert (await client.get(f"/tickets?q={mark}&cursor={cursor}")).status_code == 200
    for other in ("", f"?q={mark}x", f"?q={mark}&status=open"):
        answer = await client.get(f"/tickets{other or '?'}&cursor={cursor}")
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-cursor")


async def test_a_phrase_is_what_one_text_says(client: httpx2.AsyncClient, mark: str) -> None:
    ticket = await open_ticket(client, subject=f"{mark} zeta", text="quick")
    await comment(client, ticket["id"], "brown elephant")
    await comment(client, ticket["id"], "giraffe walks")
    assert await found(client, f'{mark} "brown elephant" "giraffe walks"') == [ticket["id"]]
    for phrase in ("zeta quick", "quick brown", "elephant giraffe", "walks zeta"):
        assert await found(client, f'{mark} "{phrase}"') == []


async def test_phrases_outlive_any_number_of_edits(client: httpx2.AsyncClient, mark: str) -> None:
    ticket = await open_ticket(client, subject=mark, text="words " * 9_000)
    for number in range(3):
        await comment(client, ticket["id"], f"purple hippo {number}")
        await client.patch(f"/tickets/{ticket['id']}", json={"subject": f"{mark} {number}"})
    for number in range(3):
        assert await found(client, f'{mark} "purple hippo {number}"') == [ticket["id"]]


@pytest.mark.parametrize("q", ["", " ", "%00", "x" * 256, "%EF%BB%BF"])
async def test_a_query_that_says_nothing_or_too_much_is_refused(client: httpx2.AsyncClient, q: str) -> None:
    answer = await client.get(f"/tickets?q={q}")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "q")


async def test_a_search_that_takes_too_long_is_given_up(settings: Settings, sql: asyncpg.Connection) -> None:
    """The table is held by somebody, so that no search can end; one has the only connection and others wait for it."""
    hurried = settings.model_copy(update={"search_timeout": 0.3, "search_pool_size": 1, "database_pool_size": 1})
    async with running(hurried) as (_, client):
        assert (await client.get("/tickets?q=fire")).status_code == 200
        async with sql.transaction():
            await sql.execute("LOCK TABLE search_documents IN ACCESS EXCLUSIVE MODE")
            searches = [asyncio.create_task(client.get("/tickets?q=fire")) for _ in range(5)]
            await asyncio.sleep(0)
            # Meanwhile everything that needs no words goes on with the one connection that is left.
            assert (await client.get("/tickets?limit=1")).status_code == 200
            assert not any(search.done() for search in searches)
            answers = await asyncio.gather(*searches)
        assert {(answer.status_code, answer.json()["type"]) for answer in answers} == {
            (503, "/problems/search-timeout")
        }
        assert (await client.get("/tickets?q=fire")).status_code == 200
