"""Reads the active rules, for the settings that every new ticket and every change needs.

What a rule refers to may have changed since an admin wrote it. An action is left out if its group or assignee is not
active any more, or if the custom field does not take its value any more.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Text, bindparam, select

from core.errors import InvalidFields
from db.postgres.session import Session
from db.postgres.statements import Row, Statement
from models import Rule, RuleEvent, table_of
from schemas.rules import RuleActions, RuleMatch
from services.access.key_statements import MAY_AUTHENTICATE
from services.automation.rules import NO_RULES, Actions, ActiveRule, RuleBook, comparable
from services.directory.statements import ACTIVE_STAFF, groups, principals
from services.fields.definitions import FieldSet, read_all
from services.fields.values import changed_values

rules: Final = table_of(Rule)
COLUMNS: Final = ("priority", "group_id", "assignee_id")
"""The columns that a rule sets."""

_ACTIVE: Final = Statement(select(*rules.c).where(rules.c.active).order_by(rules.c.position, rules.c.id))
_GROUPS: Final = Statement(
    select(groups.c.id).where(groups.c.id == bindparam("ids", type_=ARRAY(BigInteger)).any_(), groups.c.active)
)
_ASSIGNEES: Final = Statement(
    select(principals.c.id).where(
        principals.c.id == bindparam("ids", type_=ARRAY(Text)).any_(), ACTIVE_STAFF, MAY_AUTHENTICATE
    )
)


class References:
    """What rules may refer to: of the groups and principals that they name the active ones, and the custom fields."""

    def __init__(self, group_ids: Iterable[int], assignee_ids: Iterable[str], fields: FieldSet) -> None:
        self.group_ids = frozenset(group_ids)
        self.assignee_ids = frozenset(assignee_ids)
        self.fields = fields


async def read_rules(connection: Session) -> RuleBook:
    """Return the active rules that are stored now."""
    rows = await connection.rows(_ACTIVE)
    if not rows:
        return NO_RULES
    actions = [actions_of(row) for row in rows]
    references = await read_references(connection, actions)
    return RuleBook(
        [
            active_rule(row.id, row.events, RuleMatch.model_validate_json(row.match), each, references)
            for row, each in zip(rows, actions, strict=True)
        ],
        references.fields.visible_keys,
    )


async def read_references(connection: Session, actions: Sequence[RuleActions]) -> References:
    """Return what rules may refer to, as far as these actions refer to anything."""
    sets = [each.set_values for each in actions if each.set_values is not None]
    group_ids = [each.group_id for each in sets if each.group_id is not None]
    group_ids += [each.assign.group_id for each in actions if each.assign is not None]
    assignee_ids = [each.assignee_id for each in sets if each.assignee_id is not None]
    return References(
        [row.id for row in await connection.rows(_GROUPS, ids=group_ids)] if group_ids else (),
        [row.id for row in await connection.rows(_ASSIGNEES, ids=assignee_ids)] if assignee_ids else (),
        await read_all(connection) if any(each.custom for each in sets) else FieldSet({}),
    )


def active_rule(
    rule_id: int, events: Iterable[str], match: RuleMatch, actions: RuleActions, references: References
) -> ActiveRule:
    """Return a rule in the form in which it applies."""
    words = tuple(comparable(word) for word in match.words)
    return ActiveRule(rule_id, frozenset(map(RuleEvent, events)), match, words, _possible(actions, references))


def actions_of(row: Row) -> RuleActions:
    """Return the actions of a row."""
    return RuleActions.model_validate_json(row.actions)


def _possible(actions: RuleActions, references: References) -> Actions:
    sent = actions.set_values
    values = {name: getattr(sent, name) for name in COLUMNS if getattr(sent, name, None) is not None}
    known: Mapping[str, Any] = {"group_id": references.group_ids, "assignee_id": references.assignee_ids}
    assign = actions.assign
    return Actions(
        {name: value for name, value in values.items() if name not in known or value in known[name]},
        _fitting(sent.custom if sent is not None else {}, references.fields),
        actions.add_tags,
        assign if assign is not None and assign.group_id in references.group_ids else None,
        actions.note,
    )


def _fitting(custom: Mapping[str, Any], fields: FieldSet) -> dict[str, Any]:
    """Return the values that their fields take, in the form in which they are stored."""
    values: dict[str, Any] = {}
    for key, value in custom.items():
        try:
            values |= changed_values(fields, {key: value}, is_requester=False)
        except InvalidFields:
            continue
    return {key: value for key, value in values.items() if value is not None}
