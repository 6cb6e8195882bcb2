"""The policies of service levels: admins create, change and order them."""

import asyncio
from collections.abc import Mapping, Set
from typing import Any, Final

from sqlalchemy import DateTime, Integer, Text, bindparam, cast, func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import JSONB

from core.errors import (
    AlreadyExists,
    Fault,
    InvalidReference,
    VersionMismatch,
)
from core.service_level_errors import PolicyNotFound, TooManyPolicies
from db.postgres.database import Database
from db.postgres.failures import raised_for_duplicates
from db.postgres.session import Session
from db.postgres.statements import Row, Statement, given
from models import ClockKind, Scope, table_of
from models import SlaPolicy as PolicyTable
from models.calendar import MAX_SPAN_DAYS
from schemas.matching import TicketMatch
from schemas.sla_policies import SlaPolicy, SlaPolicyCreate, SlaPolicyList, SlaPolicyPatch
from services.access.principal import Principal
from services.automation.match_references import checked_match
from services.definitions import CachedDefinitions
from services.sla.calendar_definitions import calendars, working_time_of

MAX_POLICIES: Final = 100

policies: Final = table_of(PolicyTable)
_BUDGETS: Final = tuple(f"{kind}_s" for kind in ClockKind)
_CHANGEABLE: Final = ("name", "position", "calendar_id", *_BUDGETS, "active")
_UNIQUE_NAME: Final = "uq_sla_policies_name_key"
_MATCH: Final = cast(bindparam("match", type_=Text), JSONB)
_ONE: Final = literal_column("1", Integer)
_LOCK: Final = Statement(select(func.pg_advisory_xact_lock(literal_column("7415530155"))))
_ALL: Final = Statement(select(*policies.c).order_by(policies.c.position, policies.c.id))
_FIND: Final = Statement(select(*policies.c).where(policies.c.id == given(policies.c.id)))
_LAST: Final = func.coalesce(func.max(policies.c.position), literal_column("0"))
_COUNT: Final = Statement(
    select(func.count().label("policies"), (_LAST + _ONE).label("next_position")).select_from(policies)
)
_CALENDAR: Final = Statement(
    select(*calendars.c, func.service_clock(type_=DateTime(timezone=True)).label("now")).where(
        calendars.c.id == given(calendars.c.id)
    )
)
_CREATE: Final = Statement(
    insert(policies)
    .values({name: given(policies.c[name]) for name in _CHANGEABLE})
    .values(match=_MATCH)
    .returning(*policies.c)
)
_SAVE: Final = Statement(
    update(policies)
    .values({name: given(policies.c[name]) for name in _CHANGEABLE})
    .values(match=_MATCH, version=policies.c.version + _ONE, updated_at=func.now())
    .where(policies.c.id == given(policies.c.id))
    .returning(*policies.c)
)


