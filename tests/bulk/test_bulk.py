"""Bulk changes: a dry run, then one change for each ticket, each with a result of its own."""

import asyncio
import secrets
from typing import Any

import httpx2
import pytest

from core.errors import DatabaseUnavailable
from drafts.conftest import Desk, desk
from schemas.bulk import EITHER, MAX_IDS, NO_ACTION
from services.bulk import runner as module
from services.bulk.runner import BulkRunner
from support.factories import JSON, a_ticket

__all__ = ["desk"]

PATH = "/tickets/bulk"


@pytest.fixture(autouse=True)
async def no_other_changes(desk: Desk) -> None:
    """Without those that earlier tests have left: a runner takes the oldest one."""
    await desk.sql.execute("DELETE FROM bulk_runs")


def runner(desk: Desk) -> BulkRunner:
    return BulkRunner(desk.database, desk.app.state.changes, desk.app.state.working_fields)


async def start(desk: Desk, action: JSON, *, headers: dict[str, str] | None = None, **target: Any) -> JSON:
    response = await desk.client.post(PATH, json={"action": action} | target, headers=headers)
    assert response.status_code == 202, response.text
    run: JSON = response.json()
    assert response.headers["Location"] == f"{PATH}/{run['id']}"
    return run


async def finished(desk: Desk, run: JSON) -> JSON:
    while await runner(desk).run_next():
        pass
    read: JSON = (await desk.client.get(f"{PATH}/{run['id']}")).json()
    assert read["state"] == "finished"
    return read


async def tickets(desk: Desk, count: int, **fields: Any) -> list[int]:
    return [await desk.ticket(**fields) for _ in range(count)]


async def dry_run(desk: Desk, action: JSON, **target: Any) -> JSON:
    response = await desk.client.post(f"{PATH}/dry-run", json={"action": action} | target)
    assert response.status_code == 200, response.text
    tried: JSON = response.json()
    return tried


async def close(desk: Desk, ticket_id: int) -> None:
    assert (await desk.client.patch(f"/tickets/{ticket_id}", json={"status": "closed"})).status_code == 200


async def test_each_ticket_is_changed_and_has_a_result_of_its_own(desk: Desk) -> None:
    first, closed, same = await tickets(desk, 3, tags=["old"])
    await close(desk, closed)
    await desk.client.patch(f"/tickets/{same}", json={"priority": "high", "tags": ["new"]})
    action = {"priority": "high", "add_tags": ["new"], "remove_tags": ["old"]}
    missing = 2**40
    run = await start(desk, action, ids=[missing, same, closed, first, first])
    assert (run["state"], run["total"], run["results"]) == ("running", 4, [])
    done = await finished(desk, run)
    assert done["results"] == [
        {"ticket_id": first, "version": 2, "changed": True},
        {"ticket_id": closed, "problem": "/problems/ticket-closed"},
        {"ticket_id": same, "version": 2, "changed": False},
        {"ticket_id": missing, "problem": "/problems/ticket-not-found"},
    ]
    assert (done["changed"], done["unchanged"], done["refused"], done["last_ticket_id"]) == (1, 1, 2, None)
    ticket = await desk.read(first)
    assert (ticket["priority"], ticket["tags"], ticket["version"]) == ("high", ["new"], 2)
    actor = await desk.sql.fetchval("SELECT actor FROM ticket_events WHERE ticket_id = $1 AND version = 2", first)
    assert actor == "key:admin"


async def test_a_dry_run_counts_what_the_change_then_does_and_writes_nothing(desk: Desk) -> None:
    tag = secrets.token_hex(6)
    ids = await tickets(desk, 12, tags=[tag])
    for ticket_id in ids[:3]:
        await close(desk, ticket_id)
    action = {"status": "answered"}
    await desk.client.patch(f"/tickets/{ids[3]}", json={"status": "answered"})
    tried = await dry_run(desk, action, query=f"tag={tag}")
    assert tried == {
        "matched": 12,
        "would_change": 8,
        "unchanged": 0,
        "refused": [{"problem": "/problems/illegal-transition", "count": 4, "ticket_ids": ids[:4]}],
        "truncated": False,
    }
    assert (await desk.read(ids[5]))["version"] == 1
    done = await finished(desk, await start(desk, action, query=f"tag={tag}"))
    assert (done["changed"], done["refused"]) == (8, 4)
    assert [each["ticket_id"] for each in done["results"]] == ids
    assert (await dry_run(desk, {"add_tags": [tag]}, ids=ids[4:]))["unchanged"] == 8


