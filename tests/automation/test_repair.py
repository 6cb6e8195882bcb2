"""The comparison of clocks with the events that lead to them, and their repair."""

import asyncio
import sys

import pytest

from automation.conftest import HOUR, Automated, clock_of
from commands import service_levels
from core.errors import Overloaded
from core.settings import Settings
from services.sla.repair import ClockRepair

DAMAGE = """
    BEGIN;
    SET LOCAL session_replication_role = replica;
    UPDATE tickets SET sla = NULL, due_at = NULL, timer_at = NULL WHERE id = {id};
    COMMIT
"""


async def test_what_differs_from_the_events_is_found_and_repaired(automated: Automated) -> None:
    await automated.policy(first_response_s=HOUR)
    ticket, other = await automated.ticket(), await automated.ticket()
    await automated.sql.execute(DAMAGE.format(id=ticket["id"]))
    repair = ClockRepair(automated.database, automated.app.state.changes, automated.app.state.automation)
    found = [each async for each in repair.differences() if each.ticket_id >= ticket["id"]]
    assert [(each.ticket_id, each.columns) for each in found] == [(ticket["id"], ["due_at", "sla", "timer_at"])]
    assert await repair.correct(ticket["id"])
    assert not await repair.correct(ticket["id"])
    repaired = await automated.read(ticket)
    assert repaired["sla"] == ticket["sla"]
    assert clock_of(repaired, "first_response")["due_at"] == repaired["due_at"]
    assert [each async for each in repair.differences() if each.ticket_id >= ticket["id"]] == []
    assert (await automated.events(ticket))[-1]["actor"] == "system:sla"
    assert (await automated.read(other))["version"] == 1


async def test_a_refused_repair_does_not_end_the_command(
    automated: Automated,
    automated_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await automated.policy(first_response_s=HOUR)
    refused, skipped, corrected = [await automated.ticket() for _ in range(3)]
    for ticket in (refused, skipped, corrected):
        await automated.sql.execute(DAMAGE.format(id=ticket["id"]))
    correct = ClockRepair.correct

    async def hindered(repair: ClockRepair, ticket_id: int) -> bool:
        if ticket_id == refused["id"]:
            raise Overloaded
        return ticket_id != skipped["id"] and await correct(repair, ticket_id)

    monkeypatch.setattr(ClockRepair, "correct", hindered)
    monkeypatch.setattr(service_levels, "Settings", lambda: automated_settings)
    monkeypatch.setattr(sys, "argv", ["service_levels", "repair"])
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(service_levels.main)
    assert ended.value.code == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.replace(": due_at, sla, timer_at: ", " ") for line in lines[-3:]] == [
        f"ticket {refused['id']} refused: Overloaded",
        f"ticket {skipped['id']} changed meanwhile",
        f"ticket {corrected['id']} corrected",
    ]
    assert last.endswith(" tickets were corrected, 1 changed meanwhile, 1 were refused")


async def test_the_actors_of_what_happens_by_itself_have_names(automated: Automated) -> None:
    for principal_id in ("system:sla", "system:auto-close", "system:reminders", "system:rules"):
        found = await automated.call("GET", f"/principals/{principal_id}", 200)
        assert (found["kind"], bool(found["name"])) == ("system", True)
