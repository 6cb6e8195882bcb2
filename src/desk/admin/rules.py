"""Rules: what the service does by itself to new and changed tickets."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import Response
from starlette.exceptions import HTTPException

from desk.admin.actions import action_inputs, sent_actions, shown_actions
from desk.admin.area import Act, Area, Change, Listing, Row, Stored, members_of, new_of
from desk.admin.conditions import condition_inputs, in_members, sent_conditions, shown_conditions
from desk.admin.inputs import Input, InputKind, Values, as_values
from desk.admin.services import admin_services
from desk.desk_request import DeskRequest
from desk.forms import Form, ticket_number
from desk.languages import N_
from desk.validation import validated
from models import RuleEvent
from schemas.rule_dry_runs import RuleDryRun
from schemas.rules import RuleCreate, RulePatch

_EVENTS: Final = tuple((event.value, event.value) for event in RuleEvent)
_POSITION: Final = N_("Later rules override earlier ones. Empty: after all others.")


class RuleArea(Area):
    """Rules, in their order."""

    slug = "rules"
    title = N_("Rules")
    about = N_("What is done by itself to new and changed tickets.")
    new = N_("New rule")

    async def listing(self, asked: DeskRequest) -> Listing:
        """Return the rules in the order in which they apply."""
        rows = [
            Row(
                str(each.id),
                (
                    each.name,
                    str(each.position),
                    ", ".join(each.events),
                    asked.text(N_("yes") if each.active else N_("no")),
                ),
            )
            for each in (await admin_services(asked).rules.all(asked.principal)).items
        ]
        return Listing((N_("Name"), N_("Position"), N_("Applies to"), N_("Active")), rows)

    async def inputs(self, asked: DeskRequest, *, is_new: bool) -> Sequence[Input]:
        """Return the inputs of a rule."""
        return (
            Input("name", N_("Name"), is_required=True, max_length=100),
            Input("active", N_("Active"), InputKind.CHECKBOX),
            Input("events", N_("Applies to these events"), InputKind.CHECKS, _EVENTS, are_names=True),
            *await condition_inputs(asked, is_rule=True),
            *await action_inputs(asked),
            Input("position", N_("Position"), InputKind.NUMBER, hint=_POSITION),
        )

    async def new_values(self, asked: DeskRequest) -> Values:
        """Return the usual values."""
        return as_values({"active": True, "events": [RuleEvent.CREATED.value]})

    async def stored(self, asked: DeskRequest, key: str) -> Stored:
        """Return a rule."""
        rule = await admin_services(asked).rules.find(ticket_number(key), asked.principal)
        plain = {name: getattr(rule, name) for name in ("name", "active", "position")}
        plain["events"] = [event.value for event in rule.events]
        values = as_values(plain | shown_conditions(rule.match) | shown_actions(rule.actions))
        acts = [
            Act("try", N_("Try on recent tickets"), N_("Nothing is changed by a trial of the saved rule.")),
            Act("delete", N_("Delete"), N_("The rule is deleted for good. What it did stays.")),
        ]
        return Stored(rule.name, values, rule.version, acts=acts)

    async def create(self, asked: DeskRequest, values: Values) -> Response | None:
        """Create a rule."""
        new = new_of(RuleCreate, await _body(asked, values))
        await admin_services(asked).rules.create(new, asked.principal)
        return None

    async def change(self, asked: DeskRequest, key: str, change: Change) -> None:
        """Change a rule."""
        inputs = await self.inputs(asked, is_new=False)
        actions = {each.name: "actions" for each in await action_inputs(asked)}
        body = members_of(await _body(asked, change.values), change.names, {**in_members(inputs), **actions})
        patch = validated(RulePatch, **body)
        await admin_services(asked).rules.change(ticket_number(key), patch, asked.principal, expected=change.expected)

    async def act(self, asked: DeskRequest, key: str, name: str, form: Form) -> Response | None:
        """Try a rule, or delete it."""
        services, rule_id = admin_services(asked), ticket_number(key)
        if name == "delete":
            await services.rules.delete(rule_id, asked.principal, expected={form.number("version")})
            return asked.redirect("desk/admin/rules")
        if name != "try":
            raise HTTPException(404)
        rule = await services.rules.find(rule_id, asked.principal)
        body = rule.model_dump(mode="json", by_alias=True, include={"name", "events", "match", "actions"})
        trial = validated(RuleDryRun, rule=body)
        result = await services.rule_dry_runs.run(trial, asked.principal)
        return asked.page("admin/rule_tried.html", {"result": result, "rule": rule})


async def _body(asked: DeskRequest, values: Values) -> dict[str, Any]:
    return {
        "name": values.text("name"),
        "active": values.flag("active"),
        "position": values.number("position"),
        "events": values.get("events", []),
        "match": sent_conditions(values),
        "actions": await sent_actions(asked, values),
    }
