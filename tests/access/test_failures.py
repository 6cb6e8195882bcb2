"""Who fails too often is not heard for a while, and shuts out nobody else."""

import httpx2

from access.conftest import Door
from core.rate import Rate
from models import Role
from services.access.api_key_format import new_key
from support.factories import running


async def test_guessing_is_refused_unheard_and_those_who_are_known_go_on(door: Door) -> None:
    hurried = door.settings.model_copy(update={"auth_failure_limit": Rate(5, 60)})
    good, late = await door.let_in("known", Role.AGENT), await door.let_in("unknown so far", Role.AGENT)
    async with running(hurried) as (app, visitor):
        assert (await visitor.get("/tickets", headers=good)).status_code == 200
        answers = [await visitor.get("/tickets", headers={"Authorization": f"Bearer {new_key()}"}) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
        assert answers[-1].json()["type"] == "/problems/rate-limited"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 12
        assert (await visitor.get("/tickets", headers=good)).status_code == 200
        assert (await visitor.get("/tickets", headers=late)).status_code == 429
        elsewhere = httpx2.ASGITransport(app=app, client=("10.0.0.9", 1))
        async with httpx2.AsyncClient(transport=elsewhere, base_url="http://tickets") as neighbour:
            assert (await neighbour.get("/tickets", headers=late)).status_code == 200


async def test_a_key_that_was_good_once_is_no_guess(door: Door) -> None:
    hurried = door.settings.model_copy(update={"auth_failure_limit": Rate(2, 60)})
    revoked, _ = await door.keys.create("was good", Role.AGENT)
    await door.keys.revoke(revoked.id)
    async with running(hurried) as (_, visitor):
        for _ in range(5):
            answer = await visitor.get("/tickets", headers={"Authorization": f"Bearer {revoked}"})
            assert answer.status_code == 401
        assert (await visitor.get("/tickets", headers=await door.let_in("is good", Role.AGENT))).status_code == 200


async def test_missing_credentials_are_no_failure(door: Door) -> None:
    hurried = door.settings.model_copy(update={"auth_failure_limit": Rate(2, 60)})
    async with running(hurried) as (_, visitor):
        for _ in range(5):
            assert (await visitor.get("/tickets")).status_code == 401
