"""Policies of service levels."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import Response
from starlette.exceptions import HTTPException

from desk.admin.area import Act, Area, Change, Listing, Row, Stored, members_of, new_of
from desk.admin.conditions import condition_inputs, in_members, sent_conditions, shown_conditions
from desk.admin.inputs import Input, InputKind, Values, as_values, id_or_text, in_units
from desk.admin.services import admin_services
from desk.desk_request import DeskRequest
from desk.forms import Form, ticket_number
from desk.languages import N_
from desk.validation import validated
from schemas.sla_policies import Recompute, SlaPolicyCreate, SlaPolicyPatch

_MINUTE_S: Final = 60
_BUDGETS: Final = {
    "first_response_s": N_("First response within so many minutes"),
    "next_response_s": N_("Next response within so many minutes"),
    "resolution_s": N_("Resolution within so many minutes"),
}
_HINT: Final = N_("Working time of the calendar. Empty: no such promise.")
_POSITION: Final = N_("A ticket is under the first active policy that matches it. Empty: after all others.")
_ACTIVE: Final = Input("active", N_("Active: applies to more tickets"), InputKind.CHECKBOX)


class PolicyArea(Area):
    """Policies, in their order. They are never deleted."""

    slug = "policies"
    title = N_("Service levels")
    about = N_("Policies: how fast which tickets are answered and closed.")
    new = N_("New policy")

    async def listing(self, asked: DeskRequest) -> Listing:
        """Return the policies in their order."""
        found = await admin_services(asked).policies.all(asked.principal)
        rows = [
            Row(
                str(each.id),
                (
                    each.name,
                    str(each.position),
                    *(in_units(getattr(each, budget), _MINUTE_S) or "–" for budget in _BUDGETS),
                    asked.text(N_("yes") if each.active else N_("no")),
                ),
            )
            for each in found.items
        ]
        clocks = (N_("First response, min"), N_("Next response, min"), N_("Resolution, min"))
        return Listing((N_("Name"), N_("Position"), *clocks, N_("Active")), rows)

    async def inputs(self, asked: DeskRequest, *, is_new: bool) -> Sequence[Input]:
        """Return the inputs of a policy."""
        calendars = (await admin_services(asked).calendars.all(asked.principal)).items
        options = [(str(each.id), each.name) for each in calendars]
        return (
            Input("name", N_("Name"), is_required=True, max_length=100),
            Input("calendar_id", N_("Calendar"), InputKind.SELECT, options, is_required=True, are_names=True),
            *(Input(name, label, InputKind.NUMBER, hint=_HINT) for name, label in _BUDGETS.items()),
            *await condition_inputs(asked, is_rule=False),
            Input("position", N_("Position"), InputKind.NUMBER, hint=_POSITION),
            *(() if is_new else (_ACTIVE,)),
        )

    async def stored(self, asked: DeskRequest, key: str) -> Stored:
        """Return a policy."""
        policy = await admin_services(asked).policies.find(ticket_number(key), asked.principal)
        budgets = {name: in_units(getattr(policy, name), _MINUTE_S) for name in _BUDGETS}
        others = {name: getattr(policy, name) for name in ("name", "calendar_id", "position", "active")}
        values = as_values(others | budgets | shown_conditions(policy.match))
        about = N_(
            "A change is for tickets that come under the policy later. See what it would be for the present ones:"
        )
        return Stored(policy.name, values, policy.version, acts=[Act("try", N_("Try on present tickets"), about)])

    async def create(self, asked: DeskRequest, values: Values) -> Response | None:
        """Create a policy."""
        await admin_services(asked).policies.create(new_of(SlaPolicyCreate, _body(values)), asked.principal)
        return None

    async def change(self, asked: DeskRequest, key: str, change: Change) -> None:
        """Change a policy."""
        body = _body(change.values) | {"active": change.values.flag("active")}
        members = in_members(await self.inputs(asked, is_new=False))
        patch = validated(SlaPolicyPatch, **members_of(body, change.names, members))
        await admin_services(asked).policies.change(
            ticket_number(key), patch, asked.principal, expected=change.expected
        )

    async def act(self, asked: DeskRequest, key: str, name: str, form: Form) -> Response | None:
        """Recompute the clocks of a batch of tickets, or show what that would change."""
        if name not in {"try", "apply"}:
            raise HTTPException(404)
        after = form.number("after") if form.text("after") else None
        request = Recompute(dry_run=name == "try", after_ticket_id=after)
        result = await admin_services(asked).recomputation.recompute(ticket_number(key), request, asked.principal)
        context = {"result": result, "key": key, "after": after, "is_trial": request.dry_run}
        return asked.page("admin/recomputed.html", context)


def _body(values: Values) -> dict[str, Any]:
    return {
        "name": values.text("name"),
        "calendar_id": id_or_text(values.text("calendar_id")),
        "match": sent_conditions(values),
        "position": values.number("position"),
        **{name: values.number(name, _MINUTE_S) for name in _BUDGETS},
    }
