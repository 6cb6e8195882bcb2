"""Drafts are sent once, can be called back until then, and stay if they are refused."""

import asyncio

import pytest

from core.desk_errors import CommentedMeanwhile, DraftBeingSent, DraftChanged, DraftNotFound
from core.errors import IllegalTransition, TicketClosed
from drafts.conftest import EMAIL, Desk
from models import Audience, DraftKind, TicketStatus
from schemas.tickets import CommentCreate
from services.access.principal import ANONYMOUS
from services.drafts.sending import forgetting

REPLY, NOTE = DraftKind.REPLY, DraftKind.NOTE


async def test_a_draft_is_sent_when_its_delay_is_over(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    sent = await desk.send(ticket_id, agent, status=TicketStatus.ANSWERED)
    assert sent.send_at is not None
    await desk.due.work_off()
    assert await desk.comments(ticket_id) == []
    await desk.pass_time(11)
    await asyncio.gather(*(desk.due.work_off() for _ in range(4)))
    (comment,) = await desk.comments(ticket_id)
    assert (comment["text"], comment["email"], comment["visibility"]) == ("Hello", EMAIL, "public")
    assert (await desk.read(ticket_id))["status"] == "answered"
    assert await desk.drafts.of_ticket(ticket_id, agent) == {}
    actor = await desk.sql.fetchval(
        "SELECT actor FROM ticket_events WHERE ticket_id = $1 AND type = 'commented'", ticket_id
    )
    assert actor == agent.id


async def test_a_note_is_internal_and_no_newer_comment_holds_it_back(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    await desk.comment(ticket_id)
    await desk.send(ticket_id, agent, kind=NOTE, delay_s=0)
    await desk.due.work_off()
    assert [each["visibility"] for each in await desk.comments(ticket_id)] == ["public", "internal"]


async def test_a_draft_that_was_called_back_is_not_sent_and_can_be_edited(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    sent = await desk.send(ticket_id, agent)
    with pytest.raises(DraftBeingSent):
        await desk.save(ticket_id, agent, "Hello again", 3, draft_id=sent.id)
    assert (await desk.drafts.recall(ticket_id, REPLY, agent)).send_at is None
    await desk.save(ticket_id, agent, "Hello again", 3, draft_id=sent.id)
    await desk.pass_time(11)
    await desk.due.work_off()
    assert await desk.comments(ticket_id) == []
    await desk.send(ticket_id, agent, "Hello, Alice", 4, draft_id=sent.id, delay_s=0)
    await desk.due.work_off()
    assert [each["text"] for each in await desk.comments(ticket_id)] == ["Hello, Alice"]
    with pytest.raises(DraftNotFound):
        await desk.drafts.recall(ticket_id, REPLY, agent)


async def test_calling_back_while_it_is_sent_either_keeps_the_draft_or_finds_the_comment(desk: Desk) -> None:
    agent = await desk.agent()
    for _ in range(15):
        ticket_id = await desk.ticket()
        await desk.send(ticket_id, agent, delay_s=0)
        _, recalled = await asyncio.gather(
            desk.due.work_off(), desk.drafts.recall(ticket_id, REPLY, agent), return_exceptions=True
        )
        was_sent = isinstance(recalled, DraftNotFound)
        assert len(await desk.comments(ticket_id)) == was_sent
        assert len(await desk.drafts.of_ticket(ticket_id, agent)) == (not was_sent)


async def test_a_reply_is_refused_if_a_public_comment_came_before_it_was_sent(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    await desk.comment(ticket_id, visibility="internal")
    sent = await desk.send(ticket_id, agent)
    await desk.comment(ticket_id)
    await desk.pass_time(11)
    await desk.due.work_off()
    draft = (await desk.drafts.of_ticket(ticket_id, agent))[REPLY]
    assert (draft.text, draft.send_at, draft.refusal) == ("Hello", None, "commented-meanwhile")
    assert len(await desk.comments(ticket_id)) == 2
    refused = await desk.send(ticket_id, agent, counter=3, draft_id=sent.id)
    assert (refused.send_at, refused.refusal) == (None, "commented-meanwhile")
    again = await desk.send(ticket_id, agent, counter=4, draft_id=sent.id, base_version=3, delay_s=0)
    assert (again.send_at is not None, again.refusal) == (True, None)
    await desk.due.work_off()
    assert len(await desk.comments(ticket_id)) == 3


async def test_a_draft_on_a_ticket_that_was_closed_stays_with_the_reason(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    await desk.send(ticket_id, agent)
    assert (await desk.client.patch(f"/tickets/{ticket_id}", json={"status": "closed"})).status_code == 200
    await desk.pass_time(11)
    await desk.due.work_off()
    assert (await desk.drafts.of_ticket(ticket_id, agent))[REPLY].refusal == "ticket-closed"


async def test_a_draft_of_an_agent_who_was_deactivated_is_not_sent(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    await desk.send(ticket_id, agent, delay_s=0)
    response = await desk.client.patch(f"/people/{agent.id}", json={"active": False})
    assert response.status_code == 200
    await desk.due.work_off()
    assert await desk.comments(ticket_id) == []
    assert (await desk.drafts.of_ticket(ticket_id, agent))[REPLY].refusal == "forbidden"


async def test_an_older_text_is_not_sent(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    stored = await desk.save(ticket_id, agent, "Hello from another window", 7)
    with pytest.raises(DraftChanged):
        await desk.send(ticket_id, agent, counter=6)
    assert await desk.drafts.of_ticket(ticket_id, agent) == {REPLY: stored}


async def test_a_comment_that_is_sent_at_once_deletes_the_draft_in_its_transaction(desk: Desk) -> None:
    ticket_id = await desk.ticket()
    await desk.save(ticket_id, ANONYMOUS)
    note = await desk.save(ticket_id, ANONYMOUS, kind=NOTE)
    new = CommentCreate(email=EMAIL, text="Hello", visibility=Audience.PUBLIC)
    await desk.app.state.tickets.comment(ticket_id, new, ANONYMOUS, within=forgetting(ANONYMOUS.id, REPLY, 1))
    assert await desk.drafts.of_ticket(ticket_id, ANONYMOUS) == {NOTE: note}
    draft = await desk.save(ticket_id, ANONYMOUS)
    with pytest.raises(CommentedMeanwhile):
        await desk.app.state.tickets.comment(ticket_id, new, ANONYMOUS, within=forgetting(ANONYMOUS.id, REPLY, 1))
    assert await desk.drafts.of_ticket(ticket_id, ANONYMOUS) == {NOTE: note, REPLY: draft}
    assert len(await desk.comments(ticket_id)) == 1


async def test_a_draft_that_fails_delays_no_others(desk: Desk) -> None:
    agent, bad, good = await desk.agent(), await desk.ticket(), await desk.ticket()
    for ticket_id in (bad, good):
        await desk.send(ticket_id, agent, delay_s=0)
    await desk.sql.execute(f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$;
        CREATE TRIGGER fail BEFORE INSERT ON comments FOR EACH ROW WHEN (NEW.ticket_id = {bad}) EXECUTE FUNCTION fail()
    """)
    due = desk.due
    assert await due.work_off() == 2
    assert await due.work_off() == 0
    assert (len(await desk.comments(bad)), len(await desk.comments(good))) == (0, 1)
    await desk.sql.execute("DROP TRIGGER fail ON comments; DROP FUNCTION fail")
    assert await desk.due.work_off() == 1
    assert len(await desk.comments(bad)) == 1


async def test_two_drafts_of_one_form_become_one_comment(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    for counter in (2, 3):
        await desk.send(ticket_id, agent, counter=counter, delay_s=0, send_key="form", base_version=counter)
        await desk.due.work_off()
        assert await desk.drafts.of_ticket(ticket_id, agent) == {}
    assert [each["text"] for each in await desk.comments(ticket_id)] == ["Hello"]


async def test_a_draft_that_is_being_sent_is_not_discarded(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    sent = await desk.send(ticket_id, agent)
    with pytest.raises(DraftBeingSent):
        await desk.drafts.discard(ticket_id, REPLY, agent)
    assert await desk.drafts.of_ticket(ticket_id, agent) == {REPLY: sent}


async def test_what_the_ticket_does_not_take_is_refused_at_once(desk: Desk) -> None:
    agent, ticket_id = await desk.agent(), await desk.ticket()
    with pytest.raises(IllegalTransition):
        await desk.send(ticket_id, agent, status=TicketStatus.AWAITING_REPLY)
    assert (await desk.client.patch(f"/tickets/{ticket_id}", json={"status": "closed"})).status_code == 200
    with pytest.raises(TicketClosed):
        await desk.send(ticket_id, agent)
    assert await desk.drafts.of_ticket(ticket_id, agent) == {}