async def test_a_query_with_more_tickets_is_continued_after_the_last_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = secrets.token_hex(6)
    ids = await tickets(desk, 5, tags=[tag])
    monkeypatch.setattr("services.bulk.bulk_changes.MAX_TICKETS", 3)
    query, action = f"tag={tag}&status=open", {"status": "closed"}
    first = await finished(desk, await start(desk, action, query=query))
    assert ([each["ticket_id"] for each in first["results"]], first["last_ticket_id"]) == (ids[:3], ids[2])
    second = await start(desk, action, query=query, after_ticket_id=first["last_ticket_id"])
    assert (await finished(desk, second))["changed"] == 2
    assert (await start(desk, action, query=query))["state"] == "finished"


async def test_the_same_request_under_a_key_starts_one_change(desk: Desk) -> None:
    (ticket_id,) = await tickets(desk, 1)
    key = {"Idempotency-Key": secrets.token_hex(8)}
    action = {"add_tags": ["x"]}
    run = await start(desk, action, ids=[ticket_id], headers=key)
    again = await desk.client.post(PATH, json={"action": action, "ids": [ticket_id]}, headers=key)
    assert (again.status_code, again.json(), again.headers["Idempotent-Replayed"]) == (202, run, "true")
    other = await desk.client.post(PATH, json={"action": action, "ids": [1]}, headers=key)
    assert other.status_code == 422
    assert (await finished(desk, run))["changed"] == 1
    assert (await desk.read(ticket_id))["version"] == 2


async def test_what_a_process_changed_and_did_not_record_is_not_changed_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await tickets(desk, 7)
    run = await start(desk, {"add_tags": ["x"]}, ids=ids)
    monkeypatch.setattr(module, "BATCH", 3)
    dying, saved = runner(desk), 0
    real = dying._save  # noqa: SLF001 - a process that ends between two transactions

    async def die_at_the_second(*arguments: Any) -> bool:
        nonlocal saved
        saved += 1
        if saved == 2:
            raise DatabaseUnavailable("gone")
        return await real(*arguments)

    monkeypatch.setattr(dying, "_save", die_at_the_second)
    with pytest.raises(DatabaseUnavailable):
        await dying.run_next()
    read = (await desk.client.get(f"{PATH}/{run['id']}")).json()
    assert (read["state"], len(read["results"]), (await desk.read(ids[5]))["version"]) == ("running", 3, 2)
    done = await finished(desk, run)
    assert done["results"] == [{"ticket_id": ticket_id, "version": 2, "changed": True} for ticket_id in ids]
    assert [(await desk.read(ticket_id))["version"] for ticket_id in ids] == [2] * 7


async def test_several_processes_carry_out_each_change_once(desk: Desk) -> None:
    ids = await tickets(desk, 10)
    runs = [await start(desk, {"add_tags": [f"t{number}"]}, ids=ids) for number in range(4)]
    await asyncio.gather(*(runner(desk).run_next() for _ in range(5)))
    for run in runs:
        assert (await finished(desk, run))["changed"] == 10
    assert [(await desk.read(ticket_id))["version"] for ticket_id in ids] == [5] * 10


async def test_a_claim_that_expired_is_taken_over_and_the_slow_process_stops(desk: Desk) -> None:
    ids = await tickets(desk, 3)
    run = await start(desk, {"add_tags": ["x"]}, ids=ids)
    slow, fast = runner(desk), runner(desk)
    claimed = await desk.sql.fetchrow(
        "UPDATE bulk_runs SET claimed_until = now() WHERE id = $1 RETURNING id", run["id"]
    )
    assert claimed is not None
    await asyncio.gather(slow.run_next(), fast.run_next())
    done = await finished(desk, run)
    assert [each["ticket_id"] for each in done["results"]] == ids


