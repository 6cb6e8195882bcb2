"""A delivery contains what the owner of the webhook may see, and no text of a person unless that is asked for."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from models import Audience, WebhookDetail
from schemas.event_data import EventData
from services.webhooks.payload import _SHOWN, payload
from support.factories import JSON, a_comment
from webhooks.conftest import Hooks
from webhooks.receiver import Receiver
from webhooks.test_feeding import person

WORDS = "the words of Alice"


async def ticket_with_everything(hooks: Hooks, email: str) -> JSON:
    """Create a ticket with a new subject, a comment, and a note that comes with changes for agents."""
    ticket = await hooks.ticket(email=email)
    path = f"/tickets/{ticket['id']}"
    await hooks.client.patch(path, json={"subject": WORDS, "tags": ["vip"]})
    await hooks.client.post(f"{path}/comments", json=a_comment(text=WORDS, status="answered"))
    await hooks.client.post(f"{path}/comments", json=a_comment(text="a secret note", visibility="internal"))
    await hooks.feed()
    while await hooks.deliverer().deliver_due():
        pass
    return ticket


async def test_a_thin_event_has_no_text_of_a_person(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url)
    await ticket_with_everything(hooks, "alice@example.com")
    created, changed, commented, noted = (delivery.event for delivery in receiver.deliveries)
    assert created["type"] == "ticket.created"
    assert changed["data"] == {"changed": ["subject"], "tags": {"from": [], "to": ["vip"]}}
    assert commented["data"].keys() == {"comment_id", "status", "auto_close_at"}
    assert noted["data"].keys() == {"comment_id"}
    for delivery in receiver.deliveries:
        assert WORDS not in delivery.body.decode()
        assert "alice" not in delivery.body.decode()


async def test_a_full_event_has_the_texts(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url, detail="full")
    await ticket_with_everything(hooks, "alice@example.com")
    _, changed, commented, noted = (delivery.event["data"] for delivery in receiver.deliveries)
    assert (changed["subject"]["to"], changed["tags"]["to"]) == (WORDS, ["vip"])
    assert (commented["comment"]["text"], commented["comment"]["visibility"]) == (WORDS, "public")
    assert noted["comment"]["text"] == "a secret note"


@pytest.mark.parametrize("detail", ["thin", "full"])
async def test_a_requester_gets_nothing_that_is_for_agents(hooks: Hooks, receiver: Receiver, detail: str) -> None:
    email = f"{detail}@example.com"
    owner = await person(hooks, email=email, role="requester")
    await hooks.endpoint(receiver.url, principal_id=owner, detail=detail)
    await ticket_with_everything(hooks, email)
    events = [delivery.event for delivery in receiver.deliveries]
    assert [event["type"] for event in events] == ["ticket.created", "ticket.changed", "ticket.commented"]
    text = json.dumps(events)
    assert "vip" not in text
    assert "secret note" not in text


@pytest.mark.parametrize(
    ("event_type", "member", "value"),
    [
        ("reminded", "reminder", {"principal_id": "key:agent", "note": WORDS}),
        ("changed", "external_id", {"from": None, "to": WORDS}),
        ("changed", "member_of_a_later_release", {"from": None, "to": WORDS}),
    ],
)
def test_a_thin_event_only_names_other_members(event_type: str, member: str, value: JSON) -> None:
    row: Any = SimpleNamespace(
        position=1,
        ticket_id=1,
        version=2,
        type=event_type,
        data=json.dumps({member: value}),
        internal=None,
        actor="system:reminders",
        created_at=datetime.now(UTC),
        comment=None,
    )
    thin, full = (json.loads(payload(row, detail, Audience.INTERNAL)) for detail in WebhookDetail)
    assert (thin["type"], thin["data"]) == (f"ticket.{event_type}", {"changed": [member]})
    assert full["data"] == {member: value}


def test_a_thin_event_contains_members_of_the_catalogue_only() -> None:
    assert set(EventData.model_fields) >= _SHOWN
