"""The limit of failed authentications of an address."""

import httpx2

from access.conftest import GuardedService
from core.rate import Rate
from models import Role
from services.access.api_key_format import new_key
from support.factories import running


async def test_a_blocked_address_may_only_use_recently_verified_keys(service: GuardedService) -> None:
    limited = service.settings.model_copy(update={"auth_failure_limit": Rate(5, 60)})
    verified, unverified = (
        await service.headers_for("known", Role.AGENT),
        await service.headers_for("not used yet", Role.AGENT),
    )
    async with running(limited) as (app, client):
        assert (await client.get("/tickets", headers=verified)).status_code == 200
        responses = [await client.get("/tickets", headers={"Authorization": f"Bearer {new_key()}"}) for _ in range(7)]
        assert [response.status_code for response in responses] == [401] * 5 + [429] * 2
        assert responses[-1].json()["type"] == "/problems/rate-limited"
        assert 1 <= int(responses[-1].headers["Retry-After"]) <= 12
        assert (await client.get("/tickets", headers=verified)).status_code == 200
        assert (await client.get("/tickets", headers=unverified)).status_code == 429
        elsewhere = httpx2.ASGITransport(app=app, client=("10.0.0.9", 1))
        async with httpx2.AsyncClient(transport=elsewhere, base_url="http://tickets") as other_client:
            assert (await other_client.get("/tickets", headers=unverified)).status_code == 200


async def test_a_revoked_key_does_not_count_as_a_failure(service: GuardedService) -> None:
    limited = service.settings.model_copy(update={"auth_failure_limit": Rate(2, 60)})
    revoked, _ = await service.keys.create("revoked", Role.AGENT)
    await service.keys.revoke(revoked.id)
    async with running(limited) as (_, client):
        for _ in range(5):
            response = await client.get("/tickets", headers={"Authorization": f"Bearer {revoked}"})
            assert response.status_code == 401
        assert (await client.get("/tickets", headers=await service.headers_for("live", Role.AGENT))).status_code == 200


async def test_missing_credentials_do_not_count_as_a_failure(service: GuardedService) -> None:
    limited = service.settings.model_copy(update={"auth_failure_limit": Rate(2, 60)})
    async with running(limited) as (_, client):
        for _ in range(5):
            assert (await client.get("/tickets")).status_code == 401
