"""A valid call of every operation of the document."""

import secrets

import httpx2

from support.factories import JSON, a_comment, a_ticket

Call = tuple[str, str, JSON | None]


def a_person(**fields: object) -> JSON:
    """Return the body of a new person with an address of their own."""
    address = f"{secrets.token_hex(6)}@example.com"
    return {"name": "Alice Liddell", "email": address, "role": "agent"} | fields


async def calls(client: httpx2.AsyncClient, ticket_id: int, email: str, admin: dict[str, str]) -> dict[str, Call]:
    """Return a call of each operation, which succeeds once: the resources that it names are made here.

    `email` is the requester of the ticket, and `admin` the header of an admin.
    """
    ticket = f"/tickets/{ticket_id}"
    person, group, key = [
        (await created(client, path, body, admin))["id"]
        for path, body in (
            ("/people", a_person()),
            ("/groups", {"name": secrets.token_hex(6)}),
            ("/keys", {"name": secrets.token_hex(6), "role": "agent"}),
        )
    ]
    member = f"/groups/{group}/members/{person}"
    # A principal that wrote on the ticket, so that its requester may see the name.
    await client.post(f"{ticket}/comments", json=a_comment(), headers=admin)
    writer = (await client.get("/me", headers=admin)).json()["id"]
    return {
        "create_ticket": ("POST", "/tickets", a_ticket(email=email)),
        "list_tickets": ("GET", "/tickets", None),
        "get_ticket": ("GET", ticket, None),
        "change_ticket": ("PATCH", ticket, {"subject": "The printer is out"}),
        "list_history": ("GET", f"{ticket}/history", None),
        "create_comment": ("POST", f"{ticket}/comments", a_comment(email=email)),
        "list_comments": ("GET", f"{ticket}/comments", None),
        "get_me": ("GET", "/me", None),
        "get_principal": ("GET", f"/principals/{writer}", None),
        "list_people": ("GET", "/people", None),
        "create_person": ("POST", "/people", a_person()),
        "get_person": ("GET", f"/people/{person}", None),
        "change_person": ("PATCH", f"/people/{person}", {"name": "Alice Hargreaves"}),
        "list_groups": ("GET", "/groups", None),
        "create_group": ("POST", "/groups", {"name": secrets.token_hex(6)}),
        "get_group": ("GET", f"/groups/{group}", None),
        "change_group": ("PATCH", f"/groups/{group}", {"active": False}),
        "add_group_member": ("PUT", member, None),
        "remove_group_member": ("DELETE", member, None),
        "list_keys": ("GET", "/keys", None),
        "create_key": ("POST", "/keys", {"name": secrets.token_hex(6), "role": "agent"}),
        "get_key": ("GET", f"/keys/{key}", None),
        "revoke_key": ("DELETE", f"/keys/{key}", None),
        "get_workflow": ("GET", "/workflow", None),
        "livez": ("GET", "/livez", None),
        "readyz": ("GET", "/readyz", None),
    }


async def created(client: httpx2.AsyncClient, path: str, body: JSON, headers: dict[str, str]) -> JSON:
    """Create a resource and return it."""
    response = await client.post(path, json=body, headers=headers)
    assert response.status_code == 201, response.text
    resource: JSON = response.json()
    return resource
