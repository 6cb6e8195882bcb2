"""The form of a ticket's fields: what changed since is merged, and the rest is decided by a person."""

import secrets
from collections.abc import Mapping

import httpx2
import pytest

from models import FieldType
from support.desk_pages import field, page, post, ticket, typed, words_of
from support.factories import open_ticket

FIELDS = {"subject": "The printer is on fire", "text": "It started after lunch.", "priority": "normal", "tags": ""}
CHOICES = {"assignee_id": "", "group_id": ""}


async def save(client: httpx2.AsyncClient, ticket_id: int, version: int, **changed: str) -> httpx2.Response:
    """Send the form as it was at a version, with some fields changed."""
    return await post(client, f"tickets/{ticket_id}/edit", version=str(version), **(FIELDS | CHOICES | changed))


async def test_the_form_shows_the_ticket(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client, tags=["a", "b"], priority="high", text="\n two\nlines ")
    html = await page(client, f"tickets/{made['id']}/edit")
    assert (field(html, "subject"), typed(html), field(html, "tags")) == (made["subject"], made["text"], "a, b")
    assert '<option value="high" selected>' in html


async def test_a_form_without_a_change_makes_no_version(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client, text="one\r\ntwo\rthree")
    html = await page(client, f"tickets/{made['id']}/edit")
    sent = {"text": typed(html).replace("\r", "\n").replace("\n\n", "\n")}
    assert (await save(client, made["id"], 1, **sent)).status_code == 303
    assert (await ticket(client, made["id"]))["version"] == 1


async def test_every_field_can_be_changed_at_once(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    changed = {"subject": "New", "text": "Also\nnew", "priority": "urgent", "tags": "B, a ,,b"}
    assert (await save(client, made["id"], 1, **changed)).status_code == 303
    now = await ticket(client, made["id"])
    assert (now["subject"], now["text"], now["priority"], now["tags"]) == ("New", "Also\nnew", "urgent", ["a", "b"])
    assert now["version"] == 2


async def test_changes_of_different_fields_are_merged(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client, tags=["old"])
    await client.patch(f"/tickets/{made['id']}", json={"priority": "urgent", "tags": ["old", "theirs"]})
    assert (await save(client, made["id"], 1, subject="Mine", tags="mine, old")).status_code == 303
    now = await ticket(client, made["id"])
    assert (now["subject"], now["priority"], now["tags"]) == ("Mine", "urgent", ["mine", "old", "theirs"])


async def test_a_field_that_both_changed_is_shown_with_both_and_what_it_was(client: httpx2.AsyncClient) -> None:
    made = await open_ticket(client)
    await client.patch(f"/tickets/{made['id']}", json={"subject": "Theirs", "priority": "low"})
    refused = await save(client, made["id"], 1, subject="Mine", text="My text")
    assert refused.status_code == 409
    shown = words_of(refused.text)
    for text in (f"Before: {made['subject']}", "Keep theirs: Theirs"):
        assert text in shown
    assert (field(refused.text, "subject"), typed(refused.text)) == ("Mine", "My text")
    assert '<option value="low" selected>' in refused.text
    assert (await ticket(client, made["id"]))["version"] == 2


@pytest.mark.parametrize(("choice", "subject"), [("mine", "Mine"), ("theirs", "Theirs")])
async def test_the_decision_is_saved(client: httpx2.AsyncClient, choice: str, subject: str) -> None:
    made = await open_ticket(client)
    await client.patch(f"/tickets/{made['id']}", json={"subject": "Theirs"})
    refused = await save(client, made["id"], 1, subject="Mine", text="My text")
    version = int(field(refused.text, "version"))
    decided = {"subject": "Mine", "text": "My text", "choice-subject": choice}
    assert (await save(client, made["id"], version, **decided)).status_code == 303
    now = await ticket(client, made["id"])
    assert (now["subject"], now["text"]) == (subject, "My text")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"subject": ""}, "Subject: must have at least 1 character"),
        ({"tags": "two words"}, "Tags: must be letters in lower case"),
        ({"assignee_id": "person:none"}, "Assignee: must be the id of an active agent"),
        ({"group_id": "x"}, "Group: must be a whole number"),
        ({"priority": "huge"}, "Priority: must be one of"),
    ],
)
async def test_values_that_do_not_fit_are_shown_again(
    client: httpx2.AsyncClient, changed: Mapping[str, str], says: str
) -> None:
    made = await open_ticket(client)
    refused = await save(client, made["id"], 1, **(dict(changed) | {"text": "Long\nwork"}))
    assert refused.status_code == 422
    assert says in words_of(refused.text)
    if "group_id" not in changed:
        assert typed(refused.text) == "Long\nwork"
    assert (await ticket(client, made["id"]))["version"] == 1


async def test_custom_fields_of_every_type_are_in_the_form(local: httpx2.AsyncClient) -> None:
    prefix = f"d{secrets.token_hex(3)}"
    for kind in FieldType:
        options = ["a", "b"] if "select" in kind else []
        body = {"key": f"{prefix}_{kind}", "label": f"My {kind}", "type": kind, "options": options}
        assert (await local.post("/fields", json=body)).status_code == 201
    made = await open_ticket(local)
    sent = {"text": "t", "number": "3", "boolean": "true", "date": "2026-03-02", "select": "a", "multiselect": "b"}
    changed = {f"custom.{prefix}_{kind}": value for kind, value in sent.items()}
    assert (await save(local, made["id"], 1, **changed)).status_code == 303
    expected = sent | {"number": 3, "boolean": True, "multiselect": ["b"]}
    assert (await ticket(local, made["id"]))["custom"] == {f"{prefix}_{kind}": each for kind, each in expected.items()}
    html = await page(local, f"tickets/{made['id']}/edit")
    assert field(html, f"custom.{prefix}_date") == "2026-03-02"
    removed = changed | {f"custom.{prefix}_text": "", f"custom.{prefix}_number": "many"}
    refused = await save(local, made["id"], 2, **removed)
    assert f"{prefix}_number: must be a number" in words_of(refused.text)
    shown = words_of(await page(local, f"tickets/{made['id']}"))
    assert "My boolean ✓" in shown
