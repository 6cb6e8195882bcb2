"""The statements of people, groups and principals.

ACTIVE_STAFF  the predicate of active agents and admins, people and service accounts: those that can be members
"""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_ignore

from db.postgres.statements import Statement, constant, given
from models import (
    PERSON_NUMBERS,
    Audience,
    Group,
    GroupMember,
    Principal,
    PrincipalKind,
    Role,
    table_of,
)
from services.access.email_addresses import email_key
from services.access.key_statements import IS_ADMIN
from services.tickets.statements import events, requester, visible_ids

principals: Final = table_of(Principal)
groups: Final = table_of(Group)
members: Final = table_of(GroupMember)

_ONE: Final = literal_column("1", Integer)
_LIMIT: Final = bindparam("limit", type_=Integer)
_ID: Final = given(principals.c.id)
_IS_PERSON: Final = principals.c.kind == constant(PrincipalKind.PERSON)
ACTIVE_STAFF: Final = and_(principals.c.active, principals.c.role.in_([constant(Role.ADMIN), constant(Role.AGENT)]))

PERSON: Final = Statement(select(*principals.c).where(principals.c.id == _ID, _IS_PERSON))
EMAIL_IS_TAKEN: Final = Statement(
    select(
        exists().where(
            _IS_PERSON, email_key(principals.c.email) == email_key(given(principals.c.email)), principals.c.id != _ID
        )
    )
)
NEW_PERSON_ID: Final = constant("person:").op("||")(cast(PERSON_NUMBERS.next_value(), Text))
_CREATED_WITH: Final = ("name", "email", "role", "role_source", "zone", "language", "subject")
CREATE_PERSON: Final = Statement(
    insert(principals)
    .values(
        {
            "id": NEW_PERSON_ID,
            "kind": constant(PrincipalKind.PERSON),
            **{name: given(principals.c[name]) for name in _CREATED_WITH},
        }
    )
    .returning(*principals.c)
)
_SAVED: Final = ("name", "email", "role", "role_source", "zone", "language", "active", "subject")
_NOW: Final = func.clock_timestamp(type_=DateTime(timezone=True))
SAVE_PERSON: Final = Statement(
    update(principals)
    .values(
        {
            **{name: given(principals.c[name]) for name in _SAVED},
            "deactivated_at": case(
                (given(principals.c.active), null()), else_=func.coalesce(principals.c.deactivated_at, _NOW)
            ),
            "version": principals.c.version + _ONE,
            "updated_at": func.greatest(principals.c.updated_at, _NOW),
        }
    )
    .where(principals.c.id == _ID)
    .returning(*principals.c)
)


# Whether an admin other than `id` can authenticate.
HAS_OTHER_ADMIN: Final = Statement(select(exists().where(IS_ADMIN, principals.c.id != _ID)))


def _page_of_people() -> Statement:
    """Return the statement of a page; a filter that is NULL applies to every person."""
    role, prefix = bindparam("role", type_=Text), bindparam("q", type_=Text)
    active, group = bindparam("active", type_=Boolean), bindparam("group", type_=BigInteger)
    after_at, after_id = bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_id", type_=Text)
    in_group = exists().where(members.c.group_id == group, members.c.principal_id == principals.c.id)
    has_prefix = or_(*(_starts_with(principals.c[name], prefix) for name in ("name", "email")))
    position = tuple_(principals.c.created_at, principals.c.id)
    return Statement(
        select(*principals.c)
        .where(
            _IS_PERSON,
            or_(role.is_(None), principals.c.role == role),
            or_(active.is_(None), principals.c.active == active),
            or_(group.is_(None), in_group),
            or_(prefix.is_(None), has_prefix),
            or_(after_id.is_(None), position > tuple_(after_at, after_id)),
        )
        .order_by(principals.c.created_at, principals.c.id)
        .limit(_LIMIT)
    )


