"""People: who may sign in, and as what."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import Response
from starlette.exceptions import HTTPException

from desk.admin.area import Act, Area, Change, Listing, Row, Stored, members_of, new_of
from desk.admin.inputs import Input, InputKind, Values, as_values
from desk.admin.options import ROLES, staff_options
from desk.admin.services import admin_services
from desk.desk_request import DeskRequest
from desk.forms import Form
from desk.languages import N_
from desk.validation import validated
from models import Role
from schemas.hand_over import HandOver
from schemas.people import PeopleQuery, PersonCreate, PersonPatch

_INPUTS: Final = (
    Input("name", N_("Name"), is_required=True, max_length=100),
    Input("email", N_("Email address"), InputKind.EMAIL, is_required=True, max_length=254),
    Input("role", N_("Role"), InputKind.SELECT, ROLES[:3]),
    Input("zone", N_("Time zone"), hint=N_("A name of the IANA database, such as Europe/Berlin.")),
    Input("language", N_("Language"), hint=N_("A tag such as en or ru.")),
)
_ACTIVE: Final = Input("active", N_("Active: may sign in"), InputKind.CHECKBOX)


class PeopleArea(Area):
    """People. They are never deleted, because the history names them."""

    slug = "people"
    title = N_("People")
    about = N_("Agents, admins and requesters who sign in: their roles, languages and time zones.")
    new = N_("New person")

    async def listing(self, asked: DeskRequest) -> Listing:
        """Return a page of people in the order of their creation."""
        given = {name: value for name, value in asked.request.query_params.items() if name in {"q", "cursor"} and value}
        page = await admin_services(asked).people.page(validated(PeopleQuery, "query", **given), asked.principal)
        roles = {value: asked.text(word) for value, word in ROLES}
        rows = [
            Row(
                each.id,
                (each.name, each.email or "", roles[each.role], asked.text(N_("yes") if each.active else N_("no"))),
            )
            for each in page.items
        ]
        columns = (N_("Name"), N_("Email address"), N_("Role"), N_("Active"))
        return Listing(columns, rows, page.next_cursor, searches=N_("Beginning of the name or address"))

    async def inputs(self, asked: DeskRequest, *, is_new: bool) -> Sequence[Input]:
        """Return the inputs of a person."""
        return _INPUTS if is_new else (*_INPUTS, _ACTIVE)

    async def new_values(self, asked: DeskRequest) -> Values:
        """Return the usual values."""
        return as_values({"role": Role.AGENT, "zone": "UTC", "language": "en"})

    async def stored(self, asked: DeskRequest, key: str) -> Stored:
        """Return a person."""
        person = await admin_services(asked).people.find(key, asked.principal)
        others = [option for option in await staff_options(asked) if option[0] != person.id]
        hand_over = Act(
            "hand-over",
            N_("Hand over"),
            N_("Give all tickets of this person that are not closed to somebody else:"),
            [Input("to", N_("New assignee"), InputKind.SELECT, [("", "–"), *others], are_names=True)],
        )
        facts = [(N_("Id"), person.id), (N_("Created"), asked.clock.show(person.created_at).full)]
        return Stored(person.name, as_values(person.model_dump()), person.version, facts, [hand_over])

    async def create(self, asked: DeskRequest, values: Values) -> Response | None:
        """Create a person."""
        await admin_services(asked).people.create(new_of(PersonCreate, _body(values)), asked.principal)
        return None

    async def change(self, asked: DeskRequest, key: str, change: Change) -> None:
        """Change a person."""
        body = _body(change.values) | {"active": change.values.flag("active")}
        patch = validated(PersonPatch, **members_of(body, change.names, {}))
        await admin_services(asked).people.change(key, patch, asked.principal, expected=change.expected)

    async def act(self, asked: DeskRequest, key: str, name: str, form: Form) -> Response | None:
        """Hand the tickets of a person over."""
        if name != "hand-over":
            raise HTTPException(404)
        to = validated(HandOver, assignee_id=form.text("to") or None)
        await admin_services(asked).hand_overs.hand_over(key, to, asked.principal)
        return None


def _body(values: Values) -> dict[str, Any]:
    names = ("name", "email", "role", "zone", "language")
    return {name: values.text(name) for name in names}
