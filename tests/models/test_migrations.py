import asyncio
import os
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from core.settings import ROOT, async_dsn
from db.postgres.database import Database
from db.postgres.migrations import alembic_config
from models import (
    Audience,
    Base,
    DeliveryReason,
    DeliveryState,
    EventType,
    PrincipalKind,
    ReplayState,
    Role,
    RoleSource,
    Scope,
    SystemEventType,
    TicketStatus,
    WebhookDetail,
    WebhookState,
)
from services.events.publisher import EventPublisher
from services.tickets.commit_signal import CommitSignal
from services.tickets.ticket_status import TRANSITIONS
from support.factories import a_comment, a_ticket, migrate_to_head, new_database, open_ticket, running, settings_for

SYSTEM_EVENTS_BEFORE = "e9c3a05d7f18"
OBJECTS = """
    SELECT relname AS name, relkind::text AS kind FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT proname, pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prokind <> 'a'
    UNION ALL SELECT aggfnoid::regproc::text, aggtransfn::text FROM pg_aggregate
        JOIN pg_proc ON pg_proc.oid = aggfnoid AND pronamespace = 'public'::regnamespace
    ORDER BY 1, 2
"""


@pytest.fixture(scope="module")
async def migrated_by_hand(postgres_dsn: str) -> AsyncIterator[str]:
    async with new_database(postgres_dsn) as dsn:
        yield dsn


async def test_upgrade_downgrade_and_upgrade_end_in_the_same_schema(postgres_dsn: str) -> None:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        first = await objects(dsn)
        await asyncio.to_thread(command.downgrade, alembic_config(async_dsn(dsn)), "base")
        assert all(row["name"].startswith("alembic_version") for row in await objects(dsn))
        await migrate_to_head(dsn)
        assert await objects(dsn) == first


async def test_the_migrations_build_what_the_models_declare(database_dsn: str) -> None:
    await asyncio.to_thread(command.check, alembic_config(async_dsn(database_dsn)))


async def test_a_running_service_works_on_after_a_column_is_added(
    postgres_dsn: str, redis_address: tuple[str, int]
) -> None:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        async with running(settings_for(dsn, *redis_address)) as (_, client):
            ticket = await open_ticket(client)
            path = f"/tickets/{ticket['id']}"
            for _ in range(2):
                responses = [
                    await client.post("/tickets", json=a_ticket()),
                    await client.patch(path, json={"subject": secrets.token_hex(4)}),
                    await client.post(f"{path}/comments", json=a_comment()),
                    await client.get(path, headers={"Cache-Control": "no-cache"}),
                    await client.get("/tickets"),
                    await client.get(f"{path}/comments"),
                ]
                assert [response.status_code for response in responses] == [201, 200, 201, 200, 200, 200]
                connection = await asyncpg.connect(dsn)
                for table in ("tickets", "comments", "ticket_events"):
                    await connection.execute(f"ALTER TABLE {table} ADD COLUMN added_{secrets.token_hex(2)} text")
                await connection.close()


async def test_several_processes_may_migrate_at_once(postgres_dsn: str) -> None:
    async with new_database(postgres_dsn) as dsn:
        # Each in a process of its own, like the instances of the service: Alembic keeps its context in a module.
        program = f"from db.postgres.migrations import migrate; migrate({async_dsn(dsn)!r})"
        started = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", program, env={"PYTHONPATH": str(ROOT / "src")})
            for _ in range(3)
        ]
        assert [await process.wait() for process in started] == [0, 0, 0]


async def test_the_check_constraints_equal_those_of_the_models(postgres_dsn: str, sql: asyncpg.Connection) -> None:
    checks = """
        SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
        WHERE contype = 'c' AND connamespace = 'public'::regnamespace ORDER BY conname
    """
    async with new_database(postgres_dsn) as dsn:
        engine = create_async_engine(async_dsn(dsn))
        async with engine.begin() as connection:
            # An index of the models uses it; the migrations have its real body.
            await connection.exec_driver_sql(
                "CREATE FUNCTION email_key(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN $1"
            )
            await connection.run_sync(Base.metadata.create_all)
            declared = [tuple(row) for row in await connection.exec_driver_sql(checks)]
        await engine.dispose()
    assert declared
    assert [tuple(row) for row in await sql.fetch(checks)] == declared


async def test_the_check_constraints_hold_the_enums(sql: asyncpg.Connection) -> None:
    for constraint, enum in (
        ("ck_tickets_status", TicketStatus),
        ("ck_ticket_events_type", EventType),
        ("ck_system_events_type", SystemEventType),
        ("ck_ticket_events_audience", Audience),
        ("ck_principals_kind", PrincipalKind),
        ("ck_principals_role", Role),
        ("ck_principals_role_source", RoleSource),
        ("ck_api_keys_scopes", Scope),
        ("ck_webhook_endpoints_detail", WebhookDetail),
        ("ck_webhook_endpoints_state", WebhookState),
        ("ck_webhook_deliveries_reason", DeliveryReason),
        ("ck_webhook_deliveries_state", DeliveryState),
        ("ck_webhook_replays_state", ReplayState),
    ):
        definition = await sql.fetchval(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1", constraint
        )
        assert set(re.findall(r"'(\w+)'", definition)) == {str(value) for value in enum}


async def test_the_trigger_on_tickets_allows_the_transitions_of_the_status_machine(sql: asyncpg.Connection) -> None:
    guard = await sql.fetchval("SELECT prosrc FROM pg_proc WHERE proname = 'tickets_guard'")
    transitions = {(str(source), str(target)) for source, targets in TRANSITIONS.items() for target in targets}
    assert set(re.findall(r"\('(\w+)', '(\w+)'\)", guard)) == transitions


def test_the_command_line_works_as_documented(migrated_by_hand: str) -> None:
    for arguments in ("upgrade head", "check", "downgrade -1", "upgrade head"):
        done = subprocess.run(
            [Path(sys.executable).with_name("alembic"), "-c", "./models/alembic.ini", *arguments.split()],
            cwd=ROOT / "src",
            env={"DATABASE_DSN": migrated_by_hand, "ENV_FILE": os.devnull},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_the_migrations_have_one_head_and_dated_file_names() -> None:
    scripts = ScriptDirectory.from_config(alembic_config("unused"))
    assert len(scripts.get_heads()) == 1
    for revision in scripts.walk_revisions():
        assert re.search(r"/\d{4}-\d\d-\d\d-\d{4}_[a-z0-9_]+\.py$", revision.path)


async def objects(dsn: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(OBJECTS))
    finally:
        await connection.close()


async def test_system_events_after_a_downgrade_have_new_numbers(postgres_dsn: str) -> None:
    insert = "INSERT INTO system_events (type, data, actor) VALUES ('webhook_disabled', '{}', 'test')"
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        database = Database(async_dsn(dsn), pool_size=1)
        publisher = EventPublisher(database, CommitSignal())
        sql = await asyncpg.connect(dsn)
        for _ in range(2):
            await sql.execute(insert)
            assert (await publisher.publish_round()).published == 1
            await database.close()
            await asyncio.to_thread(command.downgrade, alembic_config(async_dsn(dsn)), SYSTEM_EVENTS_BEFORE)
            await migrate_to_head(dsn)
            database = Database(async_dsn(dsn), pool_size=1)
            publisher = EventPublisher(database, CommitSignal())
        assert [row["version"] for row in await sql.fetch("SELECT version FROM event_log ORDER BY position")] == [1, 2]
        await sql.close()
        await database.close()
