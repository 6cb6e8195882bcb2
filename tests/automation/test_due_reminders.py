"""What happens when reminders are due: one event for each, whatever processes do."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from core.errors import DatabaseUnavailable
from core.settings import ROOT, Settings
from models import Role
from services import due_loop
from services.access.principal import Principal
from services.automation.due_reminders import DUE, DueReminders
from services.tickets.changes import TicketChanges
from support.factories import a_new_ticket
from support.service_process import clean_environment

AGENT = Principal("key:agent", Role.AGENT)
TIMEOUT_S = 40


async def tickets(changes: TicketChanges, count: int = 1) -> list[int]:
    return [(await changes.create(a_new_ticket(), AGENT)).id for _ in range(count)]


async def remind(sql: asyncpg.Connection, ticket_id: int, principal_id: str = AGENT.id, *, due_s: int = 60) -> None:
    """Store a reminder that has been due for some seconds."""
    await sql.execute(
        "INSERT INTO reminders (ticket_id, principal_id, remind_at, snoozed_until, note)"
        " SELECT $1, $2, at, at, 'note of ' || $2 FROM (SELECT now() - $3 * interval '1 second') AS due(at)",
        *(ticket_id, principal_id, due_s),
    )


async def events(sql: asyncpg.Connection, ticket_id: int) -> list[tuple[int, str, str, str]]:
    """Return the events of reminders: version, actor, audience, and whom they remind."""
    rows = await sql.fetch(
        "SELECT version, actor, audience, data FROM ticket_events WHERE ticket_id = $1 AND type = 'reminded'"
        " ORDER BY version",
        ticket_id,
    )
    return [
        (row["version"], row["actor"], row["audience"], json.loads(row["data"])["reminder"]["principal_id"])
        for row in rows
    ]


async def test_a_due_reminder_appends_one_internal_event(
    changes: TicketChanges, own_sql: asyncpg.Connection, due_reminders: DueReminders
) -> None:
    due, pending = await tickets(changes, 2)
    await remind(own_sql, due)
    await remind(own_sql, pending, due_s=-60)
    assert (await due_reminders.work_off(), await due_reminders.work_off()) == (1, 0)
    assert await events(own_sql, due) == [(2, "system:reminders", "internal", AGENT.id)]
    assert await events(own_sql, pending) == []
    row = await own_sql.fetchrow("SELECT * FROM reminders WHERE ticket_id = $1", due)
    assert row is not None
    assert row["reminded_at"] >= row["remind_at"]
    assert row["snoozed_until"] is None


async def test_each_reminder_of_a_ticket_has_an_event_of_its_own(
    changes: TicketChanges, own_sql: asyncpg.Connection, due_reminders: DueReminders
) -> None:
    (ticket_id,) = await tickets(changes)
    for name in ("key:a", "key:b", "key:c"):
        await remind(own_sql, ticket_id, name)
    assert await due_reminders.work_off() == 3
    found = await events(own_sql, ticket_id)
    assert ([each[0] for each in found], {each[3] for each in found}) == ([2, 3, 4], {"key:a", "key:b", "key:c"})


async def test_a_reminder_on_a_closed_ticket_appends_its_event_and_changes_nothing_else(
    changes: TicketChanges, own_sql: asyncpg.Connection, due_reminders: DueReminders
) -> None:
    (ticket_id,) = await tickets(changes)
    await own_sql.execute("UPDATE tickets SET status = 'closed', closed_at = now(), version = 2")
    before = await own_sql.fetchrow("SELECT * FROM tickets")
    await remind(own_sql, ticket_id)
    await due_reminders.work_off()
    assert [each[0] for each in await events(own_sql, ticket_id)] == [3]
    after = await own_sql.fetchrow("SELECT * FROM tickets")
    assert before is not None
    assert after is not None
    assert {name for name in before.keys() if before[name] != after[name]} == {"version", "updated_at"}  # noqa: SIM118


@pytest.mark.parametrize("change", ["DELETE FROM reminders", "UPDATE reminders SET remind_at = now() + '1 hour'"])
async def test_a_reminder_that_was_deleted_or_moved_meanwhile_does_not_fire(
    changes: TicketChanges, own_sql: asyncpg.Connection, due_reminders: DueReminders, change: str
) -> None:
    (ticket_id,) = await tickets(changes)
    await remind(own_sql, ticket_id)
    async with own_sql.transaction():
        await own_sql.execute(change)
        firing = asyncio.create_task(due_reminders.work_off())  # finds the row, and waits for this transaction
        await asyncio.sleep(0.3)
        assert not firing.done()
    assert await firing == 1
    assert await events(own_sql, ticket_id) == []
    assert await own_sql.fetchval("SELECT version FROM tickets") == 1


async def test_several_processes_remind_once(
    changes: TicketChanges, own_sql: asyncpg.Connection, due_reminders: DueReminders
) -> None:
    ids = await tickets(changes, 20)
    for ticket_id in ids:
        for name in ("key:a", "key:b"):
            await remind(own_sql, ticket_id, name)
    await asyncio.gather(*(due_reminders.work_off() for _ in range(4)))
    for ticket_id in ids:
        assert [each[0] for each in await events(own_sql, ticket_id)] == [2, 3]


async def test_a_ticket_that_fails_is_left_alone_and_delays_no_others(
    changes: TicketChanges,
    own_sql: asyncpg.Connection,
    due_reminders: DueReminders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, good = await tickets(changes, 2)
    for ticket_id in (bad, good):
        await remind(own_sql, ticket_id)
    monkeypatch.setattr(DueReminders, "left_alone_s", 0.5)
    await own_sql.execute(f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$;
        CREATE TRIGGER fail BEFORE UPDATE ON reminders FOR EACH ROW WHEN (OLD.ticket_id = {bad}) EXECUTE FUNCTION fail()
    """)
    assert [await due_reminders.work_off() for _ in range(2)] == [2, 0]
    assert (await events(own_sql, bad), len(await events(own_sql, good))) == ([], 1)
    await own_sql.execute("DROP TRIGGER fail ON reminders")
    await asyncio.sleep(0.5)
    assert await due_reminders.work_off() == 1
    assert len(await events(own_sql, bad)) == 1


