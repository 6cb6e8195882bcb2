"""The last key of the last admin stays, and the first key ends the access without credentials at once."""

import asyncio

import httpx2

from db.postgres.database import Database
from models import Role
from services.access.api_keys import ApiKeys
from support.factories import NewDatabase, running, settings_for


async def test_the_last_key_of_the_last_admin_is_not_revoked(
    migrated_database: NewDatabase, redis_address: tuple[str, int]
) -> None:
    async with migrated_database() as dsn:
        database = Database(dsn, pool_size=1)
        keys = [(await ApiKeys(database).create(name, Role.ADMIN))[0] for name in ("one", "two")]
        await database.close()
        async with running(settings_for(dsn, *redis_address, allow_anonymous=False)) as (_, client):
            headers = {"Authorization": f"Bearer {keys[0]}"}
            responses = await asyncio.gather(*(client.delete(f"/keys/{key.id}", headers=headers) for key in keys))
            assert sorted(response.status_code for response in responses) == [200, 409]
            refused = max(responses, key=lambda response: response.status_code)
            assert refused.json()["type"] == "/problems/last-admin"


async def test_the_first_key_ends_the_access_without_credentials(
    migrated_database: NewDatabase, redis_address: tuple[str, int]
) -> None:
    async with (
        migrated_database() as dsn,
        running(settings_for(dsn, *redis_address, allow_anonymous=False)) as running_,
    ):
        app, _ = running_
        transport = httpx2.ASGITransport(app=app, client=("127.0.0.1", 5000))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as local:
            assert (await local.get("/me")).json()["role"] == "admin"
            assert (await local.post("/keys", json={"name": "first", "role": "admin"})).status_code == 201
            assert (await local.get("/me")).status_code == 401
