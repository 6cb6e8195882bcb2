"""The rules, as admins manage them."""

from collections.abc import Mapping, Set
from typing import Any, Final

from core.errors import AlreadyExists, RuleNotFound, TooManyRules, VersionMismatch
from db.postgres.database import Database
from db.postgres.failures import raised_for_duplicates
from db.postgres.session import Session
from db.postgres.statements import Row
from models import Scope
from schemas.rules import Rule, RuleActions, RuleCreate, RuleList, RuleMatch, RulePatch
from services.access.principal import Principal
from services.automation import rule_statements as sql
from services.automation.match_references import checked_match
from services.automation.rule_definitions import actions_of
from services.automation.rule_references import ensure_actions
from services.definitions import CachedDefinitions

MAX_RULES: Final = 20

_MEMBERS: Final = (*sql.SETTINGS, "match", "actions")


class RuleService:
    """Reads and writes rules. Agents and admins read, admins write.

    Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and DeadlineExceeded; those that write also
    raise OutcomeUnknown. A change takes effect in all processes within two seconds.
    """

    def __init__(self, database: Database, definitions: CachedDefinitions[Any]) -> None:
        self._database = database
        self._definitions = definitions

    async def all(self, principal: Principal) -> RuleList:
        """Return all rules in the order in which they apply."""
        _require_reader(principal)
        async with self._database.reading() as connection:
            return RuleList(items=[_rule_of(row) for row in await connection.rows(sql.ALL)])

    async def find(self, rule_id: int, principal: Principal) -> Rule:
        """Return a rule. Raises RuleNotFound."""
        _require_reader(principal)
        async with self._database.reading() as connection:
            return await _found(connection, rule_id)

    async def create(self, new: RuleCreate, principal: Principal) -> Rule:
        """Create a rule. Raises AlreadyExists, InvalidReference, InvalidFields, TooManyRules."""
        principal.require_admin()
        values = {name: getattr(new, name) for name in _MEMBERS}
        with raised_for_duplicates(sql.UNIQUE_NAME, lambda: AlreadyExists("name")):
            async with self._database.transaction() as connection:
                await connection.run(sql.LOCK)
                existing = await connection.one(sql.COUNT)
                if existing.rules >= MAX_RULES:
                    raise TooManyRules
                values |= await _checked(connection, values)
                if new.position is None:
                    values["position"] = existing.next_position
                row = await connection.one(sql.CREATE, **_stored(values))
        self._definitions.forget()
        return _rule_of(row)

    async def change(
        self, rule_id: int, patch: RulePatch, principal: Principal, *, expected: Set[int] | None = None
    ) -> Rule:
        """Change a rule; without any difference makes no version.

        Raises RuleNotFound, VersionMismatch, AlreadyExists, InvalidReference, InvalidFields.
        """
        principal.require_admin()
        changes = {name: getattr(patch, name) for name in patch.model_fields_set}
        with raised_for_duplicates(sql.UNIQUE_NAME, lambda: AlreadyExists("name")):
            async with self._database.transaction() as connection:
                before = await _locked(connection, rule_id, expected)
                after = await _saved(connection, before, changes)
        self._definitions.forget()
        return after

    async def delete(self, rule_id: int, principal: Principal, *, expected: Set[int] | None = None) -> Rule:
        """Delete a rule, and return it as it was. Raises RuleNotFound, VersionMismatch."""
        principal.require_admin()
        async with self._database.transaction() as connection:
            rule = await _locked(connection, rule_id, expected)
            await connection.run(sql.DELETE, id=rule_id)
        self._definitions.forget()
        return rule


def _require_reader(principal: Principal) -> None:
    principal.require_staff()
    principal.require(Scope.READ)


async def _locked(connection: Session, rule_id: int, expected: Set[int] | None) -> Rule:
    await connection.run(sql.LOCK)
    rule = await _found(connection, rule_id)
    if expected is not None and rule.version not in expected:
        raise VersionMismatch(rule.version)
    return rule


async def _found(connection: Session, rule_id: int) -> Rule:
    row = await connection.one_or_none(sql.FIND, id=rule_id)
    if row is None:
        raise RuleNotFound(str(rule_id))
    return _rule_of(row)


async def _checked(connection: Session, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values in the form in which they are stored."""
    checked = dict(values)
    if "match" in values:
        checked["match"] = await checked_match(connection, values["match"], "body", "match")
    if "actions" in values:
        await ensure_actions(connection, values["actions"], "body", "actions")
    return checked


async def _saved(connection: Session, before: Rule, changes: Mapping[str, Any]) -> Rule:
    present = {name: getattr(before, name) for name in _MEMBERS}
    if _stored(present | dict(changes)) == _stored(present):  # also if what it refers to does not exist any more
        return before
    stored = _stored(present | await _checked(connection, changes))
    if stored == _stored(present):
        return before
    return _rule_of(await connection.one(sql.SAVE, id=before.id, **stored))


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as parameters: conditions and actions as JSON, without the members at their defaults."""
    match: RuleMatch = values["match"]
    actions: RuleActions = values["actions"]
    return {
        "name": values["name"],
        "position": values["position"],
        "active": values["active"],
        "events": list(dict.fromkeys(values["events"])),
        "match_json": match.model_dump_json(exclude_defaults=True),
        "actions_json": actions.model_dump_json(exclude_defaults=True, by_alias=True),
    }


def _rule_of(row: Row) -> Rule:
    match = RuleMatch.model_validate_json(row.match)
    return Rule.model_validate({**row, "match": match, "actions": actions_of(row)})
