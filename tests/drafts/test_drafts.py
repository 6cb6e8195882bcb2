"""Drafts survive: an older save replaces no newer one, and nothing that others do touches them."""

import asyncio
import random

import pytest
from pydantic import ValidationError

from core.desk_errors import DraftNotFound
from core.errors import Forbidden, InsufficientScope, TicketNotFound
from drafts.conftest import Desk, typed
from models import DraftKind, Role, Scope, TicketStatus
from services.access.principal import Principal

REPLY, NOTE = DraftKind.REPLY, DraftKind.NOTE


async def test_a_draft_is_what_was_saved_last(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    first = await desk.save(ticket_id, agent, "Hel", 1)
    saved = await desk.save(ticket_id, agent, "Hello", 2, draft_id=first.id, status=TicketStatus.ANSWERED)
    assert (saved.id, saved.text, saved.status, saved.send_at) == (first.id, "Hello", "answered", None)
    assert await desk.drafts.of_ticket(ticket_id, agent) == {REPLY: saved}


async def test_an_older_save_never_replaces_a_newer_one(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    newer = await desk.save(ticket_id, agent, "Hello", 5)
    for counter in (4, 5):
        assert await desk.save(ticket_id, agent, "Hel", counter) == newer
        assert await desk.save(ticket_id, agent, "Hel", counter, draft_id=newer.id) == newer


async def test_saves_in_any_order_leave_the_newest(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    counters = random.sample(range(1, 21), 20)
    await asyncio.gather(*(desk.save(ticket_id, agent, f"text {counter}", counter) for counter in counters))
    assert (await desk.drafts.of_ticket(ticket_id, agent))[REPLY].text == "text 20"


async def test_each_author_has_a_reply_and_a_note_of_their_own(desk: Desk) -> None:
    ticket_id = await desk.ticket()
    agents = [await desk.agent() for _ in range(2)]
    for agent in agents:
        for kind in (REPLY, NOTE):
            await desk.save(ticket_id, agent, f"{kind} of {agent.id}", kind=kind)
    for agent in agents:
        found = await desk.drafts.of_ticket(ticket_id, agent)
        assert {kind: draft.text for kind, draft in found.items()} == {k: f"{k} of {agent.id}" for k in (REPLY, NOTE)}
        assert [draft.ticket_id for draft in await desk.drafts.mine(agent)] == [ticket_id] * 2


async def test_nothing_that_others_do_touches_a_draft(desk: Desk) -> None:
    agent, ticket_id, other = await desk.agent(), await desk.ticket(tags=["vip"]), await desk.ticket()
    draft = await desk.save(ticket_id, agent)
    await desk.comment(ticket_id)
    path = f"/tickets/{ticket_id}"
    for method, target, body in (
        ("POST", f"{path}/take", None),
        ("DELETE", f"{path}/tags/vip", None),
        ("PATCH", path, {"subject": "Another"}),
        ("POST", f"{path}/merge", {"into": other}),
    ):
        response = await desk.client.request(method, target, json=body)
        assert response.status_code == 200, response.text
    assert (await desk.read(ticket_id))["status"] == "closed"
    assert await desk.drafts.of_ticket(ticket_id, agent) == {REPLY: draft}


async def test_a_late_save_makes_no_draft_again_that_was_discarded(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    draft = await desk.save(ticket_id, agent)
    assert await desk.drafts.discard(ticket_id, REPLY, agent) == draft
    assert await desk.drafts.discard(ticket_id, REPLY, agent) is None
    with pytest.raises(DraftNotFound):
        await desk.save(ticket_id, agent, "Hello", 2, draft_id=draft.id)
    assert await desk.drafts.of_ticket(ticket_id, agent) == {}


async def test_a_draft_needs_a_ticket_and_an_agent_with_the_scope(desk: Desk) -> None:
    with pytest.raises(TicketNotFound):
        await desk.save(10**9, await desk.agent())
    with pytest.raises(Forbidden):
        await desk.save(1, Principal("person:0", Role.REQUESTER, "alice@example.com"))
    with pytest.raises(InsufficientScope):
        await desk.save(1, Principal("key:a", Role.AGENT, scopes=frozenset({Scope.READ})))


def test_a_draft_may_be_empty_and_a_note_makes_no_transition() -> None:
    assert typed("", 1).text == ""
    for fields in ({"text": "a\0"}, {"kind": NOTE, "status": "closed"}, {"counter": 0}, {"text": "a" * 65_537}):
        with pytest.raises(ValidationError):
            typed(**{"text": "a", "counter": 1} | fields)  # type: ignore[arg-type]
