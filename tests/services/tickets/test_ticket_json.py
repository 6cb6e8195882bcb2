"""The JSON that PostgreSQL writes is that of the models, byte by byte."""

import json
from typing import Any

import asyncpg
import httpx2
import pytest

from schemas.tickets import Ticket, TicketDetails, TicketPage
from services.tickets.details_statement import SELECT_DETAILS
from support.factories import PATHS, a_comment, a_ticket, open_ticket, ticket_in

TEXTS = [
    "plain",
    "quotes \" and ' and \\ and / and \\u0041 and \\n",
    "line\nbreak\r\ttab\b\f\x01\x1f\x7f\x80\x9f",
    "кириллица, 漢字, 🎫, e\u0301, \u2028\u2029\ufeff\ufffd",
    "+00:00 2026-11-23T07:00:00Z 'YYYY' $1 :name {braces} %s </script>",
]


def written(text: str, model: type[Ticket | TicketPage]) -> str:
    """Return what the model makes of its own JSON; a full second is written with its fraction here, too."""
    return model.model_validate_json(text).model_dump_json()


def with_whole_seconds(text: str) -> str:
    return text.replace('.000000Z"', 'Z"')


@pytest.mark.parametrize("text", TEXTS)
async def test_a_ticket_and_its_comments_are_written_as_the_model_writes_them(
    client: httpx2.AsyncClient, text: str
) -> None:
    ticket = await open_ticket(client, subject=text, text=text)
    path = f"/tickets/{ticket['id']}"
    alone = await client.get(path)
    assert with_whole_seconds(alone.text) == written(alone.text, TicketDetails)
    assert alone.json()["comments"] == []
    added = [(await client.post(f"{path}/comments", json=a_comment(text=text))).json() for _ in range(3)]
    discussed = await client.get(path)
    assert with_whole_seconds(discussed.text) == written(discussed.text, TicketDetails)
    assert discussed.json()["comments"] == added
    assert discussed.json()["text"] == text


@pytest.mark.parametrize("status", PATHS)
async def test_in_every_status_it_says_the_same_in_the_list_alone_and_when_it_was_changed(
    client: httpx2.AsyncClient, status: str
) -> None:
    ticket = await ticket_in(client, status)
    alone: dict[str, Any] = (await client.get(f"/tickets/{ticket['id']}")).json()
    page = await client.get("/tickets?limit=1")
    assert with_whole_seconds(page.text) == written(page.text, TicketPage)
    for name in TicketDetails.model_fields.keys() - Ticket.model_fields.keys():
        del alone[name]
    assert json.loads(with_whole_seconds(json.dumps(alone))) == ticket
    assert page.json()["items"] == [alone]


async def test_an_empty_page_is_written_as_the_model_writes_it(client: httpx2.AsyncClient) -> None:
    page = await client.get("/tickets?email=nobody@example.com")
    assert page.text == TicketPage(items=[], next_cursor=None).model_dump_json()


async def test_a_page_in_the_middle_is_written_as_the_model_writes_it(client: httpx2.AsyncClient) -> None:
    for text in TEXTS:
        await client.post("/tickets", json=a_ticket(subject=text, text=text))
    for sort in ("id", "-updated_at"):
        page = await client.get(f"/tickets?limit={len(TEXTS) - 1}&sort={sort}")
        assert page.json()["next_cursor"]
        assert with_whole_seconds(page.text) == written(page.text, TicketPage)


async def test_the_time_zone_of_a_session_changes_nothing(database_dsn: str, client: httpx2.AsyncClient) -> None:
    ticket = await open_ticket(client)
    expected = (await client.get(f"/tickets/{ticket['id']}", headers={"Cache-Control": "no-cache"})).content
    session = await asyncpg.connect(database_dsn.replace("+asyncpg", ""))
    try:
        await session.execute("SET timezone = 'Asia/Tokyo'")
        assert await session.fetchval(SELECT_DETAILS.sql, ticket["id"], column=1) == expected
    finally:
        await session.close()
