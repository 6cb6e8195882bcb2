"""The statements by which admins manage rules.

LOCK, COUNT         serialize the writes, and count the rules
ALL, FIND           rules, in the order in which they apply
CREATE, SAVE        write a rule; `match` and `actions` are JSON text
DELETE              deletes a rule
RECENT              the tickets before `before` that were created last, for dry runs
"""

from typing import Final

from sqlalchemy import BigInteger, Integer, Text, bindparam, cast, delete, func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import JSONB

from db.postgres.statements import Statement, given
from services.automation.rule_definitions import rules
from services.tickets.statements import tickets

SETTINGS: Final = ("name", "position", "active", "events")
UNIQUE_NAME: Final = "uq_rules_name_key"

_ONE: Final = literal_column("1", Integer)
_ID: Final = given(rules.c.id)
_WRITTEN: Final = {name: given(rules.c[name]) for name in SETTINGS} | {
    name: cast(bindparam(f"{name}_json", type_=Text), JSONB) for name in ("match", "actions")
}

LOCK: Final = Statement(select(func.pg_advisory_xact_lock(literal_column("7415530156"))))
COUNT: Final = Statement(
    select(
        func.count().label("rules"),
        (func.coalesce(func.max(rules.c.position), literal_column("0", Integer)) + _ONE).label("next_position"),
    ).select_from(rules)
)
ALL: Final = Statement(select(*rules.c).order_by(rules.c.position, rules.c.id))
FIND: Final = Statement(select(*rules.c).where(rules.c.id == _ID))
CREATE: Final = Statement(insert(rules).values(_WRITTEN).returning(*rules.c))
SAVE: Final = Statement(
    update(rules)
    .values(_WRITTEN)
    .values(version=rules.c.version + _ONE, updated_at=func.now())
    .where(rules.c.id == _ID)
    .returning(*rules.c)
)
DELETE: Final = Statement(delete(rules).where(rules.c.id == _ID))

_SEEN_BY_RULES: Final = (
    *("id", "subject", "text", "email", "status"),
    *("priority", "group_id", "assignee_id", "tags", "custom"),
)
RECENT: Final = Statement(
    select(*(tickets.c[name] for name in _SEEN_BY_RULES))
    .where(tickets.c.id < bindparam("before", type_=BigInteger))
    .order_by(tickets.c.id.desc())
    .limit(bindparam("limit", type_=Integer))
)
