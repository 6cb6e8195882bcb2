"""The definitions of the custom fields, kept in memory: every new ticket and every change is checked with them."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextvars import Context
from typing import Final

from sqlalchemy import select

from core import deadline
from core.errors import DeadlineExceeded
from db.postgres.database import Database
from db.postgres.session import Session
from db.postgres.statements import Statement
from models import CustomField as FieldTable
from models import RequiredAt, table_of
from schemas.custom_fields import CustomField

# A change of a definition by another process takes effect in this one after this time.
FRESH_FOR_S: Final = 2

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


class FieldDefinitions:
    """Returns the current definitions, at most two seconds old."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = FieldSet({})
        self._loaded_at = float("-inf")
        self._loading: asyncio.Task[FieldSet] | None = None

    async def current(self) -> FieldSet:
        """Return the definitions. Requests that arrive during a query share its result, and its failure.

        Raises DatabaseUnavailable, DeadlineExceeded.
        """
        if time.monotonic() - self._loaded_at < FRESH_FOR_S:
            return self._known
        if self._loading is None or self._loading.done():
            # An empty context: the query serves several requests and must not end at the deadline of one of them.
            self._loading = asyncio.create_task(self._load(), context=Context())
            self._loading.add_done_callback(_mark_retrieved)
        try:
            async with asyncio.timeout_at(deadline.current()):
                return await asyncio.shield(self._loading)
        except TimeoutError:
            raise DeadlineExceeded("the request waited for the definitions of the custom fields") from None

    def forget(self) -> None:
        """Read the definitions again at the next use; a query that runs already may not see the change."""
        self._loaded_at = float("-inf")
        self._loading = None

    async def _load(self) -> FieldSet:
        began_at = time.monotonic()
        # Not from the main pool: while that is exhausted, each request is refused by its own work, not by this query.
        async with self._database.control() as connection:
            found = await read_all(connection)
        if self._loading is asyncio.current_task():
            self._known, self._loaded_at = found, began_at
        return found


async def read_all(connection: Session) -> FieldSet:
    """Return the definitions that are stored now."""
    return FieldSet({row.key: CustomField.model_validate(dict(row)) for row in await connection.rows(_ALL)})


def _mark_retrieved(task: asyncio.Task[FieldSet]) -> None:
    """Keep asyncio from logging an error that no request waits for any more."""
    if not task.cancelled():
        task.exception()
