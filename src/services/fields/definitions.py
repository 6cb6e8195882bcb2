"""The definitions of the custom fields, kept in memory: every new ticket and every change is checked with them."""

from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import select

from db.postgres.session import Session
from db.postgres.statements import Statement
from models import CustomField as FieldTable
from models import RequiredAt, table_of
from schemas.custom_fields import CustomField
from services.definitions import CachedDefinitions

fields: Final = table_of(FieldTable)
_ALL: Final = Statement(select(*fields.c).order_by(fields.c.key))


class FieldSet(Mapping[str, CustomField]):
    """The definitions by key, archived ones included. It never changes."""

    def __init__(self, definitions: Mapping[str, CustomField]) -> None:
        self._definitions = dict(definitions)
        current = [field for field in self._definitions.values() if not field.archived]
        self.visible_keys: Final = frozenset(
            key for key, each in self._definitions.items() if each.visible_to_requester
        )
        at_create = tuple(field.key for field in current if field.required is RequiredAt.CREATE)
        at_close = tuple(field.key for field in current if field.required is not RequiredAt.NEVER)
        self.required: Final = {RequiredAt.CREATE: at_create, RequiredAt.CLOSE: at_close}

    def __getitem__(self, key: str) -> CustomField:
        return self._definitions[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)


class FieldDefinitions(CachedDefinitions[FieldSet]):
    """Returns the current definitions, at most two seconds old."""

    what = "the custom fields"

    async def read(self, connection: Session) -> FieldSet:
        """Return the definitions that are stored now."""
        return await read_all(connection)


async def read_all(connection: Session) -> FieldSet:
    """Return the definitions that are stored now."""
    return FieldSet({row.key: CustomField.model_validate(dict(row)) for row in await connection.rows(_ALL)})
