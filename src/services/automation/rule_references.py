"""Checks what a rule refers to when an admin writes it: groups, assignees, custom fields and their values."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, bindparam, select

from core.errors import Fault, InvalidFields, InvalidReference
from db.postgres.session import Session
from db.postgres.statements import Statement
from models import FieldType
from schemas.rules import RuleActions, RuleMatch
from services.automation.rule_definitions import References, read_references
from services.directory.statements import groups
from services.fields.definitions import FieldSet, read_all
from services.fields.values import changed_values, filter_text

_NO_GROUP: Final = "must be the id of an active group"
_NO_ASSIGNEE: Final = "must be the id of an active agent or admin"
_WITH_OPTIONS: Final = (FieldType.SELECT, FieldType.MULTISELECT)
_KNOWN_GROUPS: Final = Statement(
    select(groups.c.id).where(groups.c.id == bindparam("ids", type_=ARRAY(BigInteger)).any_())
)

Step = str | int


async def ensure_match(connection: Session, match: RuleMatch, *steps: Step) -> None:
    """Raise InvalidReference for a condition that no ticket can meet, because what it names does not exist.

    `steps` lead to the conditions in the request.
    """
    faults: list[Fault] = []
    if match.group_id:
        known = {row.id for row in await connection.rows(_KNOWN_GROUPS, ids=match.group_id)}
        faults += [
            Fault("must be the id of a group", *steps, "group_id", index)
            for index, group_id in enumerate(match.group_id)
            if group_id not in known
        ]
    if match.custom:
        faults += _wrong_values(match, await read_all(connection), steps)
    if faults:
        raise InvalidReference(*faults)


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
    faults = [
        Fault("must not be null: a rule removes no values", *steps, "custom", key)
        for key, value in custom.items()
        if value is None
    ]
    try:
        changed_values(fields, custom, is_requester=False)
    except InvalidFields as error:
        # Their first step is the body.
        faults += [Fault(fault.detail, *steps, *fault.steps[1:]) for fault in error.faults]
    if faults:
        raise InvalidFields(*faults)


def _wrong_values(match: RuleMatch, fields: FieldSet, steps: tuple[Step, ...]) -> Iterator[Fault]:
    for key, texts in match.custom.items():
        field = fields.get(key)
        if field is None:
            yield Fault("no custom field has this key", *steps, "custom", key)
            continue
        for index, text in enumerate(texts):
            if field.type in _WITH_OPTIONS and text not in field.options:
                yield Fault("must be one of the options of the field", *steps, "custom", key, index)
                continue
            try:
                filter_text(field, text)
            except InvalidFields as error:
                yield Fault(error.faults[0].detail, *steps, "custom", key, index)