async def test_the_loop_goes_on_after_the_database_was_away(
    changes: TicketChanges,
    own_sql: asyncpg.Connection,
    due_reminders: DueReminders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (ticket_id,) = await tickets(changes)
    await remind(own_sql, ticket_id)
    monkeypatch.setattr(due_loop, "RETRY_EVERY_S", 0)
    real, calls = due_reminders.work_off, 0

    async def away_at_first(*, pause_per_item: float) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise DatabaseUnavailable("away")
        return await real(pause_per_item=pause_per_item)

    monkeypatch.setattr(due_reminders, "work_off", away_at_first)
    running = asyncio.create_task(due_reminders.run())
    async with asyncio.timeout(TIMEOUT_S):
        while not await events(own_sql, ticket_id):
            await asyncio.sleep(0.05)
    running.cancel()


async def test_killed_workers_remind_exactly_once(
    changes: TicketChanges, own_sql: asyncpg.Connection, own_settings: Settings, tmp_path: Path
) -> None:
    ids = await tickets(changes, 60)
    for ticket_id in ids:
        await remind(own_sql, ticket_id)
    assert own_settings.database_dsn is not None
    assert own_settings.redis_host is not None
    environment = clean_environment(
        DATABASE_DSN=own_settings.database_dsn.get_secret_value(),
        REDIS_HOST=own_settings.redis_host,
        REDIS_PORT=str(own_settings.redis_port),
        REDIS_PREFIX=own_settings.redis_prefix,
    )

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("ab") as log:
            command = (sys.executable, ROOT / "src" / "worker.py")
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT)

    async def fired(at_least: int) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while await own_sql.fetchval("SELECT count(*) FROM reminders WHERE reminded_at IS NOT NULL") < at_least:
                await asyncio.sleep(0.01)

    workers = [start() for _ in range(3)]
    try:
        await fired(10)
        workers[0].send_signal(signal.SIGKILL)
        await fired(30)
        workers[1].send_signal(signal.SIGKILL)
        await fired(60)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    for ticket_id in ids:
        assert [each[0] for each in await events(own_sql, ticket_id)] == [2]


async def test_what_is_due_is_found_by_an_index_range(own_sql: asyncpg.Connection) -> None:
    await own_sql.execute("SET session_replication_role = replica")
    await own_sql.execute(
        "INSERT INTO reminders (ticket_id, principal_id, remind_at, reminded_at)"
        " SELECT n, 'key:a', now() + (n - 20) * interval '1 minute', CASE WHEN n % 2 = 0 THEN now() END"
        " FROM generate_series(1, 20000) AS n"
    )
    await own_sql.execute("VACUUM ANALYZE reminders")
    for mode in ("force_custom_plan", "force_generic_plan"):
        await own_sql.execute(f"SET plan_cache_mode = {mode}")
        await own_sql.execute(f"PREPARE due AS {DUE.sql}")
        given = {"failed": "'{7}'", "limit": "100"}
        explained = await own_sql.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE due({', '.join(given[name] for name in DUE.names)})"
        )
        await own_sql.execute("DEALLOCATE due")
        (scan,) = json.loads(explained)[0]["Plan"]["Plans"][-1:]
        assert (scan["Index Name"], scan["Actual Rows"]) == ("ix_reminders_remind_at", 9)
        assert scan["Rows Removed by Filter"] == 1
