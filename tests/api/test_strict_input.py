"""Input of which it would be unclear what it means is refused; input that means nothing is ignored."""

import secrets
import sys
import unicodedata

import httpx2
import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.fields import Text
from support.factories import a_comment, a_ticket, open_ticket

# In Unicode 15, 16 and 17; Python 3.11 has the tables of Unicode 14.
NEW_CHARACTERS = ["\U0001fae8", "\U0001fae9", "\U0001fac8"]
BLANK = [" \t\r\n\v\f", "\x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000", "\x01\x1f\x7f\x9f", "\xad\u061c"]
BLANK += ["\u200b\u200e\u202e\u2060\u2066\u2069\ufeff", "\ufff9\U000e0001\U000e0041"]


@pytest.mark.parametrize("character", [*NEW_CHARACTERS, "\ue000", "\u0378", "."])
async def test_a_text_of_one_character_is_not_blank(client: httpx2.AsyncClient, character: str) -> None:
    """No matter which version of Unicode the interpreter knows."""
    ticket = await open_ticket(client, subject=character, text=f" {character}\n")
    assert (ticket["subject"], ticket["text"]) == (character, f" {character}\n")
    response = await client.post(f"/tickets/{ticket['id']}/comments", json=a_comment(text=character))
    assert response.status_code == 201, response.text


@pytest.mark.parametrize("text", BLANK)
async def test_a_text_of_white_space_and_invisible_characters_is_blank(client: httpx2.AsyncClient, text: str) -> None:
    response = await client.post("/tickets", json=a_ticket(subject=text, text=text))
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"detail": "must not be blank", "pointer": pointer} for pointer in ("#/subject", "#/text")
    ]


def test_every_invisible_character_that_the_interpreter_knows_is_blank() -> None:
    invisible = [
        chr(code)
        for code in range(1, sys.maxunicode + 1)
        if chr(code).isspace() or unicodedata.category(chr(code)) in {"Cc", "Cf"}
    ]
    assert len(invisible) > 200
    for text in ("".join(invisible), *invisible):
        with pytest.raises(ValidationError):
            TypeAdapter(Text).validate_python(text)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=1&limit=1", "limit"),
        ("limit=1&%6Cimit=2", "limit"),
        ("q=a&q=b", "q"),
        ("q=a&q=", "q"),
        ("sort=id&status=open&sort=-id", "sort"),
        ("email=a@example.com&email=b@example.com", "email"),
        ("cursor=&cursor=", "cursor"),
    ],
)
@pytest.mark.parametrize("path", ["/tickets", "/tickets/{id}/comments", "/tickets/{id}/history", "/tickets/{id}"])
async def test_a_repeated_parameter_is_refused(client: httpx2.AsyncClient, path: str, query: str, name: str) -> None:
    ticket = await open_ticket(client)
    response = await client.get(f"{path.format(id=ticket['id'])}?{query}")
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-request")
    assert response.json()["errors"] == [{"detail": "must be given once", "parameter": name}]


async def test_the_status_may_be_repeated(client: httpx2.AsyncClient) -> None:
    response = await client.get("/tickets?status=open&status=closed&status=open&limit=1")
    assert response.status_code == 200


@pytest.mark.parametrize("value", ["%FF", "%C3", "%ED%A0%80", "a%C0%AFb", "ok&%FF=1"])
@pytest.mark.parametrize("path", ["/tickets", "/tickets/{id}/comments", "/tickets/{id}/history", "/tickets/{id}"])
async def test_a_query_that_is_not_utf_8_is_refused(client: httpx2.AsyncClient, path: str, value: str) -> None:
    ticket = await open_ticket(client)
    response = await client.get(f"{path.format(id=ticket['id'])}?q={value}")
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-request")
    assert response.json()["errors"] == [{"detail": "must be percent-encoded UTF-8", "parameter": "query"}]


async def test_an_empty_search_is_no_filter(client: httpx2.AsyncClient) -> None:
    for _ in range(2):
        await open_ticket(client)
    every, empty = await client.get("/tickets?limit=1"), await client.get("/tickets?q=&limit=1")
    assert (empty.status_code, empty.content) == (200, every.content)
    cursor = empty.json()["next_cursor"]
    for query in ("", "&q="):
        assert (await client.get(f"/tickets?limit=1&cursor={cursor}{query}")).status_code == 200


@pytest.mark.parametrize("name", ["Idempotency-Key", "Content-Type"])
async def test_a_repeated_header_with_one_value_is_refused(client: httpx2.AsyncClient, name: str) -> None:
    ticket = await open_ticket(client)
    value = secrets.token_hex(8) if name == "Idempotency-Key" else "application/json"
    for path, body in (("/tickets", a_ticket()), (f"/tickets/{ticket['id']}/comments", a_comment())):
        request = client.build_request("POST", path, json=body)
        kept = [header for header in request.headers.multi_items() if header[0] != name.lower()]
        response = await client.post(path, content=request.content, headers=[*kept, (name, value), (name, value)])
        assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-request"), response.text
        assert response.json()["errors"] == [{"detail": "must be given once", "parameter": name}]
    assert (await client.get(f"/tickets/{ticket['id']}")).json()["comment_count"] == 0


@pytest.mark.parametrize(
    ("body", "detail", "pointer"),
    [
        ({"subject": 1}, "must be a text", "#/subject"),
        ({"subject": "a\x00"}, "must not contain the NUL character", "#/subject"),
        ({"priority": "p1"}, "must be one of: 'urgent', 'high', 'normal' or 'low'", "#/priority"),
        ({"tags": {}}, "must be an array", "#/tags"),
        ({"custom": []}, "must be an object", "#/custom"),
        ({"source": "shop"}, "is required: source and external_id belong together", "#/external_id"),
        ({"external_id": "1"}, "is required: source and external_id belong together", "#/source"),
    ],
)
async def test_a_message_says_in_plain_words_what_is_wrong(
    client: httpx2.AsyncClient, body: dict[str, object], detail: str, pointer: str
) -> None:
    refused = await client.post("/tickets", json=a_ticket(**body))
    assert refused.json()["errors"] == [{"detail": detail, "pointer": pointer}]