def _starts_with(text: ColumnElement[str], prefix: ColumnElement[str]) -> ColumnElement[bool]:
    """Compare without regard to case, in every script, as email addresses are compared."""
    return func.starts_with(email_key(text), email_key(prefix), type_=Boolean)


PAGE_OF_PEOPLE: Final = _page_of_people()

# `subject` is that of a token, as the history of the releases before principals names it.
_SUBJECT: Final = given(principals.c.subject)
_IS_NAMED: Final = or_(principals.c.id == _ID, principals.c.subject == _SUBJECT)
FIND_PRINCIPAL: Final = Statement(select(*principals.c).where(_IS_NAMED))


def _find_writer() -> Statement:
    """Return the statement that finds a principal if it wrote publicly on a ticket that `requester` sees.

    The planner must start from the requester's tickets: no index has the actors.
    """
    own = visible_ids(requester).cte("own").prefix_with("MATERIALIZED")
    names = [principals.c.id, constant("oidc:").op("||")(principals.c.subject)]
    wrote = (
        select(_ONE.label("one"))
        .where(
            events.c.ticket_id == own.c.id,
            events.c.audience == constant(Audience.PUBLIC),
            or_(*(events.c.actor == name for name in names)),
        )
        .correlate(own, principals)
        .offset(literal_column("0"))
        .lateral("wrote")
    )
    is_writer = exists(select(_ONE).select_from(own.join(wrote, true())).correlate(principals))
    return Statement(select(*principals.c).where(_IS_NAMED, is_writer))


FIND_WRITER: Final = _find_writer()

GROUPS_OF: Final = Statement(
    select(groups.c.id, groups.c.name)
    .join(members, members.c.group_id == groups.c.id)
    .where(members.c.principal_id == _ID, groups.c.active)
    .order_by(groups.c.id)
)

_GROUP_ID: Final = given(groups.c.id)
_member_ids: Final = func.array(
    select(members.c.principal_id)
    .where(members.c.group_id == groups.c.id)
    .order_by(members.c.principal_id)
    .correlate(groups)
    .scalar_subquery(),
    type_=ARRAY(Text),
)
_GROUP: Final = (*groups.c, _member_ids.label("members"))
_IDS: Final = bindparam("ids", type_=ARRAY(Text))
GROUP: Final = Statement(select(*_GROUP).where(groups.c.id == _GROUP_ID))
PAGE_OF_GROUPS: Final = Statement(
    select(*_GROUP).where(groups.c.id > bindparam("after", type_=BigInteger)).order_by(groups.c.id).limit(_LIMIT)
)
NAME_IS_TAKEN: Final = Statement(
    select(exists().where(email_key(groups.c.name) == email_key(given(groups.c.name)), groups.c.id != _GROUP_ID))
)
CREATE_GROUP: Final = Statement(
    insert(groups).values({name: given(groups.c[name]) for name in ("name", "auto_close_after")}).returning(groups.c.id)
)
SAVE_GROUP: Final = Statement(
    update(groups)
    .values(
        name=given(groups.c.name),
        active=given(groups.c.active),
        auto_close_after=given(groups.c.auto_close_after),
        version=groups.c.version + _ONE,
        updated_at=func.greatest(groups.c.updated_at, _NOW),
    )
    .where(groups.c.id == _GROUP_ID)
)
ACTIVE_STAFF_AMONG: Final = Statement(select(principals.c.id).where(principals.c.id == func.any(_IDS), ACTIVE_STAFF))
REMOVE_MEMBERS: Final = Statement(
    delete(members).where(members.c.group_id == given(members.c.group_id), members.c.principal_id != func.all(_IDS))
)
ADD_MEMBERS: Final = Statement(
    insert_or_ignore(members)
    .from_select(
        [members.c.group_id, members.c.principal_id], select(given(members.c.group_id), func.unnest(_IDS, type_=Text))
    )
    .on_conflict_do_nothing()
)
