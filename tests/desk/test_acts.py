"""The buttons beside a ticket, the form of a new one, and the timeline that shows it all."""

import re

import httpx2
import pytest

from desk.acts import ACTS
from support.desk_pages import field, page, post, ticket, words_of
from support.factories import a_comment, open_ticket, ticket_in


async def push(client: httpx2.AsyncClient, ticket_id: int, name: str, **fields: str) -> None:
    response = await post(client, f"tickets/{ticket_id}/{name}", **fields)
    assert response.status_code == 303, response.text
    assert response.headers["Location"].startswith("../../../desk/tickets/")


async def test_every_button_does_what_it_says(client: httpx2.AsyncClient) -> None:
    made, other = await open_ticket(client), await open_ticket(client)
    ticket_id = made["id"]
    done = []
    for name, fields, member, value in (
        ("take", {"steal": "false"}, "assignee_id", "anonymous"),
        ("release", {}, "assignee_id", None),
        ("tag", {"tag": " VIP "}, "tags", ["vip"]),
        ("untag", {"tag": "vip"}, "tags", []),
        ("invite", {"email": "carol@example.com"}, "participants", ["carol@example.com"]),
        ("uninvite", {"email": "carol@example.com"}, "participants", []),
        (
            "link",
            {"type": "blocks", "other": f"#{other['id']}"},
            "links",
            [{"type": "blocks", "ticket_id": other["id"]}],
        ),
        ("unlink", {"type": "blocks", "other": str(other["id"])}, "links", []),
        ("merge", {"into": str(other["id"])}, "merged_into", other["id"]),
        ("unmerge", {}, "merged_into", None),
    ):
        await push(client, ticket_id, name, **fields)
        assert (await ticket(client, ticket_id))[member] == value
        done.append(name)
    assert set(done) == set(ACTS)


@pytest.mark.parametrize(
    ("name", "fields", "status", "says"),
    [
        ("tag", {"tag": "two words"}, 422, "Tags: must be letters in lower case"),
        ("invite", {"email": "x"}, 422, "Participants: must be a valid email address"),
        ("link", {"type": "blocks", "other": "x"}, 422, "must be a whole number"),
        ("link", {"type": "likes", "other": "1"}, 422, "must be one of"),
        ("merge", {"into": "999999999"}, 422, "no ticket has this id"),
        ("unmerge", {}, 409, "The ticket is not merged"),
        ("fly", {}, 404, "Page not found"),
    ],
)
async def test_a_refused_button_leads_to_a_page_about_the_reason(
    client: httpx2.AsyncClient, name: str, fields: dict[str, str], status: int, says: str
) -> None:
    made = await open_ticket(client)
    refused = await post(client, f"tickets/{made['id']}/{name}", **fields)
    assert refused.status_code == status
    assert says in words_of(refused.text)


async def test_related_tickets_are_links(client: httpx2.AsyncClient) -> None:
    made, other = await ticket_in(client, "closed"), await open_ticket(client)
    await push(client, made["id"], "link", type="duplicates", other=str(other["id"]))
    await push(client, made["id"], "follow-up", text="Again")
    html = await page(client, f"tickets/{made['id']}")
    follow_up = (await ticket(client, made["id"]))["follow_ups"][0]
    assert f"duplicates #{other['id']}" in words_of(html)
    assert f"Continued in #{follow_up}" in words_of(html)
    assert f"is duplicated by #{made['id']}" in words_of(await page(client, f"tickets/{other['id']}"))


async def test_a_ticket_is_created_once(client: httpx2.AsyncClient) -> None:
    key = field(await page(client, "tickets/new"), "key")
    fields = {"key": key, "email": "bob@example.com", "subject": "New", "text": "Words", "tags": "a", "priority": "low"}
    choices = {"assignee_id": "", "group_id": ""}
    first, second = [await post(client, "tickets", **fields, **choices) for _ in range(2)]
    assert (first.status_code, first.headers["Location"]) == (303, second.headers["Location"])
    made = await ticket(client, int(first.headers["Location"].rpartition("/")[2]))
    assert [made[name] for name in ("subject", "text", "email", "tags", "priority")] == [
        "New",
        "Words",
        "bob@example.com",
        ["a"],
        "low",
    ]


async def test_a_refused_new_ticket_is_shown_with_what_was_typed(client: httpx2.AsyncClient) -> None:
    refused = await post(client, "tickets", email="x", subject="Kept", text="Kept too", priority="high")
    assert refused.status_code == 422
    assert "Requester: must be a valid email address" in words_of(refused.text)
    assert (field(refused.text, "subject"), field(refused.text, "email")) == ("Kept", "x")


async def test_the_timeline_has_every_version_with_before_and_after(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    path = f"/tickets/{made['id']}"
    await client.post(f"{path}/comments", json=a_comment(status="answered"))
    await client.post(f"{path}/comments", json=a_comment(visibility="internal"))
    await client.patch(path, json={"subject": "Renamed", "priority": "urgent"})
    html = await page(client, f"tickets/{made['id']}/timeline")
    assert re.findall(r'<li id="v-(\d+)"', html) == ["1", "2", "3", "4"]
    shown = words_of(html)
    for text in (
        "Version 1 Anonymous : created the ticket without a sign-in",
        "Status: before Open after Answered",
        "Subject: before The printer is on fire after Renamed",
        "Priority: before Normal after Urgent",
        "wrote a note for agents only",
    ):
        assert text in shown


async def test_long_histories_and_discussions_have_pages(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    for number in range(101):
        await client.post(f"/tickets/{made['id']}/comments", json=a_comment(text=f"Comment no. {number} of many"))
    shown = await page(client, f"tickets/{made['id']}")
    assert "Comment no. 100 of many" in shown
    assert "Comment no. 50 of many" not in shown
    assert "All earlier comments" in shown
    for path, pages in (("timeline", 2), ("comments", 3)):
        query, seen = "?", 0
        while query:
            html = await page(client, f"tickets/{made['id']}/{path}{query}")
            following = re.search(r'rel="next" href="(\?[^"]*)"', html)
            query, seen = following[1] if following else "", seen + 1
        assert seen == pages
    assert "The list has changed" in words_of(await page(client, f"tickets/{made['id']}/timeline?cursor=x", 422))
