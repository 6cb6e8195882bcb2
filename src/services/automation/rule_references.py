"""Checks what the actions of a rule refer to when an admin writes it: groups, assignees, values of custom fields."""

from typing import Any, Final

from core.errors import Fault, InvalidFields, InvalidReference
from db.postgres.session import Session
from schemas.rules import RuleActions
from services.automation.match_references import Step
from services.automation.rule_definitions import References, read_references
from services.fields.definitions import FieldSet
from services.fields.values import changed_values

_NO_GROUP: Final = "must be the id of an active group"
_NO_ASSIGNEE: Final = "must be the id of an active agent or admin"


async def ensure_actions(connection: Session, actions: RuleActions, *steps: Step) -> References:
    """Return what the actions refer to; `steps` lead to them in the request.

    Raises InvalidReference, and InvalidFields for values that do not fit their custom fields.
    """
    references = await read_references(connection, [actions])
    sent = actions.set_values
    faults = [
        Fault(detail, *steps, part, name)
        for part, name, value, known, detail in (
            ("set", "group_id", sent and sent.group_id, references.group_ids, _NO_GROUP),
            ("set", "assignee_id", sent and sent.assignee_id, references.assignee_ids, _NO_ASSIGNEE),
            ("assign", "group_id", actions.assign and actions.assign.group_id, references.group_ids, _NO_GROUP),
        )
        if value is not None and value not in known
    ]
    if faults:
        raise InvalidReference(*faults)
    if sent is not None and sent.custom:
        _ensure_custom(references.fields, sent.custom, (*steps, "set"))
    return references


def _ensure_custom(fields: FieldSet, custom: dict[str, Any], steps: tuple[Step, ...]) -> None:
    try:
        changed_values(fields, custom, is_requester=False)
    except InvalidFields as error:
        # Their first step is the body.
        raise InvalidFields(*(Fault(fault.detail, *steps, *fault.steps[1:]) for fault in error.faults)) from None
