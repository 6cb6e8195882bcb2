"""The policies of service levels: admins create, change and order them."""

from collections.abc import Mapping, Set
from typing import Any, Final

from sqlalchemy import Integer, Text, bindparam, cast, func, insert, literal_column, select, update
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
from models import Calendar, ClockKind, Group, Scope, table_of
from models import SlaPolicy as PolicyTable
from schemas.matching import TicketMatch
from schemas.sla_policies import SlaPolicy, SlaPolicyCreate, SlaPolicyList, SlaPolicyPatch
from services.access.principal import Principal
from services.definitions import CachedDefinitions
from services.fields.definitions import read_all

MAX_POLICIES: Final = 100

policies: Final = table_of(PolicyTable)
_calendars: Final = table_of(Calendar)
_groups: Final = table_of(Group)
_CHANGEABLE: Final = ("name", "position", "calendar_id", *(f"{kind}_s" for kind in ClockKind), "active")
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
_HAS_CALENDAR: Final = Statement(select(_ONE).where(_calendars.c.id == given(_calendars.c.id)))
_HAS_GROUP: Final = Statement(select(_ONE).where(_groups.c.id == given(_groups.c.id)))
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
                await _ensure_references(connection, values)
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
    if all(getattr(before, name) == value for name, value in changes.items()):
        return before
    await _ensure_references(connection, changes)
    values = {name: getattr(before, name) for name in (*_CHANGEABLE, "match")} | dict(changes)
    if all(values[f"{kind}_s"] is None for kind in ClockKind):
        raise InvalidReference(*(Fault("at least one budget is required", "body", name) for name in sorted(changes)))
    return policy_of(await connection.one(_SAVE, id=before.id, **_stored(values)))


async def _ensure_references(connection: Session, values: Mapping[str, Any]) -> None:
    """Raise InvalidReference for a calendar or groups that do not exist."""
    faults: list[Fault] = []
    if "calendar_id" in values and await connection.one_or_none(_HAS_CALENDAR, id=values["calendar_id"]) is None:
        faults.append(Fault("no calendar has this id", "body", "calendar_id"))
    group_ids = values["match"].group_id if "match" in values else ()
    for index, group_id in enumerate(group_ids):
        if await connection.one_or_none(_HAS_GROUP, id=group_id) is None:
            faults.append(Fault("no group has this id", "body", "match", "group_id", index))
    custom = values["match"].custom if "match" in values else {}
    known = await read_all(connection) if custom else {}
    faults += [
        Fault("no custom field has this key", "body", "match", "custom", key) for key in custom if key not in known
    ]
    if faults:
        raise InvalidReference(*faults)
