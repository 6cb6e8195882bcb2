"""The statements of bulk changes.

READ              tickets in ascending id, as `services.tickets.statements.LOCK` does, without a lock
CREATE, FIND      create a bulk change, and read one
CLAIM             the oldest bulk change that no process carries out, for CLAIM_S seconds
SAVE              appends results, unless another process has claimed the bulk change and appended them; keeps the claim
RELEASE           gives the claim up
PURGE             deletes bulk changes that ended more than a week ago
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Double,
    Integer,
    Interval,
    Text,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from db.postgres.statements import Statement, constant, given
from models import BulkRun, table_of
from services.tickets.statements import COMPUTED, VISIBLE_TO, tickets

CLAIM_S: Final = 30

runs: Final = table_of(BulkRun)
_ID: Final = runs.c.id == given(runs.c.id)
_ZERO: Final = literal_column("0", Integer)
_SHOWN: Final = (
    *(runs.c[name] for name in ("id", "principal_id", "ticket_ids", "last_ticket_id", "created_at", "finished_at")),
    cast(runs.c.action, Text).label("action"),
    cast(runs.c.results, Text).label("results"),
)
_CLAIMED: Final = func.now() + func.make_interval(*(_ZERO for _ in range(6)), literal_column(str(CLAIM_S), Double))
_DONE: Final = func.jsonb_array_length(runs.c.results)

READ: Final = Statement(
    select(*tickets.c, *COMPUTED)
    .where(tickets.c.id == func.any(bindparam("ticket_ids", type_=ARRAY(BigInteger))), VISIBLE_TO)
    .order_by(tickets.c.id)
)
CREATE: Final = Statement(
    insert(runs)
    .values(
        principal_id=given(runs.c.principal_id),
        action=cast(bindparam("action_json", type_=Text), JSONB),
        ticket_ids=given(runs.c.ticket_ids),
        last_ticket_id=given(runs.c.last_ticket_id),
        finished_at=case((func.cardinality(given(runs.c.ticket_ids)) == _ZERO, func.now()), else_=null()),
    )
    .returning(*_SHOWN)
)
FIND: Final = Statement(select(*_SHOWN).where(_ID))
_WAITING: Final = (
    select(runs.c.id)
    .where(runs.c.finished_at.is_(None), or_(runs.c.claimed_until.is_(None), runs.c.claimed_until < func.now()))
    .order_by(runs.c.id)
    .limit(literal_column("1"))
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
CLAIM: Final = Statement(update(runs).values(claimed_until=_CLAIMED).where(runs.c.id == _WAITING).returning(*_SHOWN))
_NEW: Final = cast(bindparam("results_json", type_=Text), JSONB)
SAVE: Final = Statement(
    update(runs)
    .values(
        results=runs.c.results.op("||")(_NEW),
        claimed_until=_CLAIMED,
        finished_at=case(
            (_DONE + func.jsonb_array_length(_NEW) == func.cardinality(runs.c.ticket_ids), func.clock_timestamp())
        ),
    )
    .where(_ID, bindparam("done", type_=Integer) == _DONE)
    .returning(runs.c.id)
)
RELEASE: Final = Statement(update(runs).values(claimed_until=null()).where(_ID, runs.c.finished_at.is_(None)))
PURGE: Final = Statement(delete(runs).where(runs.c.finished_at < func.now() - cast(constant("7 days"), Interval)))
