"""The statements of passwords and second factors.

ACCOUNT               one row for any email address: its key, and the active person that has it, if there is one
LOCK                  locks the credentials of an active person until the transaction ends
OF_PERSON             the credentials of a person
SET_PASSWORD          stores a password
PREPARE_TOTP          stores a second factor that is not confirmed yet, unless one is confirmed
CONFIRM_TOTP          confirms it with the time step of the first code
USE_STEP              stores the time step of the code that was used
REMOVE_TOTP           removes the second factor
ADD_CODES, USE_CODE   store recovery codes by their hashes, and use one
REMOVE_CODES
CLOSE_SET_UP, IS_SET_UP_CLOSED
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    LargeBinary,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_update

from db.postgres.statements import Statement, constant, given
from models import PersonCredentials, Principal, PrincipalKind, RecoveryCode, SetUp, table_of
from services.access.email_addresses import email_key

_people: Final = table_of(Principal)
_credentials: Final = table_of(PersonCredentials)
_codes: Final = table_of(RecoveryCode)
_set_up: Final = table_of(SetUp)

_PERSON_ID: Final = given(_credentials.c.person_id)
_IS_ACTIVE_PERSON: Final = and_(_people.c.kind == constant(PrincipalKind.PERSON), _people.c.active)
_HAS_TOTP: Final = _credentials.c.totp_confirmed_at.is_not(None).label("has_totp")


def _account() -> Statement:
    sent = select(email_key(bindparam("email", type_=Text)).label("account")).subquery("sent")
    is_person = and_(_IS_ACTIVE_PERSON, email_key(_people.c.email) == sent.c.account)
    people = sent.outerjoin(_people, is_person).outerjoin(_credentials, _credentials.c.person_id == _people.c.id)
    columns = [*(_people.c[name] for name in ("id", "name", "email", "role")), _credentials.c.password_hash]
    return Statement(select(sent.c.account, *columns).select_from(people))


ACCOUNT: Final = _account()
LOCK: Final = Statement(
    select(*_credentials.c, _HAS_TOTP)
    .join(_people, _people.c.id == _credentials.c.person_id)
    .where(_credentials.c.person_id == _PERSON_ID, _IS_ACTIVE_PERSON)
    .with_for_update(of=_credentials)
)
_codes_left: Final = select(func.count()).where(_codes.c.person_id == _people.c.id).correlate(_people).scalar_subquery()
OF_PERSON: Final = Statement(
    select(
        *(_people.c[name] for name in ("id", "name", "email", "role")),
        email_key(_people.c.email).label("account"),
        _credentials.c.password_hash,
        _credentials.c.password_changed_at,
        _credentials.c.totp_secret,
        _HAS_TOTP,
        _codes_left.label("codes_left"),
    )
    .select_from(_people.outerjoin(_credentials, _credentials.c.person_id == _people.c.id))
    .where(_people.c.id == given(_people.c.id), _IS_ACTIVE_PERSON)
)
_password: Final = {
    "password_hash": given(_credentials.c.password_hash),
    "password_changed_at": func.now(),
}
SET_PASSWORD: Final = Statement(
    insert_or_update(_credentials)
    .values(person_id=_PERSON_ID, **_password)
    .on_conflict_do_update(index_elements=[_credentials.c.person_id], set_=_password)
)
PREPARE_TOTP: Final = Statement(
    update(_credentials)
    .values(totp_secret=given(_credentials.c.totp_secret), totp_step=null())
    .where(_credentials.c.person_id == _PERSON_ID, _credentials.c.totp_confirmed_at.is_(None))
)
CONFIRM_TOTP: Final = Statement(
    update(_credentials)
    .values(totp_confirmed_at=func.now(), totp_step=given(_credentials.c.totp_step))
    .where(_credentials.c.person_id == _PERSON_ID)
)
USE_STEP: Final = Statement(
    update(_credentials).values(totp_step=given(_credentials.c.totp_step)).where(_credentials.c.person_id == _PERSON_ID)
)
REMOVE_TOTP: Final = Statement(
    update(_credentials)
    .values(totp_secret=null(), totp_confirmed_at=null(), totp_step=null())
    .where(_credentials.c.person_id == _PERSON_ID)
)
ADD_CODES: Final = Statement(
    insert(_codes).from_select(
        [_codes.c.person_id, _codes.c.code_hash],
        select(_PERSON_ID, func.unnest(bindparam("hashes", type_=ARRAY(LargeBinary)), type_=LargeBinary)),
    )
)
USE_CODE: Final = Statement(
    delete(_codes)
    .where(_codes.c.person_id == _PERSON_ID, _codes.c.code_hash == given(_codes.c.code_hash))
    .returning(_codes.c.person_id)
)
REMOVE_CODES: Final = Statement(delete(_codes).where(_codes.c.person_id == _PERSON_ID))

CLOSE_SET_UP: Final = Statement(
    insert_or_update(_set_up).values(id=literal_column("1"), person_id=_PERSON_ID).on_conflict_do_nothing()
)
IS_SET_UP_CLOSED: Final = Statement(select(exists(select(_set_up.c.id))))
