"""The inputs of what a rule does."""

from collections.abc import Sequence
from typing import Any, Final

from desk.admin.inputs import Input, InputKind, Values, id_or_text
from desk.admin.options import PRIORITIES, group_options, staff_options
from desk.desk_request import DeskRequest
from desk.languages import N_
from desk.ticket_form import custom_value
from models import AssignBy
from schemas.rules import RuleActions

_NOTHING: Final = ("", "–")
_WAYS: Final = (
    (AssignBy.ROUND_ROBIN.value, N_("to each member in turn")),
    (AssignBy.LEAST_LOADED.value, N_("to the member with the fewest tickets")),
)


async def action_inputs(asked: DeskRequest) -> Sequence[Input]:
    """Return the inputs."""
    groups, staff = await group_options(asked), await staff_options(asked)
    select = InputKind.SELECT
    return (
        Input("set_priority", N_("Set the priority"), select, [_NOTHING, *PRIORITIES]),
        Input("set_group_id", N_("Set the group"), select, [_NOTHING, *groups], are_names=True),
        Input("set_assignee_id", N_("Set the assignee"), select, [_NOTHING, *staff], are_names=True),
        Input(
            "set_custom",
            N_("Set custom fields"),
            InputKind.TEXTAREA,
            hint=N_("One on each line: the key of the field, an equals sign, and the value."),
        ),
        Input(
            "assign_group", N_("Assign a ticket without an assignee in"), select, [_NOTHING, *groups], are_names=True
        ),
        Input("assign_by", N_("and there"), select, _WAYS),
        Input("add_tags", N_("Add tags"), InputKind.TEXTAREA, hint=N_("One on each line.")),
        Input("note", N_("Write an internal note"), InputKind.TEXTAREA, max_length=10_000),
    )


def shown_actions(actions: RuleActions) -> dict[str, Any]:
    """Return stored actions as their inputs show them."""
    shown: dict[str, Any] = {"add_tags": "\n".join(actions.add_tags), "note": actions.note}
    shown["assign_by"] = AssignBy.ROUND_ROBIN.value
    if actions.set_values is not None:
        values = actions.set_values
        shown |= {f"set_{name}": getattr(values, name) for name in ("priority", "group_id", "assignee_id")}
        lines = [f"{key} = {one}" for key, value in values.custom.items() for one in _texts(value)]
        shown["set_custom"] = "\n".join(lines)
    if actions.assign is not None:
        shown |= {"assign_group": actions.assign.group_id, "assign_by": actions.assign.by.value}
    return shown


async def sent_actions(asked: DeskRequest, values: Values) -> dict[str, Any]:
    """Return the actions of a form, without empty ones. The service validates them."""
    custom = await _custom(asked, values)
    changes = {
        "priority": values.text_or_none("set_priority"),
        "group_id": _id(values.text("set_group_id")),
        "assignee_id": values.text_or_none("set_assignee_id"),
        "custom": custom or None,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    group_id = _id(values.text("assign_group"))
    assign = None if group_id is None else {"group_id": group_id, "by": values.text("assign_by")}
    tags = [tag.lower() for tag in values.lines("add_tags")]
    sent = {"set": changes, "assign": assign, "add_tags": tags, "note": values.text_or_none("note")}
    return {name: value for name, value in sent.items() if value}


async def _custom(asked: DeskRequest, values: Values) -> dict[str, Any]:
    """Return values of custom fields, of the types that the fields have."""
    fields = {each.key: each for each in (await asked.services.fields.all(asked.principal)).items}
    sent: dict[str, list[str]] = {}
    for key, value in values.pairs("set_custom"):
        sent.setdefault(key, []).append(value)
    return {key: custom_value(fields[key], given) if key in fields else given[0] for key, given in sent.items()}


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [str(each) for each in value]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _id(text: str) -> int | str | None:
    return id_or_text(text) if text else None
