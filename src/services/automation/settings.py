"""What admins have configured to happen by itself, kept in memory: every new ticket and every change needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import select

from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Row, Statement
from models import ClockKind, Group, SlaPolicy, table_of
from schemas.matching import TicketMatch
from services.automation.auto_close import AutoCloseTimes
from services.automation.matching import Field, matches
from services.automation.rule_definitions import read_rules
from services.automation.rules import NO_RULES, RuleBook
from services.definitions import CachedDefinitions
from services.sla.calendar_definitions import Calendars
from services.sla.clocks import Terms
from services.sla.working_time import WorkingTime

_policies: Final = table_of(SlaPolicy)
_groups: Final = table_of(Group)
_POLICIES: Final = Statement(
    select(*_policies.c).where(_policies.c.active).order_by(_policies.c.position, _policies.c.id)
)
_CLOSE_TIMES: Final = Statement(
    select(_groups.c.id, _groups.c.auto_close_after).where(_groups.c.auto_close_after.is_not(None))
)


@dataclass(frozen=True, slots=True)
class Policy:
    """An active policy: its conditions, and what it promises."""

    match: TicketMatch
    terms: Terms


@dataclass(frozen=True, slots=True)
class AutomationSettings:
    """The active policies in their order, the calendars by id, the times of the automatic close, and the rules."""

    policies: Sequence[Policy]
    calendars: Mapping[int, WorkingTime]
    close: AutoCloseTimes
    rules: RuleBook = NO_RULES

    def terms_for(self, field: Field, custom: Mapping[str, Any]) -> Terms | None:
        """Return what the first policy that matches a ticket promises."""
        return next((each.terms for each in self.policies if matches(each.match, field, custom)), None)


class AutomationDefinitions(CachedDefinitions[AutomationSettings]):
    """Returns the settings, at most two seconds old."""

    what = "policies, calendars and rules"

    def __init__(self, database: Database, close: AutoCloseTimes, calendars: Calendars | None = None) -> None:
        super().__init__(database)
        self._close = close
        self._calendars = calendars or Calendars(database)

    async def read(self, connection: Session) -> AutomationSettings:
        """Return the settings that are stored now."""
        calendars = await self._calendars.read(connection)
        policies = [_policy_of(row) for row in await connection.rows(_POLICIES) if row.calendar_id in calendars]
        by_group = {row.id: row.auto_close_after for row in await connection.rows(_CLOSE_TIMES)}
        close = replace(self._close, by_group=by_group)
        return AutomationSettings(policies, calendars, close, await read_rules(connection))


def _policy_of(row: Row) -> Policy:
    budgets = {kind: row[f"{kind}_s"] for kind in ClockKind if row[f"{kind}_s"] is not None}
    return Policy(TicketMatch.model_validate_json(row.match), Terms(row.id, row.calendar_id, budgets))
