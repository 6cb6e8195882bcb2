"""Spellings of one e-mail address: PostgreSQL compares them, on every path in the same way."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import asyncpg
import pytest
from alembic import command

from access.conftest import GuardedService
from core.errors import KeyNotCreated
from core.settings import async_dsn
from db.postgres.migrations import alembic_config
from models import Role
from support.factories import JSON, a_comment, a_ticket, migrate_to_head, new_database, running, settings_for

DOMAIN = "@example.com"
MIGRATION = "3f58d0c9a7b4"
# The local parts of one address. Python's lower() and that of a database differ for most of them.
SAME = [
    ("Alice", "aLICE"),
    ("ИВАН.Петров", "иван.петров"),
    ("ΝΙΚΟΣ", "νικος"),
    ("ΝΙΚΟΣ", "νικοσ"),
    ("İLKER", "i\u0307lker"),
    ("STRAẞE", "straße"),
    ("\u01c4amija", "\u01c6amija"),
    ("\u13a0\u13a1", "\uab70\uab71"),
    ("\U00010400", "\U00010428"),
    ("H\u0331ans", "\u1e96ans"),
]
# Alike, but not the same: upper() or lower() of some locale would make one of the other.
DIFFERENT = [("İlker", "ilker"), ("ılker", "ilker"), ("ſam", "sam"), ("straße", "strasse"), ("иван", "йван")]
# Of the first planes of Unicode, without the surrogates, which are no characters.
CHARACTERS = "generate_series(1, 200000) AS n WHERE n NOT BETWEEN 55296 AND 57343"


async def requester_headers(service: GuardedService, local: str) -> dict[str, str]:
    return await service.headers_for(f"requester-{secrets.token_hex(4)}", Role.REQUESTER, f"{local}{DOMAIN}")


async def ticket_of(service: GuardedService, agent: dict[str, str], local: str) -> JSON:
    response = await service.client.post("/tickets", json=a_ticket(email=f"{local}{DOMAIN}"), headers=agent)
    assert response.status_code == 201, response.text
    ticket: JSON = response.json()
    return ticket


@pytest.mark.parametrize(("sent", "known"), [*SAME, *(pair[::-1] for pair in SAME)], ids=ascii)
async def test_a_requester_works_under_every_spelling_of_their_address(
    service: GuardedService, agent: dict[str, str], sent: str, known: str
) -> None:
    ticket, requester = await ticket_of(service, agent, sent), await requester_headers(service, known)
    path = f"/tickets/{ticket['id']}"
    assert (await service.client.get(path, headers=requester)).status_code == 200
    assert (await service.client.get(f"{path}/history", headers=requester)).status_code == 200
    for query in ("", "q=printer", "sort=updated_at"):
        listed = (await service.client.get(f"/tickets?{query}", headers=requester)).json()["items"]
        assert ticket["id"] in [item["id"] for item in listed]
    for local in (sent, known):
        filtered = await service.client.get("/tickets", params={"email": f"{local}{DOMAIN}"}, headers=agent)
        assert ticket["id"] in [item["id"] for item in filtered.json()["items"]]
        for place, body in ((f"{path}/comments", a_comment), ("/tickets", a_ticket)):
            response = await service.client.post(place, json=body(email=f"{local}{DOMAIN}"), headers=requester)
            assert response.status_code == 201, response.text


@pytest.mark.parametrize(("sent", "known"), DIFFERENT, ids=ascii)
async def test_similar_addresses_are_different_requesters(
    service: GuardedService, agent: dict[str, str], sent: str, known: str
) -> None:
    ticket, requester = await ticket_of(service, agent, sent), await requester_headers(service, known)
    path = f"/tickets/{ticket['id']}"
    assert (await service.client.get(path, headers=requester)).status_code == 404
    assert ticket["id"] not in [
        item["id"] for item in (await service.client.get("/tickets", headers=requester)).json()["items"]
    ]
    response = await service.client.post("/tickets", json=a_ticket(email=f"{sent}{DOMAIN}"), headers=requester)
    assert response.status_code == 403


@pytest.mark.parametrize(("first", "second"), SAME, ids=ascii)
async def test_the_second_key_of_a_name_may_spell_the_address_differently(
    service: GuardedService, first: str, second: str
) -> None:
    name = f"key-{secrets.token_hex(4)}"
    await service.keys.create(name, Role.REQUESTER, f"{first}{DOMAIN}")
    with pytest.raises(KeyNotCreated):
        await service.keys.create(name, Role.REQUESTER, f"x{second}{DOMAIN}")
    with pytest.raises(KeyNotCreated):
        await service.keys.create(name, Role.AGENT)
    await service.keys.create(name, Role.REQUESTER, f"{second}{DOMAIN}")


@pytest.fixture(scope="module")
async def key_function(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        connection = await asyncpg.connect(dsn)
        yield connection
        await connection.close()


async def test_the_key_does_not_depend_on_the_locale_of_the_database(
    postgres_dsn: str, key_function: asyncpg.Connection
) -> None:
    """Each server has other locales; the key is compared in those that this one has."""
    characters = f"SELECT n, email_key('x' || chr(n)) AS key FROM {CHARACTERS}"
    expected = await key_function.fetch(characters)
    definition = await key_function.fetchval("SELECT pg_get_functiondef('email_key(text)'::regprocedure)")
    server = await asyncpg.connect(postgres_dsn)
    locales = ["LOCALE 'C' LOCALE_PROVIDER libc"]
    available = "SELECT collname FROM pg_collation WHERE collname IN ('tr-x-icu', 'tr_TR.utf8', 'C.utf8', 'en_US.utf8')"
    for row in await server.fetch(available):
        name = row["collname"]
        icu = f"LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE '{name.partition('-')[0]}'"
        locales.append(icu if name.endswith("icu") else f"LOCALE '{name}' LOCALE_PROVIDER libc")
    await server.close()
    for locale in locales:
        async with new_database(postgres_dsn, template="template0", options=locale) as dsn:
            other = await asyncpg.connect(dsn)
            await other.execute(definition)
            assert await other.fetch(characters) == expected, locale
            await other.close()


async def test_the_key_of_a_key_is_the_key_itself(key_function: asyncpg.Connection) -> None:
    keys = f"SELECT n, email_key('x' || chr(n)) AS key FROM {CHARACTERS}"
    assert await key_function.fetch(f"SELECT n FROM ({keys}) AS keys WHERE email_key(key) <> key") == []


async def test_only_a_letter_of_ascii_has_a_key_in_ascii(key_function: asyncpg.Connection) -> None:
    """So no other spelling of `sam` than those in ASCII is the same person; U+212A is by definition a K."""
    found = await key_function.fetch(
        f"SELECT to_hex(n) AS n FROM {CHARACTERS} AND n > 127 AND octet_length(email_key(chr(n))) = 1"
    )
    assert {row["n"] for row in found} == {"212a", "1fef", "37e"}


async def test_a_common_address_has_its_key_within_microseconds(key_function: asyncpg.Connection) -> None:
    keys = "SELECT count(email_key(address || n)) FROM generate_series(1, 10000) AS n, (SELECT $1::text) AS of(address)"
    for address in ("Alice.Miller@example.com", "Иван.Петров@пример.рф"):
        async with asyncio.timeout(2):
            assert await key_function.fetchval(keys, address) == 10_000


async def test_tickets_of_the_release_before_are_compared_by_the_key(
    postgres_dsn: str, redis_address: tuple[str, int]
) -> None:
    """That release creates tickets before, during and after the migration, without knowing the key."""
    create = "INSERT INTO tickets (subject, text, email) VALUES ('earlier', 'text', $1) RETURNING id"
    async with new_database(postgres_dsn) as dsn:
        await migrate_to_head(dsn)
        await asyncio.to_thread(command.downgrade, alembic_config(async_dsn(dsn)), f"{MIGRATION}-1")
        connection = await asyncpg.connect(dsn)
        ids = [await connection.fetchval(create, f"ΝΙΚΟΣ{DOMAIN}")]
        migration = asyncio.create_task(migrate_to_head(dsn))
        while not migration.done():
            ids.append(await connection.fetchval(create, f"ΝΙΚΟΣ{DOMAIN}"))
            await asyncio.sleep(0.01)
        await migration
        ids.append(await connection.fetchval(create, f"ΝΙΚΟΣ{DOMAIN}"))
        await connection.close()
        async with running(settings_for(dsn, *redis_address)) as (_, client):
            listed = (await client.get(f"/tickets?email=νικος{DOMAIN}&sort=id&limit=100")).json()["items"]
            assert len(ids) > 2
            assert [item["id"] for item in listed] == ids[:100]
