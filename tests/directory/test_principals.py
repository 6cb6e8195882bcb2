"""Principals: the caller, and the names behind the actors of events."""

import secrets

import asyncpg

from directory.conftest import ALICE, Directory, problem
from support.factories import a_comment, a_ticket


async def add_event(sql: asyncpg.Connection, ticket_id: int, actor: str, audience: str) -> None:
    await sql.execute(
        "INSERT INTO ticket_events (ticket_id, version, type, actor, audience) VALUES ($1, 1000, 'changed', $2, $3)",
        *(ticket_id, actor, audience),
    )


async def test_the_caller_learns_who_it_is(directory: Directory) -> None:
    person = await directory.person(zone="Asia/Tokyo", language="ja")
    group = await directory.created("/groups", {"name": secrets.token_hex(6), "members": [person["id"]]})
    closed = await directory.created("/groups", {"name": secrets.token_hex(6), "members": [person["id"]]})
    await directory.admin.patch(f"/groups/{closed['id']}", json={"active": False})
    headers = await directory.as_person(person["id"])
    assert (await directory.admin.get("/me", headers=headers)).json() == {
        **{name: person[name] for name in ("id", "name", "email", "role", "zone", "language")},
        "kind": "person",
        "scopes": None,
        "groups": [{"id": group["id"], "name": group["name"]}],
    }


async def test_a_service_account_is_the_name_of_its_keys(directory: Directory) -> None:
    me = (await directory.requester.get("/me")).json()
    assert (me["id"], me["kind"], me["name"], me["email"], me["role"]) == (
        *("key:requester", "service", "requester"),
        *(ALICE, "requester"),
    )


async def test_the_scopes_of_a_restricted_key_are_listed(directory: Directory) -> None:
    key = await directory.created("/keys", {"name": "restricted", "role": "agent", "scopes": ["comment", "read"]})
    me = await directory.admin.get("/me", headers={"Authorization": f"Bearer {key['secret']}"})
    assert me.json()["scopes"] == ["read", "comment"]


async def test_an_agent_resolves_every_actor(directory: Directory) -> None:
    person = await directory.person()
    await directory.created("/keys", {"name": "a/b c", "role": "agent"})
    names = ("id", "name", "email", "role", "active")
    assert (await directory.agent.get(f"/principals/{person['id']}")).json() == {
        **{name: person[name] for name in names},
        "kind": "person",
    }
    for id_, kind in (("key:a/b c", "service"), ("anonymous", "system")):
        found = (await directory.agent.get(f"/principals/{id_}")).json()
        assert (found["id"], found["kind"], found["email"]) == (id_, kind, None)
    for unknown in ("person:999999", "key:none", "oidc:none", "nonsense"):
        assert problem(await directory.agent.get(f"/principals/{unknown}")) == (404, "principal-not-found")


async def test_a_requester_sees_the_names_of_those_who_wrote_to_them(
    directory: Directory, directory_sql: asyncpg.Connection
) -> None:
    writer, silent, elsewhere, internal = [await directory.person(name=name) for name in ("W", "S", "E", "I")]
    own = (await directory.requester.post("/tickets", json=a_ticket(email=ALICE))).json()["id"]
    foreign = (await directory.agent.post("/tickets", json=a_ticket(email="carol@example.com"))).json()["id"]
    for person, ticket in ((writer, own), (elsewhere, foreign)):
        headers = await directory.as_person(person["id"])
        response = await directory.admin.post(f"/tickets/{ticket}/comments", json=a_comment(), headers=headers)
        assert response.status_code == 201
    await add_event(directory_sql, own, internal["id"], "internal")
    seen = await directory.requester.get(f"/principals/{writer['id']}")
    assert seen.json() == {"id": writer["id"], "kind": "person", "name": "W"}
    for hidden in (silent, elsewhere, internal, {"id": "person:999999"}):
        response = await directory.requester.get(f"/principals/{hidden['id']}")
        assert problem(response) == (404, "principal-not-found")


async def test_the_actor_of_an_earlier_release_leads_to_the_person(
    directory: Directory, directory_sql: asyncpg.Connection
) -> None:
    person = await directory.person(name="Former")
    subject = f"s-{secrets.token_hex(4)}"
    await directory_sql.execute("UPDATE principals SET subject = $2 WHERE id = $1", person["id"], subject)
    own = (await directory.requester.post("/tickets", json=a_ticket(email=ALICE))).json()["id"]
    path = f"/principals/oidc:{subject}"
    assert (await directory.agent.get(path)).json()["id"] == person["id"]
    assert problem(await directory.requester.get(path)) == (404, "principal-not-found")
    await add_event(directory_sql, own, f"oidc:{subject}", "public")
    assert (await directory.requester.get(path)).json() == {"id": person["id"], "kind": "person", "name": "Former"}
