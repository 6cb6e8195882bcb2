"""The statements of sessions.

CREATE                begins a session
FIND_ALL              live sessions by their hashes, with their people; a session of a deactivated person is not live
TOUCH                 stores that a session was used
OF_PERSON, ALL        the live sessions of a person, and those of all people, the latest use first
END, END_BY_HASH      end one session; END returns its person
END_OF_PERSON         ends all sessions of a person but for one
PURGE                 deletes the sessions that have ended by themselves, and returns their number
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Interval,
    LargeBinary,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from db.postgres.statements import Statement, given
from models import PersonSession, Principal, table_of

IDLE: Final = timedelta(days=14)
"""A session that was not used for so long has ended."""
LASTS: Final = timedelta(days=90)
"""A session ends after this time, however often it is used."""
TOUCH_AFTER: Final = timedelta(minutes=5)
"""How exactly the latest use of a session is stored."""
PURGE_BATCH: Final = 1000

_sessions: Final = table_of(PersonSession)
_people: Final = table_of(Principal)
_ID: Final = given(_sessions.c.id)
_PERSON_ID: Final = given(_sessions.c.person_id)
_HASHES: Final = bindparam("hashes", type_=ARRAY(LargeBinary))


def _interval(time: timedelta) -> ColumnElement[timedelta]:
    return literal_column(f"interval '{time.total_seconds():.0f} seconds'", Interval)


_is_live: Final = and_(_sessions.c.expires_at > func.now(), _sessions.c.seen_at > func.now() - _interval(IDLE))
_SHOWN: Final = tuple(
    _sessions.c[name]
    for name in ("id", "person_id", "method", "user_agent", "address", "created_at", "seen_at", "expires_at")
)

CREATE: Final = Statement(
    insert(_sessions)
    .values(
        **{
            name: given(_sessions.c[name])
            for name in ("token_hash", "person_id", "method", "email", "user_agent", "address")
        },
        expires_at=func.now() + _interval(LASTS),
    )
    .returning(_sessions.c.id)
)
FIND_ALL: Final = Statement(
    select(
        _sessions.c.token_hash,
        _sessions.c.email.label("verified_email"),
        (_sessions.c.seen_at < func.now() - _interval(TOUCH_AFTER)).label("is_to_be_touched"),
        *_SHOWN,
        *(_people.c[name] for name in ("name", "email", "role", "role_source")),
    )
    .join(_people, _people.c.id == _sessions.c.person_id)
    .where(
        _sessions.c.token_hash == func.any(bindparam("hashes", type_=ARRAY(LargeBinary))), _is_live, _people.c.active
    )
)
TOUCH: Final = Statement(update(_sessions).values(seen_at=func.now()).where(_sessions.c.id == _ID))
_listed: Final = select(*_SHOWN, _people.c.name, _people.c.email).join(_people, _people.c.id == _sessions.c.person_id)
_order: Final = (_sessions.c.seen_at.desc(), _sessions.c.id.desc())
OF_PERSON: Final = Statement(_listed.where(_sessions.c.person_id == _PERSON_ID, _is_live).order_by(*_order))
ALL: Final = Statement(_listed.where(_is_live, _people.c.active).order_by(*_order))
_is_of: Final = or_(_PERSON_ID.is_(None), _sessions.c.person_id == _PERSON_ID)
END: Final = Statement(
    delete(_sessions).where(_sessions.c.id == _ID, _is_of).returning(_sessions.c.person_id, _sessions.c.token_hash)
)
END_BY_HASH: Final = Statement(delete(_sessions).where(_sessions.c.token_hash == given(_sessions.c.token_hash)))
END_OF_PERSON: Final = Statement(
    delete(_sessions)
    .where(_sessions.c.person_id == _PERSON_ID, _sessions.c.id.is_distinct_from(_ID))
    .returning(_sessions.c.token_hash)
)
_ended: Final = select(_sessions.c.id).where(~_is_live).limit(literal_column(str(PURGE_BATCH)))
_purged: Final = delete(_sessions).where(_sessions.c.id.in_(_ended)).returning(_sessions.c.id).cte("purged")
PURGE: Final = Statement(select(func.count()).select_from(_purged))
