"""The migration that creates the principals gives one to each API key that exists."""

import asyncio

import asyncpg
from alembic import command

from core.settings import async_dsn
from db.postgres.migrations import alembic_config
from support.factories import migrate_to_head, new_database

BEFORE = "b81e4c5d7f02"


async def test_the_keys_of_one_name_get_one_principal_and_stay_valid(postgres_dsn: str) -> None:
    async with new_database(postgres_dsn) as dsn:
        await asyncio.to_thread(command.upgrade, alembic_config(async_dsn(dsn)), BEFORE)
        connection = await asyncpg.connect(dsn)
        for key_id, name, role, email, revoked in (
            ("11111111", "crm", "agent", None, True),
            ("22222222", "crm", "agent", None, False),
            ("33333333", "alice", "requester", "alice@example.com", False),
        ):
            await connection.execute(
                "INSERT INTO api_keys (id, name, role, email, secret_hash, revoked_at) "
                "VALUES ($1, $2, $3, $4, $5, CASE WHEN $6 THEN now() END)",
                *(key_id, name, role, email, bytes(32), revoked),
            )
        await connection.close()
        await migrate_to_head(dsn)
        connection = await asyncpg.connect(dsn)
        principals = await connection.fetch(
            "SELECT id, kind, name, email, role FROM principals WHERE id NOT LIKE 'system:%' ORDER BY id"
        )
        assert [tuple(row) for row in principals] == [
            ("anonymous", "system", "Anonymous", None, "agent"),
            ("key:alice", "service", "alice", "alice@example.com", "requester"),
            ("key:crm", "service", "crm", None, "agent"),
        ]
        keys = await connection.fetch("SELECT principal_id, scopes, revoked_at IS NULL FROM api_keys ORDER BY id")
        assert [tuple(row) for row in keys] == [
            ("key:crm", None, False),
            ("key:crm", None, True),
            ("key:alice", None, True),
        ]
        await connection.close()
