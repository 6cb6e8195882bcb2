"""The set-up: one claim makes the first admin, and closes the door."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from core.rate import Rate
from core.settings import Settings
from db.postgres.database import Database
from services.access.principal import LOCAL_ADMIN
from services.sign_in import set_up_file, tokens
from services.sign_in.set_up import open_set_up
from support.api_calls import a_person
from support.desk_pages import words_of
from support.factories import running
from support.sign_in import PASSWORD, browser_of


async def token_of(settings: Settings) -> str:
    """Return a token of the set-up, as a start of the service makes it."""
    assert settings.database_dsn is not None
    database = Database(settings.database_dsn.get_secret_value(), pool_size=1)
    token = await open_set_up(database, None)
    await database.close()
    assert token is not None
    return token


async def claim(client: httpx2.AsyncClient, token: str, **fields: Any) -> httpx2.Response:
    """Send the form of the set-up."""
    form = {"token": token, "name": "Alice Liddell", "email": "alice@example.com"}
    return await client.post("/set-up", data=form | {"password": PASSWORD, "repeated": PASSWORD} | fields)


@pytest.fixture
def settings(fresh_settings: Settings, tmp_path: Path) -> Settings:
    return fresh_settings.model_copy(update={"data_dir": tmp_path})


async def test_the_claim_makes_an_admin_and_closes_the_door(settings: Settings) -> None:
    token = await token_of(settings)
    set_up_file.write(settings.data_dir, token)
    async with running(settings) as (app, _), browser_of(app) as client, browser_of(app) as stranger:
        assert (await stranger.get("/tickets")).status_code == 200
        assert (await stranger.get("/desk/tickets")).status_code == 200
        assert "Set up the service" in (await client.get("/set-up")).text
        response = await claim(client, token)
        assert (response.status_code, response.headers["Location"]) == (303, "./my")
        assert "Alice Liddell" in words_of((await client.get("/desk/tickets")).text)
        # The JSON API takes no cookie, and no anonymous request any more.
        for each in (client, stranger):
            assert (await each.get("/tickets")).status_code == 401
        assert (await stranger.get("/desk/tickets")).status_code == 303
        assert (await stranger.get("/set-up")).status_code == 404
        assert (await claim(stranger, token)).status_code == 404
    assert not set_up_file.path_in(settings.data_dir).exists()


async def test_the_door_stays_closed_for_later_processes(settings: Settings) -> None:
    token = await token_of(settings)
    async with running(settings) as (app, _), browser_of(app) as client:
        assert (await claim(client, token)).status_code == 303
    async with running(settings) as (app, _), browser_of(app) as client:
        assert (await client.get("/tickets")).status_code == 401
        assert (await client.get("/set-up")).status_code == 404


async def test_another_process_closes_the_door_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.access.api_key_cache.FRESH_FOR_S", 0)
    token = await token_of(settings)
    async with (
        running(settings) as (app, _),
        running(settings) as (other, _),
        browser_of(app) as client,
        browser_of(other) as stranger,
    ):
        assert (await stranger.get("/tickets")).status_code == 200
        assert (await claim(client, token)).status_code == 303
        assert (await stranger.get("/tickets")).status_code == 401


async def test_of_concurrent_claims_exactly_one_wins(settings: Settings) -> None:
    token, other_token = await token_of(settings), await token_of(settings)
    async with running(settings) as (first, _), running(settings) as (second, _):
        apps: list[FastAPI] = [first, second] * 4
        clients = [browser_of(app) for app in apps]
        responses = await asyncio.gather(
            *(
                claim(client, (token, other_token)[number % 3 == 0], email=f"{number}@example.com")
                for number, client in enumerate(clients)
            )
        )
        statuses = sorted(response.status_code for response in responses)
        assert statuses[0] == 303, statuses
        assert set(statuses[1:]) <= {404, 422}
        winner = next(client for client, each in zip(clients, responses, strict=True) if each.status_code == 303)
        assert (await winner.get("/desk/tickets")).status_code == 200
        for client in clients:
            await client.aclose()
    database = Database(settings.database_dsn.get_secret_value() if settings.database_dsn else "", pool_size=1)
    async with database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM principals WHERE kind = 'person'") == 1
        assert await connection.fetchval("SELECT count(*) FROM set_up") == 1
        assert await connection.fetchval("SELECT count(*) FROM sign_in_tokens") == 0
    await database.close()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"token": tokens.new_token()}, "not the set-up code"),
        ({"token": ""}, "not the set-up code"),
        ({"name": " "}, "Enter a name"),
        ({"email": "nobody"}, "valid email address"),
        ({"password": "short", "repeated": "short"}, "12 to 256 characters"),
        ({"repeated": "something else"}, "not the same"),
        ({"password": "alice liddell", "repeated": "alice liddell"}, "must not be your name"),
    ],
)
async def test_a_wrong_form_is_shown_again_and_leaves_the_set_up_open(
    settings: Settings, fields: dict[str, str], said: str
) -> None:
    token = await token_of(settings)
    async with running(settings) as (app, _), browser_of(app) as client:
        refused = await claim(client, **({"token": token} | fields))
        assert (refused.status_code, said in words_of(refused.text)) == (422, True)
        assert PASSWORD not in refused.text
        assert (await claim(client, token)).status_code == 303


async def test_a_person_with_the_address_becomes_the_admin(settings: Settings) -> None:
    token = await token_of(settings)
    async with running(settings) as (app, _), browser_of(app) as client:
        person = (await client.post("/people", json=a_person(email="alice@example.com"))).json()
        assert (await claim(client, token, email="ALICE@example.com")).status_code == 303
        found = await app.state.people.find(person["id"], LOCAL_ADMIN)
        assert (found.role, found.name) == ("admin", "Alice Liddell")


async def test_guesses_of_the_token_are_limited(settings: Settings) -> None:
    limited = settings.model_copy(update={"auth_failure_limit": Rate(3, 60)})
    token = await token_of(settings)
    async with running(limited) as (app, _), browser_of(app) as client:
        statuses = [(await claim(client, tokens.new_token())).status_code for _ in range(4)]
        assert statuses == [422, 422, 422, 429]
        assert (await claim(client, token)).status_code == 429


async def test_the_first_password_of_an_admin_closes_the_set_up(settings: Settings) -> None:
    token = await token_of(settings)
    async with running(settings) as (app, _), browser_of(app) as client:
        for role, expected in (("agent", 200), ("admin", 401)):
            person = (await client.post("/people", json=a_person(role=role))).json()
            await app.state.sign_in.passwords.set(person["id"], PASSWORD)
            app.state.api_key_cache._required_checked_at = float("-inf")  # noqa: SLF001 - instead of waiting 5 s
            assert (await client.get("/tickets")).status_code == expected
        assert (await claim(client, token)).status_code == 404


async def test_the_file_of_the_token_is_for_the_user_of_the_service_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert set_up_file.read(folder) is None
    set_up_file.write(folder, "first")
    set_up_file.write(folder, "second")
    assert set_up_file.read(folder) == "second"
    assert [(path.name, path.stat().st_mode & 0o777) for path in folder.iterdir()] == [("set-up-token", 0o600)]
    set_up_file.remove(folder)
    set_up_file.remove(folder)
    assert list(folder.iterdir()) == []


async def test_a_stored_token_stays_valid_until_the_claim(settings: Settings) -> None:
    assert settings.database_dsn is not None
    database = Database(settings.database_dsn.get_secret_value(), pool_size=1)
    first = await open_set_up(database, None)
    assert first is not None
    assert await open_set_up(database, first) == first
    assert await open_set_up(database, "of another database") not in {None, first}
    await database.close()
