"""The inputs of the conditions that policies and rules have: which tickets they are for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from desk.admin.inputs import Input, InputKind, Values, id_or_text
from desk.admin.options import PRIORITIES, STATUSES, group_options
from desk.desk_request import DeskRequest
from desk.languages import N_
from schemas.matching import TicketMatch

PREFIX: Final = "match_"
_ONE_A_LINE: Final = N_("One on each line.")


async def condition_inputs(asked: DeskRequest, *, is_rule: bool) -> Sequence[Input]:
    """Return the inputs of conditions; rules have two more."""
    more = (
        Input(f"{PREFIX}status", N_("Only with one of these statuses"), InputKind.CHECKS, STATUSES),
        Input(f"{PREFIX}words", N_("Only with all of these words"), InputKind.TEXTAREA, hint=_ONE_A_LINE),
    )
    return (
        Input(f"{PREFIX}priority", N_("Only with one of these priorities"), InputKind.CHECKS, PRIORITIES),
        Input(
            f"{PREFIX}group_id",
            N_("Only of one of these groups"),
            InputKind.CHECKS,
            await group_options(asked),
            are_names=True,
        ),
        Input(f"{PREFIX}tag", N_("Only with one of these tags"), InputKind.TEXTAREA, hint=_ONE_A_LINE),
        Input(
            f"{PREFIX}domain",
            N_("Only of requesters of one of these domains"),
            InputKind.TEXTAREA,
            hint=N_("One on each line, such as example.com."),
        ),
        Input(
            f"{PREFIX}custom",
            N_("Only with one of these values of a custom field"),
            InputKind.TEXTAREA,
            hint=N_("One on each line: the key of the field, an equals sign, and the value."),
        ),
        *(more if is_rule else ()),
    )


def shown_conditions(match: TicketMatch) -> dict[str, Any]:
    """Return stored conditions as their inputs show them."""
    stored = match.model_dump(mode="json")
    shown: dict[str, Any] = {name: "\n".join(stored[name]) for name in ("tag", "domain", "words") if name in stored} | {
        name: stored[name] for name in ("priority", "group_id", "status") if name in stored
    }
    shown["custom"] = "\n".join(f"{key} = {value}" for key, values in stored["custom"].items() for value in values)
    return {f"{PREFIX}{name}": value for name, value in shown.items()}


def sent_conditions(values: Values) -> dict[str, Any]:
    """Return the conditions of a form, without empty ones."""
    custom: dict[str, list[str]] = {}
    for key, value in values.pairs(f"{PREFIX}custom"):
        custom.setdefault(key, []).append(value)
    sent: dict[str, Any] = {name: values.lines(f"{PREFIX}{name}") for name in ("domain", "words")}
    sent |= {name: values.get(f"{PREFIX}{name}", []) for name in ("priority", "status")}
    sent["tag"] = [tag.lower() for tag in values.lines(f"{PREFIX}tag")]
    sent["group_id"] = [id_or_text(value) for value in values.get(f"{PREFIX}group_id", [])]
    return {name: value for name, value in (sent | {"custom": custom}).items() if value}


def in_members(inputs: Iterable[Input]) -> Mapping[str, str]:
    """Return the member of a patch that each condition belongs to."""
    return {each.name: "match" for each in inputs if each.name.startswith(PREFIX)}
