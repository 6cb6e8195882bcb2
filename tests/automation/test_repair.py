"""The comparison of clocks with the events that lead to them, and their repair."""

from automation.conftest import HOUR, Automated, clock_of
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
    await repair.correct(ticket["id"])
    repaired = await automated.read(ticket)
    assert repaired["sla"] == ticket["sla"]
    assert clock_of(repaired, "first_response")["due_at"] == repaired["due_at"]
    assert [each async for each in repair.differences() if each.ticket_id >= ticket["id"]] == []
    assert (await automated.events(ticket))[-1]["actor"] == "system:sla"
    assert (await automated.read(other))["version"] == 1


async def test_the_actors_of_what_happens_by_itself_have_names(automated: Automated) -> None:
    for principal_id in ("system:sla", "system:auto-close", "system:reminders", "system:rules"):
        found = await automated.call("GET", f"/principals/{principal_id}", 200)
        assert (found["kind"], bool(found["name"])) == ("system", True)
