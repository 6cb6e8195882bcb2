"""API keys."""

from collections.abc import Sequence
from typing import Any

from fastapi import Response
from starlette.exceptions import HTTPException

from desk.admin.area import Act, Area, Listing, Row, Stored, new_of
from desk.admin.inputs import Input, InputKind, Values
from desk.admin.options import ROLES, SCOPES
from desk.admin.services import admin_services
from desk.desk_request import DeskRequest
from desk.forms import Form
from desk.languages import N_
from desk.list_query import begin_of_day
from desk.validation import validated
from schemas.keys import ApiKey, ApiKeyCreate
from schemas.lists import Paging


class KeyArea(Area):
    """API keys. A key never changes; it is revoked, and stays listed."""

    slug = "keys"
    title = N_("API keys")
    about = N_("The credentials of programs: service accounts, and programs that act as a person.")
    new = N_("New API key")
    is_changeable = False

    async def listing(self, asked: DeskRequest) -> Listing:
        """Return a page of keys in the order of their creation."""
        paging = validated(Paging, "query", cursor=asked.request.query_params.get("cursor"))
        page = await admin_services(asked).keys.page(paging, asked.principal)
        rows = [
            Row(each.id, (each.id, each.name, _role(asked, each), _state(asked, each), _last_use(asked, each)))
            for each in page.items
        ]
        return Listing((N_("Id"), N_("Name"), N_("Role"), N_("State"), N_("Last use")), rows, page.next_cursor)

    async def inputs(self, asked: DeskRequest, *, is_new: bool) -> Sequence[Input]:
        """Return the inputs of a new key."""
        staff = await asked.services.staff.current()
        people = [(each.id, each.name) for each in staff.members.values() if each.is_person and each.is_assignable]
        return (
            Input("principal_id", N_("Acts as this person"), InputKind.SELECT, [("", "–"), *people], are_names=True),
            Input("name", N_("Or as a service account with the name"), max_length=100),
            Input("role", N_("Role of the service account"), InputKind.SELECT, [("", "–"), *ROLES]),
            Input("email", N_("Email address of a requester"), InputKind.EMAIL, max_length=254),
            Input(
                "scopes",
                N_("Restricted to these scopes"),
                InputKind.CHECKS,
                SCOPES,
                hint=N_("None: everything that the role permits."),
                are_names=True,
            ),
            Input("expires_at", N_("Valid until the day before"), InputKind.DATE, hint=N_("Empty: for ever.")),
        )

    async def stored(self, asked: DeskRequest, key: str) -> Stored:
        """Return a key."""
        found = await admin_services(asked).keys.find(key, asked.principal)
        facts = [
            (N_("Acts as"), found.principal_id),
            (N_("Role"), _role(asked, found)),
            (N_("Email address"), found.email or ""),
            (N_("Scopes"), ", ".join(found.scopes or ())),
            (N_("State"), _state(asked, found)),
            (N_("Created"), asked.clock.show(found.created_at).full),
            (N_("Last use"), _last_use(asked, found)),
        ]
        revoke = Act(
            "revoke", N_("Revoke"), N_("Every process refuses the key within 10 seconds. There is no way back.")
        )
        acts = [revoke] if found.revoked_at is None else []
        return Stored(f"{found.name} {found.id}", Values(), facts=[fact for fact in facts if fact[1]], acts=acts)

    async def create(self, asked: DeskRequest, values: Values) -> Response | None:
        """Create a key, and return the page that shows its secret once."""
        new = new_of(ApiKeyCreate, _body(asked, values))
        created = await admin_services(asked).keys.create(new, asked.principal)
        context = {"secret": created.secret, "title": N_("New API key"), "back": f"desk/admin/keys/{created.id}"}
        return asked.page("admin/secret.html", context)

    async def act(self, asked: DeskRequest, key: str, name: str, form: Form) -> Response | None:
        """Revoke a key."""
        if name != "revoke":
            raise HTTPException(404)
        await admin_services(asked).keys.revoke(key, asked.principal)
        return None


def _body(asked: DeskRequest, values: Values) -> dict[str, Any]:
    names = ("principal_id", "name", "role", "email")
    return {name: values.text_or_none(name) for name in names} | {
        "scopes": values.get("scopes") or None,
        "expires_at": begin_of_day(values.text("expires_at"), asked.viewer.zone) if values.text("expires_at") else None,
    }


def _role(asked: DeskRequest, key: ApiKey) -> str:
    return asked.text(dict(ROLES)[key.role])


def _state(asked: DeskRequest, key: ApiKey) -> str:
    if key.revoked_at is not None:
        return asked.text(N_("revoked"))
    if key.expires_at is None:
        return asked.text(N_("valid"))
    return asked.text(N_("valid until %s")) % asked.clock.show(key.expires_at).full


def _last_use(asked: DeskRequest, key: ApiKey) -> str:
    return "" if key.last_used_at is None else asked.clock.show(key.last_used_at).full