class SlaPolicies:
    """Reads and writes policies. Agents and admins read, admins write.

    Every method raises Forbidden, InsufficientScope, DatabaseUnavailable and DeadlineExceeded; those that write also
    raise OutcomeUnknown. A change takes effect in all processes within two seconds, for tickets that come under the
    policy then.
    """

    def __init__(self, database: Database, definitions: CachedDefinitions[Any]) -> None:
        self._database = database
        self._definitions = definitions

    async def all(self, principal: Principal) -> SlaPolicyList:
        """Return all policies in their order."""
        principal.require_staff()
        principal.require(Scope.READ)
        async with self._database.reading() as connection:
            return SlaPolicyList(items=[policy_of(row) for row in await connection.rows(_ALL)])

    async def find(self, policy_id: int, principal: Principal) -> SlaPolicy:
        """Return a policy. Raises PolicyNotFound."""
        principal.require_staff()
        principal.require(Scope.READ)
        async with self._database.reading() as connection:
            return policy_of(await _found(connection, policy_id))

    async def ensure_exists(self, policy_id: int) -> None:
        """Raise PolicyNotFound if there is no policy with this id."""
        async with self._database.reading() as connection:
            await _found(connection, policy_id)

    async def create(self, new: SlaPolicyCreate, principal: Principal) -> SlaPolicy:
        """Create a policy. Raises AlreadyExists, InvalidReference, TooManyPolicies."""
        principal.require_admin()
        values = new.model_dump(exclude={"match"}) | {"match": new.match, "active": True}
        with raised_for_duplicates(_UNIQUE_NAME, lambda: AlreadyExists("name")):
            async with self._database.transaction() as connection:
                await connection.run(_LOCK)
                existing = await connection.one(_COUNT)
                if existing.policies >= MAX_POLICIES:
                    raise TooManyPolicies
                values |= await _checked(connection, values, values)
                if new.position is None:
                    values["position"] = existing.next_position
                row = await connection.one(_CREATE, **_stored(values))
        self._definitions.forget()
        return policy_of(row)

    async def change(
        self, policy_id: int, patch: SlaPolicyPatch, principal: Principal, *, expected: Set[int] | None = None
    ) -> SlaPolicy:
        """Change a policy; without any difference makes no version.

        Raises PolicyNotFound, VersionMismatch, AlreadyExists, InvalidReference.
        """
        principal.require_admin()
        changes = {name: getattr(patch, name) for name in patch.model_fields_set}
        with raised_for_duplicates(_UNIQUE_NAME, lambda: AlreadyExists("name")):
            async with self._database.transaction() as connection:
                await connection.run(_LOCK)
                before = policy_of(await _found(connection, policy_id))
                if expected is not None and before.version not in expected:
                    raise VersionMismatch(before.version)
                after = await _saved(connection, before, changes)
        self._definitions.forget()
        return after


def policy_of(row: Row) -> SlaPolicy:
    """Return the policy of a row."""
    return SlaPolicy.model_validate({**row, "match": TicketMatch.model_validate_json(row.match)})


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as parameters: the conditions as JSON, without members that hold for every ticket."""
    match: TicketMatch = values["match"]
    return {**values, "match": match.model_dump_json(exclude_defaults=True)}


async def _found(connection: Session, policy_id: int) -> Row:
    row = await connection.one_or_none(_FIND, id=policy_id)
    if row is None:
        raise PolicyNotFound(str(policy_id))
    return row


async def _saved(connection: Session, before: SlaPolicy, changes: Mapping[str, Any]) -> SlaPolicy:
    present = {name: getattr(before, name) for name in (*_CHANGEABLE, "match")}
    wanted = present | dict(changes)
    if wanted == present:  # also if what it refers to does not exist any more
        return before
    values = present | await _checked(connection, changes, wanted)
    if values == present:
        return before
    if all(values[name] is None for name in _BUDGETS):
        raise InvalidReference(*(Fault("at least one budget is required", "body", name) for name in sorted(changes)))
    return policy_of(await connection.one(_SAVE, id=before.id, **_stored(values)))


async def _checked(connection: Session, sent: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was sent in the form in which it is stored. `policy` has the members that result from it.

    Raises InvalidReference for a calendar, groups, custom fields or values that do not exist, and for a budget that
    the calendar has no time for.
    """
    faults = await _budget_faults(connection, sent, policy) if sent.keys() & {"calendar_id", *_BUDGETS} else []
    checked = dict(sent)
    if "match" in sent:
        try:
            checked["match"] = await checked_match(connection, sent["match"], "body", "match")
        except InvalidReference as error:
            faults += error.faults
    if faults:
        raise InvalidReference(*faults)
    return checked


async def _budget_faults(connection: Session, sent: Mapping[str, Any], policy: Mapping[str, Any]) -> list[Fault]:
    row = await connection.one_or_none(_CALENDAR, id=policy["calendar_id"])
    if row is None:
        return [Fault("no calendar has this id", "body", "calendar_id")]
    working_time = working_time_of(row)
    faults: list[Fault] = []
    for name in _BUDGETS:
        budget = policy[name]
        # In a thread: the search through ten years takes tens of milliseconds.
        if budget is not None and await asyncio.to_thread(working_time.due, row.now, budget) is None:
            detail = f"must not be more than the calendar has in {MAX_SPAN_DAYS:,} days"
            if name not in sent:
                detail = f"has less time than {name} in {MAX_SPAN_DAYS:,} days"
            faults.append(Fault(detail, "body", name if name in sent else "calendar_id"))
    return faults
