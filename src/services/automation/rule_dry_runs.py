"""Dry runs: what a rule would do to the tickets that were created last."""

import json
from collections.abc import Mapping
from typing import Any, Final

from db.postgres.database import Database
from db.postgres.statements import Row
from models import RuleEvent, TicketStatus
from schemas.fields import ID_MAX
from schemas.rule_dry_runs import MAX_SHOWN, DryRunChanges, DryRunTicket, RuleDryRun, RuleDryRunResult
from services.access.principal import Principal
from services.automation import rule_statements as sql
from services.automation.match_references import checked_match
from services.automation.rule_definitions import active_rule
from services.automation.rule_references import ensure_actions
from services.automation.rules import ActiveRule, Outcome, TicketState, is_match, outcome_of

# The texts of this many tickets are in memory at once.
BATCH: Final = 50


class RuleDryRuns:
    """Tries rules, for admins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, dry_run: RuleDryRun, principal: Principal) -> RuleDryRunResult:
        """Return what a rule would do, and write nothing.

        Raises Forbidden, InsufficientScope, InvalidReference, InvalidFields, DatabaseUnavailable, DeadlineExceeded.
        """
        principal.require_admin()
        new = dry_run.rule
        result = RuleDryRunResult(examined=0, matched=0, items=[])
        async with self._database.reading() as connection:
            match = await checked_match(connection, new.match, "body", "rule", "match")
            references = await ensure_actions(connection, new.actions, "body", "rule", "actions")
            rule = active_rule(0, new.events, match, new.actions, references)
            before = ID_MAX
            while left := dry_run.tickets - result.examined:
                rows = await connection.rows(sql.RECENT, before=before, limit=min(left, BATCH))
                if not rows:
                    break
                before = rows[-1].id
                _try(rule, rows, result)
        return result


def _try(rule: ActiveRule, rows: list[Row], result: RuleDryRunResult) -> None:
    """Add to the result what the rule does to some tickets."""
    result.examined += len(rows)
    for row in rows:
        state = _state_of(row, rule)
        if not is_match(rule, state):
            continue
        result.matched += 1
        outcome = outcome_of([rule], state)
        if outcome.applied and len(result.items) < MAX_SHOWN:
            result.items.append(DryRunTicket(ticket_id=row.id, changes=_changes(state, outcome)))


def _state_of(row: Row, rule: ActiveRule) -> TicketState:
    """Return the state of a ticket: for a rule for new tickets it is open, as it was."""
    status = TicketStatus.OPEN if RuleEvent.CREATED in rule.events else row.status
    return TicketState(lambda name: status if name == "status" else row[name], lambda: json.loads(row.custom))


def _changes(state: TicketState, outcome: Outcome) -> DryRunChanges:
    changes: dict[str, Any] = {name: _change(state.field(name), value) for name, value in outcome.values.items()}
    changes = {name: change for name, change in changes.items() if change["from"] != change["to"]}
    if outcome.custom:
        changes["custom"] = {key: _change(state.custom.get(key), value) for key, value in outcome.custom.items()}
    if outcome.steps.assign is not None:
        changes["assign"] = outcome.steps.assign
    if outcome.steps.notes:
        changes["note"] = outcome.steps.notes[0].text
    return DryRunChanges.model_validate(changes)


def _change(before: object, after: object) -> Mapping[str, object]:
    return {"from": before, "to": after}
