"""The statements of saved views.

LOCK, COUNT       serialize the creation of views, and count those of an owner; NULL owns the shared ones
ALL, FIND, LOCKED the shared views and those of a principal: all, one, and one locked for a change
CREATE, SAVE,     write a view
DELETE
"""

from typing import Final

from sqlalchemy import Integer, delete, func, insert, literal_column, or_, select, update

from db.postgres.statements import Statement, given
from models import SavedView, table_of

SETTINGS: Final = ("name", "query", "position")

views: Final = table_of(SavedView)
_ONE: Final = literal_column("1", Integer)
_ID: Final = views.c.id == given(views.c.id)
_OWNER: Final = given(views.c.owner_id)
_IS_SEEN: Final = or_(views.c.owner_id.is_(None), views.c.owner_id == _OWNER)
_SHOWN: Final = (
    *(views.c[name] for name in ("id", *SETTINGS, "version", "created_at", "updated_at")),
    views.c.owner_id.is_(None).label("shared"),
)
_SEEN: Final = select(*_SHOWN).where(_IS_SEEN)

LOCK: Final = Statement(select(func.pg_advisory_xact_lock(literal_column("7415530161"))))
COUNT: Final = Statement(
    select(
        func.count().label("views"),
        (func.coalesce(func.max(views.c.position), literal_column("0", Integer)) + _ONE).label("next_position"),
    ).where(views.c.owner_id.is_not_distinct_from(_OWNER))
)
ALL: Final = Statement(_SEEN.order_by(views.c.position, views.c.id))
FIND: Final = Statement(_SEEN.where(_ID))
LOCKED: Final = Statement(_SEEN.where(_ID).with_for_update())
CREATE: Final = Statement(
    insert(views).values({"owner_id": _OWNER} | {name: given(views.c[name]) for name in SETTINGS}).returning(*_SHOWN)
)
SAVE: Final = Statement(
    update(views)
    .values({name: given(views.c[name]) for name in SETTINGS})
    .values(version=views.c.version + _ONE, updated_at=func.now())
    .where(_ID)
    .returning(*_SHOWN)
)
DELETE: Final = Statement(delete(views).where(_ID))
