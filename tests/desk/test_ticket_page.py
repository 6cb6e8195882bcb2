"""The page of a ticket, and what its forms do."""

import httpx2
import pytest

from support.desk_pages import field, page, post, ticket, typed, words_of
from support.factories import a_comment, open_ticket, ticket_in

ME = "agent@example.com"


async def test_a_ticket_shows_its_discussion_with_notes_set_apart(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    path = f"/tickets/{made['id']}/comments"
    await client.post(path, json=a_comment(text="Seen by all"))
    await client.post(path, json=a_comment(text="For colleagues", visibility="internal"))
    html = await page(client, f"tickets/{made['id']}")
    assert html.index(made["text"]) < html.index("Seen by all") < html.index("For colleagues")
    note = html[html.index('class="message note"') : html.index("For colleagues")]
    assert "Internal note" in words_of(note)
    assert html.count('class="message note"') == 1


async def test_a_reply_with_a_transition_is_one_version(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    html = await page(client, f"tickets/{made['id']}")
    fields = {"version": field(html, "version"), "key": field(html, "key"), "email": ME, "visibility": "public"}
    response = await post(client, f"tickets/{made['id']}/comments", text="Line 1\nLine 2", status="answered", **fields)
    assert (response.status_code, response.headers["Location"]) == (303, f"../../../desk/tickets/{made['id']}#end")
    now = await ticket(client, made["id"])
    assert (now["version"], now["status"]) == (2, "answered")
    assert (now["comments"][0]["text"], now["comments"][0]["email"]) == ("Line 1\nLine 2", ME)


async def test_a_form_that_is_sent_twice_is_one_reply(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    html = await page(client, f"tickets/{made['id']}")
    fields = {"version": "1", "key": field(html, "key"), "email": ME, "text": "Once"}
    for _ in range(2):
        assert (await post(client, f"tickets/{made['id']}/comments", **fields)).status_code == 303
    assert (await ticket(client, made["id"]))["comment_count"] == 1


async def test_a_note_is_internal_and_moves_nothing(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    fields = {"version": "1", "email": ME, "text": "Between us", "visibility": "internal"}
    assert (await post(client, f"tickets/{made['id']}/comments", **fields)).status_code == 303
    now = await ticket(client, made["id"])
    assert (now["comments"][0]["visibility"], now["status"]) == ("internal", "open")


async def test_a_reply_is_shown_again_if_a_public_comment_came_since(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    await client.post(f"/tickets/{made['id']}/comments", json=a_comment(text="One more thing"))
    fields = {"version": "1", "email": ME, "text": "My\nanswer <b>"}
    refused = await post(client, f"tickets/{made['id']}/comments", **fields)
    assert refused.status_code == 409
    assert "One more thing" in words_of(refused.text)
    assert typed(refused.text) == "My\nanswer <b>"
    assert (await ticket(client, made["id"]))["comment_count"] == 1
    again = fields | {"version": field(refused.text, "version"), "key": field(refused.text, "key")}
    assert (await post(client, f"tickets/{made['id']}/comments", **again)).status_code == 303
    assert (await ticket(client, made["id"]))["comment_count"] == 2


async def test_changes_of_fields_and_notes_do_not_hold_a_reply_back(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    await client.put(f"/tickets/{made['id']}/tags/vip")
    await client.patch(f"/tickets/{made['id']}", json={"subject": "Another"})
    await client.post(f"/tickets/{made['id']}/comments", json=a_comment(visibility="internal"))
    fields = {"version": "1", "email": ME, "text": "My answer"}
    assert (await post(client, f"tickets/{made['id']}/comments", **fields)).status_code == 303
    assert (await ticket(client, made["id"]))["version"] == 5


async def test_a_note_is_never_held_back(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    await client.post(f"/tickets/{made['id']}/comments", json=a_comment())
    fields = {"version": "1", "email": ME, "text": "Between us", "visibility": "internal"}
    assert (await post(client, f"tickets/{made['id']}/comments", **fields)).status_code == 303


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"text": " "}, 422, "Text: must not be blank"),
        ({"text": "a" * 65_537}, 422, "Text: must have at most 65536 characters"),
        ({"text": "ok", "email": "x"}, 422, "Requester: must be a valid email address"),
        ({"text": "ok", "status": "awaiting_reply"}, 409, "The status has changed"),
        ({"text": "ok", "visibility": "internal", "status": "closed"}, 422, "a note makes no transition"),
    ],
)
async def test_a_refused_reply_is_shown_with_what_was_typed(
    client: httpx2.AsyncClient, fields: dict[str, str], status: int, says: str
) -> None:
    made = await open_ticket(client)
    refused = await post(client, f"tickets/{made['id']}/comments", **({"version": "1", "email": ME} | fields))
    assert refused.status_code == status
    assert says in words_of(refused.text)
    assert typed(refused.text) == fields["text"]
    assert (await ticket(client, made["id"]))["version"] == 1


async def test_a_reply_to_a_ticket_that_was_closed_is_kept_for_a_follow_up(client: httpx2.AsyncClient) -> None:
    made = await ticket_in(client, "closed")
    fields = {"version": str(made["version"]), "email": ME, "text": "Too late"}
    refused = await post(client, f"tickets/{made['id']}/comments", **fields)
    assert (refused.status_code, typed(refused.text)) == (409, "Too late")
    opened = await post(client, f"tickets/{made['id']}/follow-up", text="Too late", key=field(refused.text, "key"))
    assert opened.status_code == 303
    new = await ticket(client, int(opened.headers["Location"].rpartition("/")[2]))
    assert (new["follow_up_of"], new["text"]) == (made["id"], "Too late")


@pytest.mark.parametrize("status", ["open", "answered", "awaiting_reply", "closed"])
async def test_the_buttons_are_the_allowed_transitions(client: httpx2.AsyncClient, status: str) -> None:
    made = await ticket_in(client, status)
    html = await page(client, f"tickets/{made['id']}")
    for target in ("open", "answered", "awaiting_reply", "closed"):
        is_allowed = target in made["allowed_transitions"]
        assert (f'name="status" value="{target}"' in html) is is_allowed
    for target in made["allowed_transitions"][:1]:
        fields = {"status": target, "version": field(html, "version")}
        assert (await post(client, f"tickets/{made['id']}/status", **fields)).status_code == 303
        assert (await ticket(client, made["id"]))["status"] == target


async def test_a_transition_waits_for_a_comment_to_be_read(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    await client.post(f"/tickets/{made['id']}/comments", json=a_comment(text="Wait!"))
    refused = await post(client, f"tickets/{made['id']}/status", status="closed", version="1")
    assert refused.status_code == 409
    assert "Wait!" in words_of(refused.text)
    assert (await ticket(client, made["id"]))["status"] == "open"


async def test_a_part_of_the_page_is_what_the_page_shows(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    part = await page(client, f"tickets/{made['id']}?part=ticket")
    assert part.lstrip().startswith('<div id="ticket"')
    shown = words_of(await page(client, f"tickets/{made['id']}"))
    assert words_of(part) in shown


async def test_a_missing_ticket_has_a_page(client: httpx2.AsyncClient) -> None:
    for path in ("tickets/999999999", "tickets/999999999/timeline", "tickets/999999999/edit", "tickets/0"):
        assert "Ticket not found" in words_of(await page(client, path, 404))
