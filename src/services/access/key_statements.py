"""The statements of API keys.

A record of a key has the name, the role and the address of its principal. The columns `name`, `role` and `email` of the
key itself are written for the release before this one alone.
"""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    DateTime,
    Integer,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_ignore

from db.postgres.statements import Statement, constant, given
from models import ApiKey, Principal, PrincipalKind, Role, SetUp, table_of
from services.access.email_addresses import email_key

_keys: Final = table_of(ApiKey)
_principals: Final = table_of(Principal)

_RECORD: Final = (
    *(_keys.c[name] for name in ("id", "principal_id")),
    *(_principals.c[name] for name in ("name", "role", "email", "deactivated_at")),
    *(_keys.c[name] for name in ("scopes", "secret_hash", "created_at", "expires_at", "revoked_at", "last_used_at")),
)
_records: Final = select(*_RECORD).join(_principals, _principals.c.id == _keys.c.principal_id)
_IDS: Final = bindparam("ids", type_=ARRAY(Text))
_is_live: Final = and_(_keys.c.revoked_at.is_(None), or_(_keys.c.expires_at.is_(None), _keys.c.expires_at > func.now()))

LIST: Final = Statement(_records.order_by(_principals.c.name, _keys.c.created_at))
FIND_ALL: Final = Statement(_records.where(_keys.c.id == func.any(_IDS)))
_ONE: Final = literal_column("1", Integer)
ARE_REQUIRED: Final = Statement(
    select(or_(exists(select(_ONE).select_from(_keys)), exists(select(_ONE).select_from(table_of(SetUp)))))
)


def _page() -> Statement:
    after_at, after_id = bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=Text)
    position = tuple_(_keys.c.created_at, _keys.c.id)
    return Statement(
        _records.where(or_(after_id.is_(None), position > tuple_(after_at, after_id)))
        .order_by(_keys.c.created_at, _keys.c.id)
        .limit(bindparam("limit", type_=Integer))
    )


PAGE: Final = _page()

# By the name of a service account or the id of a person. The release before this one takes the same lock.
LOCK: Final = Statement(
    select(func.pg_advisory_xact_lock(func.hashtextextended(given(_keys.c.name), literal_column("7415530149"))))
)
SERVICE_ACCOUNT: Final = Statement(
    select(
        _principals.c.active,
        and_(
            _principals.c.role == given(_principals.c.role),
            email_key(_principals.c.email).is_not_distinct_from(email_key(given(_principals.c.email))),
        ).label("is_same"),
    ).where(_principals.c.id == given(_principals.c.id))
)
CREATE_SERVICE_ACCOUNT: Final = Statement(
    insert_or_ignore(_principals)
    .values(
        kind=constant(PrincipalKind.SERVICE),
        **{name: given(_principals.c[name]) for name in ("id", "name", "role", "email")},
    )
    .on_conflict_do_nothing()
)
ACTIVE_PERSON: Final = Statement(
    select(_principals.c.role, _principals.c.email).where(
        _principals.c.id == given(_principals.c.id),
        _principals.c.kind == constant(PrincipalKind.PERSON),
        _principals.c.active,
    )
)
COUNT_LIVE: Final = Statement(
    select(func.count()).select_from(_keys).where(_keys.c.principal_id == given(_keys.c.principal_id), _is_live)
)
_CREATED_WITH: Final = ("id", "principal_id", "name", "role", "email", "scopes", "secret_hash", "expires_at")
CREATE: Final = Statement(insert(_keys).values({name: given(_keys.c[name]) for name in _CREATED_WITH}))
MAY_AUTHENTICATE: Final = or_(
    _principals.c.kind == constant(PrincipalKind.PERSON),
    exists().where(_keys.c.principal_id == _principals.c.id, _is_live),
)
"""The predicate of people, who may have a token, and of service accounts with a live key."""
IS_ADMIN: Final = and_(_principals.c.active, _principals.c.role == constant(Role.ADMIN), MAY_AUTHENTICATE)
HAS_ADMIN: Final = Statement(select(exists().where(IS_ADMIN)))
REVOKE: Final = Statement(
    update(_keys)
    .values(revoked_at=func.coalesce(_keys.c.revoked_at, func.now()))
    .where(_keys.c.id == given(_keys.c.id))
)


def _record_uses() -> Statement:
    times: Any = bindparam("times", type_=ARRAY(DateTime(timezone=True)))
    uses = func.unnest(_IDS, times).table_valued("id", "at", name="uses").render_derived()
    latest = func.greatest(_keys.c.last_used_at, uses.c.at)
    return Statement(update(_keys).values(last_used_at=latest).where(_keys.c.id == uses.c.id))


RECORD_USES: Final = _record_uses()