async def test_a_change_of_an_agent_who_was_deactivated_is_refused(desk: Desk) -> None:
    agent, (ticket_id,) = await desk.agent(), await tickets(desk, 1)
    run = await start(desk, {"add_tags": ["x"]}, ids=[ticket_id])
    await desk.sql.execute("UPDATE bulk_runs SET principal_id = $1 WHERE id = $2", agent.id, run["id"])
    await desk.client.patch(f"/people/{agent.id}", json={"active": False})
    done = await finished(desk, run)
    assert done["results"] == [{"ticket_id": ticket_id, "problem": "/problems/forbidden"}]


async def test_a_change_is_read_by_agents(desk: Desk) -> None:
    (ticket_id,) = await tickets(desk, 1)
    run = await start(desk, {"add_tags": ["x"]}, ids=[ticket_id])
    person = await desk.agent()
    key = (await desk.client.post("/keys", json={"principal_id": person.id})).json()["secret"]
    headers = {"Authorization": f"Bearer {key}"}
    assert (await desk.client.get(f"{PATH}/{run['id']}", headers=headers)).json()["id"] == run["id"]
    missing = await desk.client.get(f"{PATH}/{2**40}", headers=headers)
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/bulk-run-not-found")


@pytest.mark.parametrize(
    ("body", "detail", "pointer"),
    [
        ({"action": {"add_tags": ["x"]}}, EITHER, "#"),
        ({"ids": [1], "query": "", "action": {"add_tags": ["x"]}}, EITHER, "#"),
        ({"ids": [1], "action": {}}, NO_ACTION, "#/action"),
        ({"ids": [1], "action": {"add_tags": []}}, NO_ACTION, "#/action"),
        ({"ids": [], "action": {"add_tags": ["x"]}}, "must have at least 1 items", "#/ids"),
        (
            {"ids": list(range(1, MAX_IDS + 2)), "action": {"add_tags": ["x"]}},
            "must have at most 900 items",
            "#/ids",
        ),
        (
            {"ids": [1], "action": {"assignee_id": "person:no-one"}},
            "must be the id of an active agent or admin",
            "#/action/assignee_id",
        ),
    ],
)
async def test_an_invalid_body_is_refused(desk: Desk, body: JSON, detail: str, pointer: str) -> None:
    for path in (PATH, f"{PATH}/dry-run"):
        response = await desk.client.post(path, json=body)
        assert response.status_code == 422
        assert response.json()["errors"] == [{"detail": detail, "pointer": pointer}], response.text


async def test_a_fault_in_one_ticket_stops_no_others(desk: Desk) -> None:
    first, broken, last = await tickets(desk, 3)
    await desk.sql.execute(f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$;
        CREATE TRIGGER fail BEFORE UPDATE ON tickets FOR EACH ROW WHEN (OLD.id = {broken}) EXECUTE FUNCTION fail()
    """)
    done = await finished(desk, await start(desk, {"add_tags": ["x"]}, ids=[first, broken, last]))
    await desk.sql.execute("DROP TRIGGER fail ON tickets; DROP FUNCTION fail")
    assert [each.get("problem") for each in done["results"]] == [None, "/problems/internal-error", None]


async def test_old_changes_are_deleted(desk: Desk) -> None:
    (ticket_id,) = await tickets(desk, 1)
    old, new = [await start(desk, {"add_tags": ["x"]}, ids=[ticket_id]) for _ in range(2)]
    await finished(desk, old)
    await desk.sql.execute("UPDATE bulk_runs SET finished_at = now() - interval '8 days' WHERE id = $1", old["id"])
    await start(desk, {"add_tags": ["x"]}, ids=[ticket_id])
    statuses = [(await desk.client.get(f"{PATH}/{run['id']}")).status_code for run in (old, new)]
    assert statuses == [404, 200]


async def test_the_work_in_the_background_carries_it_out(desk: Desk) -> None:
    tag = secrets.token_hex(6)
    responses = await asyncio.gather(*(desk.client.post("/tickets", json=a_ticket(tags=[tag])) for _ in range(5)))
    assert all(isinstance(response, httpx2.Response) and response.is_success for response in responses)
    run = await start(desk, {"status": "closed"}, query=f"tag={tag}")
    work = asyncio.create_task(runner(desk).run())
    async with asyncio.timeout(20):
        while (await desk.client.get(f"{PATH}/{run['id']}")).json()["state"] == "running":
            await asyncio.sleep(0.05)
    work.cancel()
    assert (await desk.client.get(f"{PATH}/{run['id']}")).json()["changed"] == 5
